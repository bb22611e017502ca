#include "cli/root_keys.hpp"

#include <set>

#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "storage/files.hpp"

namespace clarity::cli {
namespace {

std::string trimmed(std::string text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    text.erase(end == std::string::npos ? 0 : end + 1);
    return text;
}

}  // namespace

Result<RoleKey> role_key_from(Session& session, const std::string& text, const std::string& what) {
    if (text.size() == 64) {
        if (const auto key = PublicKey::from_hex(text)) return RoleKey{*key, std::nullopt};
    }
    CLARITY_TRY(const auto contents, read_local(text, 4096));
    if (const auto key = PublicKey::from_hex(trimmed(contents))) {
        return RoleKey{*key, std::nullopt};
    }
    CLARITY_TRY(const auto key, session.open_key(text, what));
    return RoleKey{key.public_key(), key};
}

Result<RoleKey> own_key(Session& session, const std::string& path, const std::string& what) {
    if (ConfigStore::exists(path)) return role_key_from(session, path, what);
    CLARITY_TRY(const auto passphrase, session.new_passphrase(what));
    const auto key = SigningKey::generate();
    CLARITY_CHECK(ConfigStore::write_key(path, key, passphrase));
    session.note("made {} in {}{}", what, path, passphrase.empty() ? ", without a passphrase" : "");
    return RoleKey{key.public_key(), key};
}

Result<Envelope> read_root_file(const std::string& path) {
    CLARITY_TRY(const auto text, read_local(path, 1U << 20));
    const auto json = parse_json(text, 1U << 20);
    const auto encoded = json ? json_get<std::string>(*json, "envelope")
                              : Result<std::string>(tl::unexpected<Error>(json.error()));
    if (!encoded) {
        return fail(Errc::invalid, "{}: not a root file as clarity root init writes it: {}", path,
                    encoded.error().message);
    }
    CLARITY_TRY(const auto bytes, from_base64(*encoded));
    return Envelope::decode(bytes);
}

Result<void> write_root_file(const std::string& path, const Envelope& envelope) {
    const Json json{{"envelope", to_base64(envelope.encode())}};
    return write_file_atomic(path, to_text(json, 2) + "\n", 0644);
}

std::size_t signatures_of(const Root& root, const Envelope& envelope) {
    const auto* role = root.find(role::root);
    if (role == nullptr) return 0;
    std::set<KeyId> ids;
    for (const auto& key : role->keys) ids.insert(key_id_of(key));
    std::set<KeyId> signers;
    for (const auto& each : envelope.signatures) {
        if (ids.contains(each.key_id)) signers.insert(each.key_id);
    }
    return signers.size();
}

std::string signatures_text(const Root* before, const Root& root, const Envelope& envelope) {
    const auto count = [&](const Root& by) {
        const auto* role = by.find(role::root);
        return fmt::format("{} of {}", signatures_of(by, envelope),
                           role == nullptr ? 1 : role->threshold);
    };
    if (before == nullptr) return count(root) + " signatures";
    return fmt::format("{} signatures by version {}'s keys, {} by its own", count(*before),
                       before->version, count(root));
}

Result<void> upload_root(Session& session, const Envelope& envelope) {
    CLARITY_TRY(const auto api, session.api());
    const auto bytes = envelope.encode();
    CLARITY_CHECK(api.put("/api/v1/root", Json{{"envelope", to_base64(bytes)}}));
    CLARITY_TRY(auto context, session.store().context());
    context.root = bytes;
    return session.store().save(context);
}

Json root_json(const Root& root, const Digest& digest) {
    Json roles = Json::object();
    for (const auto& [name, role] : root.roles) {
        Json keys = Json::array();
        for (const auto& key : role.keys) keys.push_back(key.hex());
        roles[name] = Json{{"threshold", role.threshold}, {"keys", std::move(keys)}};
    }
    return Json{{"version", root.version},
                {"digest", digest.hex()},
                {"expires_at",
                 root.expires_unix_s == 0 ? Json(nullptr) : Json(format_time(root.expires_unix_s))},
                {"roles", std::move(roles)}};
}

std::string root_text(const Json& json) {
    auto text = fmt::format("root version {}  digest {}  expires {}\n\n",
                            json_or<std::uint64_t>(json, "version", 0),
                            json_or<std::string>(json, "digest", ""),
                            json_or<std::string>(json, "expires_at", "never"));
    Table table({{"ROLE"}, {"THRESHOLD", Align::right}, {"PUBLIC KEY"}});
    for (const auto& [name, role] : json.at("roles").items()) {
        const auto keys = json_or<Json>(role, "keys", Json::array());
        const auto threshold =
            fmt::format("{} of {}", json_or<unsigned>(role, "threshold", 0), keys.size());
        for (const auto& key : keys) table.add({name, threshold, key.get<std::string>()});
    }
    return text + table.text();
}

}  // namespace clarity::cli
