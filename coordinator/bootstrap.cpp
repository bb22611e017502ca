#include "coordinator/bootstrap.hpp"

#include <functional>

#include "protocol/sha256.hpp"
#include "protocol/x509.hpp"
#include "storage/files.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::size_t key_file_max_bytes = 64U << 10;
constexpr mode_t secret_mode = 0600;

/// The file's contents; made by `make` where it is absent.
Result<Bytes> load_or_make(const std::string& path, mode_t mode, bool& made,
                           const std::function<Result<Bytes>()>& make) {
    if (file_exists(path)) return read_file(path, key_file_max_bytes);
    CLARITY_TRY(auto contents, make());
    CLARITY_CHECK(write_file_atomic(path, contents, mode));
    made = true;
    return contents;
}

Result<SigningKey> load_key(const std::string& path, bool& made) {
    CLARITY_TRY(const auto text, load_or_make(path, secret_mode, made, [] {
                    return Result<Bytes>(encode_key_file(SigningKey::generate(), ""));
                }));
    auto key = decode_key_file(text, "");
    if (!key) return fail_within(path, std::move(key));
    return *std::move(key);
}

Result<Bytes> load_secret(const std::string& path, bool& made) {
    CLARITY_TRY(const auto text, load_or_make(path, secret_mode, made, [] {
                    return Result<Bytes>(to_base64(random_bytes(32)) + "\n");
                }));
    const auto raw = from_base64(text);
    if (!raw || raw->size() != 32) {
        return fail(Errc::invalid, "{}: not a 32-byte key; restore it from a backup", path);
    }
    return *raw;
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.pop_back();
    }
    return text;
}

}  // namespace

Result<Identity> bootstrap(const Config& config, std::int64_t now_unix_s) {
    const auto keys = config.state_dir + "/keys";
    CLARITY_CHECK(make_dirs(config.state_dir, 0700));
    CLARITY_CHECK(make_dirs(keys, 0700));
    bool made = false;
    bool first_start = false;
    CLARITY_TRY(auto signing, load_key(keys + "/coordinator.key", first_start));
    CLARITY_TRY(auto control, load_key(keys + "/control.key", made));
    CLARITY_TRY(auto ca, load_key(keys + "/ca.key", made));
    CLARITY_TRY(const auto rest, load_key(keys + "/rest.key", made));
    CLARITY_TRY(auto vault, load_secret(keys + "/vault.key", made));
    CLARITY_TRY(auto fingerprint, load_secret(keys + "/fingerprint.key", made));
    CLARITY_TRY(const auto ca_pem, load_or_make(config.state_dir + "/ca.pem", 0644, made, [&] {
                    return x509::make_ca(ca, "Clarity CA " + ca.id().hex().substr(0, 8),
                                         now_unix_s);
                }));
    const auto token_path = config.state_dir + "/admin.token";
    CLARITY_TRY(const auto token, load_or_make(token_path, secret_mode, made, [] {
                    return Result<Bytes>(to_base64url(random_bytes(32)) + "\n");
                }));
    if (trimmed(token).size() < 16) {
        return fail(Errc::invalid, "{}: too short for a token; remove it and start again",
                    token_path);
    }
    auto leaf = x509::issue_server({ca, ca_pem}, rest, certificate_hosts(config), now_unix_s);
    if (!leaf) return fail_within("REST certificate", std::move(leaf));
    CLARITY_TRY(auto rest_key_pem, x509::private_key_pem(rest));
    return Identity{std::move(signing), std::move(control),
                    std::move(ca),      ca_pem,
                    *leaf + ca_pem,     std::move(rest_key_pem),
                    std::move(vault),   std::move(fingerprint),
                    trimmed(token),     first_start};
}

Result<std::string> ca_fingerprint(const Config& config) {
    const auto path = config.state_dir + "/ca.pem";
    const auto pem = read_file(path, key_file_max_bytes);
    if (!pem && pem.error().code == Errc::not_found) {
        return fail(Errc::not_found,
                    "{}: no CA yet; it is made when orchestrix starts for the "
                    "first time",
                    path);
    }
    if (!pem) return tl::unexpected(pem.error());
    const auto digest = x509::fingerprint_sha256(*pem);
    if (!digest) return fail_within(path, Result<Digest>(digest));
    return digest->hex();
}

}  // namespace clarity::coordinator
