#include "cli/commands.hpp"
#include "cli/root_keys.hpp"

namespace clarity::cli {
namespace {

Result<Root> verify(Session& session, const Root& root, const Envelope& envelope) {
    if (root.version == 1) return verify_first_root(envelope);
    CLARITY_TRY(const auto current, session.root());
    return verify_next_root(current, envelope);
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto path = arguments.text("FILE");
    CLARITY_TRY(auto envelope, read_root_file(path));
    CLARITY_TRY(const auto root, Root::decode(envelope.payload));
    const auto json = root_json(root, envelope.digest());
    const auto key_path = arguments.text_or("key", session.store().key_path("root"));
    CLARITY_TRY(const auto key, session.open_key(key_path, "the root key"));
    session.terminal().note(fmt::format("root version {}, digest {}", root.version,
                                        envelope.digest().hex()));
    CLARITY_CHECK(session.confirm("Sign it with " + key_path + "?"));
    envelope.sign(key);
    CLARITY_CHECK(write_root_file(path, envelope));
    const auto* role = root.find(role::root);
    const auto signatures = signatures_of(root, envelope);
    const auto threshold = role == nullptr ? 1 : role->threshold;
    session.note("{}: {} of {} signatures", path, signatures, threshold);
    session.emit(json, [&] { return root_text(json); });
    if (signatures < threshold || arguments.has("no-upload")) return ExitCode::done;
    CLARITY_CHECK(verify(session, root, envelope));
    CLARITY_CHECK(upload_root(session, envelope));
    session.note("uploaded");
    return ExitCode::done;
}

}  // namespace

Command root_sign_command() {
    return {.path = "root sign",
            .summary = "add a signature to a root file; upload it once it has enough",
            .arguments = {positional("FILE", "as root init wrote it"),
                          option("key", "FILE", "default: keys/root.key"),
                          flag("no-upload", "only sign")},
            .run = run};
}

}  // namespace clarity::cli
