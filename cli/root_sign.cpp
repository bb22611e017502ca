#include "cli/commands.hpp"
#include "cli/root_keys.hpp"

namespace clarity::cli {
namespace {

/// The root that this one has to follow, where it can be had; none for a first root.
std::optional<Root> predecessor(Session& session, const Root& root) {
    if (root.version == 1) return std::nullopt;
    auto current = session.root();
    if (!current) current = session.stored_root();
    if (!current || current->version + 1 != root.version) return std::nullopt;
    return *std::move(current);
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    const auto path = arguments.text("FILE");
    CLARITY_TRY(auto envelope, read_root_file(path));
    CLARITY_TRY(const auto root, Root::decode(envelope.payload));
    const auto json = root_json(root, envelope.digest());
    const auto key_path = arguments.text_or("key", session.store().key_path("root"));
    CLARITY_TRY(const auto key, session.open_key(key_path, "the root key"));
    session.terminal().note(
        fmt::format("root version {}, digest {}", root.version, envelope.digest().hex()));
    CLARITY_CHECK(session.confirm("Sign it with " + key_path + "?"));
    envelope.sign(key);
    CLARITY_CHECK(write_root_file(path, envelope));
    const auto before = predecessor(session, root);
    session.note("{}: {}", path, signatures_text(before ? &*before : nullptr, root, envelope));
    session.emit(json, [&] { return root_text(json); });
    if (arguments.has("no-upload")) return ExitCode::done;
    if (root.version > 1 && !before) {
        session.note(
            "not uploaded: the coordinator's root, which it has to follow, is not version "
            "{}",
            root.version - 1);
        return ExitCode::done;
    }
    const auto complete =
        before ? verify_next_root(*before, envelope) : verify_first_root(envelope);
    if (!complete) return ExitCode::done;  // signatures are missing, as was said
    CLARITY_CHECK(upload_root(session, envelope));
    session.note("uploaded: root version {} is in force", root.version);
    return ExitCode::done;
}

}  // namespace

Command root_sign_command() {
    return {.path = "root sign",
            .summary = "add a signature to a root file; upload it once it has enough",
            .arguments = {positional("FILE", "as root init or root next wrote it"),
                          option("key", "FILE", "default: keys/root.key"),
                          flag("no-upload", "only sign")},
            .run = run};
}

}  // namespace clarity::cli
