#include "cli/commands.hpp"
#include "cli/root_keys.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    Json json;
    if (arguments.has("FILE")) {
        CLARITY_TRY(const auto envelope, read_root_file(arguments.text("FILE")));
        CLARITY_TRY(const auto root, Root::decode(envelope.payload));
        json = root_json(root, envelope.digest());
        json["signatures"] = signatures_of(root, envelope);
    } else {
        CLARITY_TRY(const auto root, session.root());
        CLARITY_TRY(const auto context, session.store().context());
        CLARITY_TRY(const auto envelope, Envelope::decode(context.root));
        json = root_json(root, envelope.digest());
    }
    session.emit(json, [&] { return root_text(json); });
    return ExitCode::done;
}

}  // namespace

Command root_show_command() {
    return {.path = "root show",
            .summary = "the roles, their keys and thresholds",
            .arguments = {positional("FILE", "a root file; default: the coordinator's", false)},
            .run = run};
}

}  // namespace clarity::cli
