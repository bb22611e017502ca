#include "node/identity.hpp"

#include "protocol/json.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::size_t file_max_bytes = 256U << 10;

std::string folder(const std::string& state_dir) {
    return state_dir + "/identity";
}
std::string key_path(const std::string& state_dir) {
    return folder(state_dir) + "/key";
}
std::string enrolment_path(const std::string& state_dir) {
    return folder(state_dir) + "/enrolment.json";
}

Result<SigningKey> load_or_make_key(const std::string& state_dir) {
    CLARITY_CHECK(make_dirs(folder(state_dir), 0700));
    const auto text = read_file(key_path(state_dir), file_max_bytes);
    if (text) {
        auto key = decode_key_file(*text, "");
        if (!key) return fail_within(key_path(state_dir), std::move(key));
        return key;
    }
    if (text.error().code != Errc::not_found) return tl::unexpected(text.error());
    const auto key = SigningKey::generate();
    CLARITY_CHECK(write_file_atomic(key_path(state_dir), encode_key_file(key, ""), 0600));
    return key;
}

}  // namespace

Result<Identity> load_identity(const std::string& state_dir) {
    CLARITY_TRY(auto key, load_or_make_key(state_dir));
    Identity out{.key = std::move(key),
                 .server_id = {},
                 .hostname = {},
                 .site = {},
                 .certificate_pem = {},
                 .ca_pem = {}};
    const std::string path = enrolment_path(state_dir);
    const auto text = read_file(path, file_max_bytes);
    if (!text) {
        if (text.error().code == Errc::not_found) return out;
        return tl::unexpected(text.error());
    }
    auto json = parse_json(*text, file_max_bytes);
    if (!json) return fail_within(path, std::move(json));
    out.server_id = json_or<std::string>(*json, "server_id", "");
    out.hostname = json_or<std::string>(*json, "hostname", "");
    out.site = json_or<std::string>(*json, "site", "");
    out.certificate_pem = json_or<std::string>(*json, "certificate_pem", "");
    out.ca_pem = json_or<std::string>(*json, "ca_pem", "");
    if (out.server_id.empty() || out.site.empty()) {
        return fail(Errc::invalid,
                    "{}: no server_id or site in it; remove the folder {} and enrol again", path,
                    folder(state_dir));
    }
    return out;
}

Result<void> store_enrolment(const std::string& state_dir, const Identity& identity) {
    const Json json{{"server_id", identity.server_id},
                    {"hostname", identity.hostname},
                    {"site", identity.site},
                    {"certificate_pem", identity.certificate_pem},
                    {"ca_pem", identity.ca_pem}};
    return write_file_atomic(enrolment_path(state_dir), to_text(json, 2) + "\n", 0600);
}

}  // namespace clarity
