#include <ctime>

#include "cli/commands.hpp"
#include "cli/root_keys.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

/// The keys of the root role: those given, or this person's own.
Result<std::vector<RoleKey>> root_keys(Session& session, const Arguments& arguments) {
    std::vector<RoleKey> keys;
    for (const auto& text : arguments.list("key")) {
        CLARITY_TRY(auto key, role_key_from(session, text, "the root key " + text));
        for (const auto& other : keys) {
            if (other.public_key == key.public_key) {
                return fail(Errc::invalid, "--key {}: this key is given twice", text);
            }
        }
        keys.push_back(std::move(key));
    }
    if (keys.empty()) {
        CLARITY_TRY(auto key, own_key(session, session.store().key_path("root"), "the root key"));
        keys.push_back(std::move(key));
    }
    return keys;
}

Result<Root> make_root(Session& session, const Arguments& arguments,
                       const std::vector<RoleKey>& keys, const PublicKey& coordinator) {
    Role root_role;
    for (const auto& key : keys) root_role.keys.push_back(key.public_key);
    const auto threshold = arguments.number_or("threshold", 1);
    if (threshold < 1 || threshold > keys.size()) {
        return fail(Errc::invalid,
                    "--threshold {} needs between 1 and {} (one --key for each "
                    "holder)",
                    threshold, keys.size());
    }
    root_role.threshold = static_cast<std::uint32_t>(threshold);
    const auto what = std::string("the publisher's key");
    auto publisher = arguments.has("publisher")
                         ? role_key_from(session, arguments.text("publisher"), what)
                         : own_key(session, session.store().key_path("publisher"), what);
    if (!publisher) return tl::unexpected<Error>(std::move(publisher).error());
    Root root;
    root.version = 1;
    if (arguments.has("expires")) {
        root.expires_unix_s = std::time(nullptr) + arguments.seconds_or("expires", 0);
    }
    root.roles[role::root] = std::move(root_role);
    root.roles[role::coordinator] = Role{{coordinator}, 1};
    root.roles[role::artifact] = Role{{publisher->public_key}, 1};
    return root;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto info, api.get("/api/v1/info"));
    if (const auto version = json_or<std::uint64_t>(info, "root_version", 0); version > 0) {
        return fail(Errc::exists, "{} has a root already (version {}): see clarity root show",
                    api.url(), version);
    }
    CLARITY_TRY(const auto hex, json_get<std::string>(info, "coordinator_key"));
    CLARITY_TRY(const auto coordinator, PublicKey::from_hex(hex));
    CLARITY_TRY(const auto keys, root_keys(session, arguments));
    CLARITY_TRY(const auto root, make_root(session, arguments, keys, coordinator));
    auto envelope = Envelope::make(payload_type::root, root.encode());
    for (const auto& key : keys) {
        if (key.secret) envelope.sign(*key.secret);
    }
    const auto threshold = root.find(role::root)->threshold;
    const auto signatures = signatures_of(root, envelope);
    const auto json = root_json(root, envelope.digest());
    if (arguments.has("out") || signatures < threshold) {
        const auto path = arguments.text_or("out", "root-v1.json");
        CLARITY_CHECK(write_root_file(path, envelope));
        session.note("wrote {}", path);
        if (signatures < threshold) {
            session.note("{} of {} signatures: the other holders run clarity root sign {}",
                         signatures, threshold, path);
            session.emit(json, [&] { return root_text(json); });
            return ExitCode::done;
        }
    }
    CLARITY_CHECK(verify_first_root(envelope));
    CLARITY_CHECK(upload_root(session, envelope));
    session.note("{} works under this root now; keep {} safe and offline", api.url(),
                 session.store().folder() + "/keys");
    session.emit(json, [&] { return root_text(json); });
    return ExitCode::done;
}

}  // namespace

Command root_init_command() {
    return {
        .path = "root init",
        .summary = "make the first root of trust and the publisher's key",
        .arguments = {list_option(
                          "key", "KEY",
                          "key file or public key of a holder, repeated; default: make one"),
                      option("threshold", "K", "signatures that a root needs; default 1",
                             Argument::Check::number),
                      option("publisher", "KEY", "key that signs manifests; default: make one"),
                      option("expires", "DURATION", "default: never", Argument::Check::duration),
                      option("out", "FILE", "also write the signed root here")},
        .run = run,
        .details =
            "Keys go to keys/ in the configuration folder, 0600, under a passphrase where one\n"
            "is given (asked for, CLARITY_PASSPHRASE, --passphrase-file). With too few secret\n"
            "keys at hand for the threshold it writes root-v1.json for the other holders."};
}

}  // namespace clarity::cli
