#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto server = arguments.text("SERVER");
    CLARITY_TRY(const auto api, session.api());
    CLARITY_CHECK(session.confirm("Take " + server +
                                  " out of its site for good? It needs a new token to come back."));
    CLARITY_TRY(const auto answer, api.remove("/api/v1/agents/" + url_encode(server)));
    session.emit(answer, [&] {
        return fmt::format("{} of {} is revoked: roster {} does not have it\n", server,
                           json_or<std::string>(answer, "site", "its site"),
                           json_or<std::uint64_t>(answer, "roster_epoch", 0));
    });
    session.note(
        "its site cuts it off as soon as it has that roster; what runs there runs on until "
        "somebody "
        "stops it");
    return ExitCode::done;
}

}  // namespace

Command agents_revoke_command() {
    return {.path = "agents revoke",
            .summary = "take a server out of its site: no other member talks to it any more",
            .arguments = {positional("SERVER", "hostname or server id")},
            .run = run,
            .details =
                "For a server that is stolen, sold or suspect. Its services are not stopped:\n"
                "nobody can order it anything from then on. `clarity token create SITE --server\n"
                "NAME` lets it back in, with a new key or the old one."};
}

}  // namespace clarity::cli
