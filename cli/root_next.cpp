#include <algorithm>
#include <ctime>

#include "cli/commands.hpp"
#include "cli/root_keys.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

struct Assignment {
    std::string role;
    std::string value;
};

Result<Assignment> assignment(const char* option, const std::string& text) {
    const auto equals = text.find('=');
    const auto role = text.substr(0, equals);
    const bool known = role == role::root || role == role::coordinator || role == role::artifact ||
                       role == role::approver;
    if (!known || equals == std::string::npos || equals + 1 == text.size()) {
        return fail(Errc::invalid,
                    "{} {}: write ROLE=VALUE with ROLE one of root, coordinator, "
                    "artifact, approver",
                    option, text);
    }
    return Assignment{role, text.substr(equals + 1)};
}

Result<void> add_key(Root& root, const std::string& role, const PublicKey& key) {
    auto& keys = root.roles[role].keys;
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) {
        return fail(Errc::exists, "role {} has the key {} already", role, key.hex());
    }
    keys.push_back(key);
    return {};
}

/// Takes the one key out that `text` means: its hex digits, the first eight or more of them, or a
/// file.
Result<void> remove_key(Session& session, Root& root, const Assignment& what) {
    auto& keys = root.roles[what.role].keys;
    constexpr std::size_t prefix_min = 8;
    const bool hex = what.value.size() >= prefix_min &&
                     what.value.find_first_not_of("0123456789abcdef") == std::string::npos;
    std::string prefix = what.value;
    if (!hex) {
        CLARITY_TRY(const auto key, role_key_from(session, what.value, "the key to remove"));
        prefix = key.public_key.hex();
    }
    const auto fits = [&](const PublicKey& key) { return key.hex().starts_with(prefix); };
    if (std::count_if(keys.begin(), keys.end(), fits) != 1) {
        return fail(Errc::not_found,
                    "--remove {}={}: role {} has no key, or several, that begin "
                    "so; see clarity root show",
                    what.role, what.value, what.role);
    }
    std::erase_if(keys, fits);
    return {};
}

Result<void> set_threshold(Root& root, const Assignment& what) {
    const bool digits =
        what.value.size() <= 4 && what.value.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
        return fail(Errc::invalid, "--threshold {}={}: not a number", what.role, what.value);
    }
    root.roles[what.role].threshold = static_cast<std::uint32_t>(std::stoul(what.value));
    return {};
}

/// The next root as the arguments change the current one. New secret keys, which may sign it, go
/// to `signers`.
Result<Root> changed(Session& session, const Arguments& arguments, const Root& current,
                     std::vector<SigningKey>& signers) {
    Root next = current;
    ++next.version;
    if (arguments.text("expires") == "never") {
        next.expires_unix_s = 0;
    } else if (arguments.has("expires")) {
        CLARITY_TRY(const auto seconds, parse_duration(arguments.text("expires")));
        next.expires_unix_s = std::time(nullptr) + seconds;
    }
    for (const auto& text : arguments.list("remove")) {
        CLARITY_TRY(const auto what, assignment("--remove", text));
        CLARITY_CHECK(remove_key(session, next, what));
    }
    for (const auto& text : arguments.list("add")) {
        CLARITY_TRY(const auto what, assignment("--add", text));
        CLARITY_TRY(const auto key, role_key_from(session, what.value, "the key " + what.value));
        CLARITY_CHECK(add_key(next, what.role, key.public_key));
        if (key.secret && what.role == role::root) signers.push_back(*key.secret);
    }
    for (const auto& text : arguments.list("threshold")) {
        CLARITY_TRY(const auto what, assignment("--threshold", text));
        CLARITY_CHECK(set_threshold(next, what));
    }
    for (const auto& text : arguments.list("new")) {
        CLARITY_TRY(const auto what, assignment("--new", text));
        if (ConfigStore::exists(what.value)) {
            return fail(Errc::exists, "--new {}: there is a file already; use it with --add", text);
        }
        CLARITY_TRY(const auto key, own_key(session, what.value, "the new " + what.role + " key"));
        CLARITY_CHECK(add_key(next, what.role, key.public_key));
        if (what.role == role::root) signers.push_back(*key.secret);
    }
    std::erase_if(next.roles, [](const auto& each) {
        return each.first == role::approver && each.second.keys.empty();
    });
    CLARITY_CHECK(Root::decode(next.encode()));  // thresholds that its keys can reach
    return next;
}

Result<void> sign(Session& session, const Arguments& arguments, Envelope& envelope,
                  const std::vector<SigningKey>& more) {
    auto paths = arguments.list("key");
    const auto own = session.store().key_path("root");
    if (paths.empty() && ConfigStore::exists(own)) paths.push_back(own);
    for (const auto& path : paths) {
        CLARITY_TRY(const auto key, session.open_key(path, "the root key " + path));
        envelope.sign(key);
    }
    for (const auto& key : more) envelope.sign(key);
    return {};
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto current, session.root());
    std::vector<SigningKey> signers;
    CLARITY_TRY(const auto next, changed(session, arguments, current, signers));
    auto envelope = Envelope::make(payload_type::root, next.encode());
    CLARITY_CHECK(sign(session, arguments, envelope, signers));
    const auto json = root_json(next, envelope.digest());
    const bool complete = verify_next_root(current, envelope).has_value();
    if (arguments.has("out") || !complete) {
        const auto path = arguments.text_or("out", fmt::format("root-v{}.json", next.version));
        CLARITY_CHECK(write_root_file(path, envelope));
        session.note("wrote {}", path);
        if (!complete) {
            session.note("{}; the other holders run clarity root sign {}",
                         signatures_text(&current, next, envelope), path);
            session.emit(json, [&] { return root_text(json); });
            return ExitCode::done;
        }
    }
    for (std::string text = root_text(json); !text.empty();) {
        const auto end = text.find('\n');
        session.note("{}", text.substr(0, end));
        text.erase(0, end + 1);
    }
    CLARITY_CHECK(session.confirm(fmt::format("Put root version {} in force?", next.version)));
    CLARITY_CHECK(upload_root(session, envelope));
    session.note("root version {} is in force; servers learn it within seconds", next.version);
    session.emit(json, [&] { return fmt::format("{}\n", next.version); });
    return ExitCode::done;
}

}  // namespace

Command root_next_command() {
    return {
        .path = "root next",
        .summary = "make the next root: other keys, thresholds or expiry",
        .arguments =
            {list_option("add", "ROLE=KEY",
                         "key file or public key; ROLE: root, coordinator, artifact, approver"),
             list_option("new", "ROLE=FILE", "make a key in that file and add it"),
             list_option("remove", "ROLE=KEY", "as root show prints it, or its first digits"),
             list_option("threshold", "ROLE=K", "signatures that the role needs"),
             option("expires", "DURATION", "from now, or never; default: as it is"),
             list_option("key", "FILE", "root key to sign with, repeated; default: keys/root.key"),
             option("out", "FILE", "write it here; default: root-vN.json if signatures lack")},
        .run = run,
        .details =
            "The next root is signed by enough root keys of the present one and by enough of\n"
            "its own. With too few secret keys at hand it writes a file for clarity root\n"
            "sign. To rotate a key: --new root=FILE --remove root=OLD --key OLDFILE. Keep a\n"
            "publisher's key listed while versions that it signed are deployed: servers that\n"
            "join later check their signatures too."};
}

}  // namespace clarity::cli
