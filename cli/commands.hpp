#pragma once

#include "cli/command.hpp"

namespace clarity::cli {

/// One of these per file; command.hpp's commands() lists them.
[[nodiscard]] Command init_command();
[[nodiscard]] Command validate_command();
[[nodiscard]] Command login_command();
[[nodiscard]] Command root_init_command();
[[nodiscard]] Command root_show_command();
[[nodiscard]] Command root_next_command();
[[nodiscard]] Command root_sign_command();
[[nodiscard]] Command apply_command();
[[nodiscard]] Command artifact_add_command();
[[nodiscard]] Command artifact_list_command();
[[nodiscard]] Command artifact_show_command();
[[nodiscard]] Command artifact_pin_command();
[[nodiscard]] Command artifact_unpin_command();
[[nodiscard]] Command artifact_gc_command();
[[nodiscard]] Command artifact_peers_command();
[[nodiscard]] Command artifact_prefetch_command();
[[nodiscard]] Command artifact_verify_command();
[[nodiscard]] Command plan_command();
[[nodiscard]] Command publish_command();
[[nodiscard]] Command status_command();
[[nodiscard]] Command rollback_command();
[[nodiscard]] Command deployments_list_command();
[[nodiscard]] Command deployments_show_command();
[[nodiscard]] Command deployments_export_command();
[[nodiscard]] Command deliver_command();
[[nodiscard]] Command agents_command();
[[nodiscard]] Command agents_revoke_command();
[[nodiscard]] Command token_create_command();
[[nodiscard]] Command token_list_command();
[[nodiscard]] Command secret_set_command();
[[nodiscard]] Command secret_list_command();
[[nodiscard]] Command wan_pause_command();
[[nodiscard]] Command wan_resume_command();
[[nodiscard]] Command wan_show_command();
[[nodiscard]] Command version_command();

}  // namespace clarity::cli
