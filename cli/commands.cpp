#include "cli/commands.hpp"

namespace clarity::cli {

const std::vector<Command>& commands() {
    static const std::vector<Command> all = {init_command(),
                                             validate_command(),
                                             login_command(),
                                             root_init_command(),
                                             root_show_command(),
                                             root_next_command(),
                                             root_sign_command(),
                                             apply_command(),
                                             artifact_add_command(),
                                             artifact_list_command(),
                                             artifact_show_command(),
                                             artifact_peers_command(),
                                             artifact_prefetch_command(),
                                             artifact_pin_command(),
                                             artifact_unpin_command(),
                                             artifact_gc_command(),
                                             artifact_verify_command(),
                                             plan_command(),
                                             publish_command(),
                                             status_command(),
                                             rollback_command(),
                                             deployments_list_command(),
                                             deployments_show_command(),
                                             deployments_export_command(),
                                             deliver_command(),
                                             agents_command(),
                                             agents_revoke_command(),
                                             token_create_command(),
                                             token_list_command(),
                                             secret_set_command(),
                                             secret_list_command(),
                                             wan_pause_command(),
                                             wan_resume_command(),
                                             wan_show_command(),
                                             version_command()};
    return all;
}

}  // namespace clarity::cli
