#include "protocol/join_token.hpp"

namespace clarity {
namespace {
constexpr char format_version = 1;
constexpr std::size_t id_bytes = 16;
constexpr std::size_t secret_bytes = 32;
constexpr std::size_t total_bytes = 1 + id_bytes + secret_bytes + 2 * Digest::size_bytes;
}  // namespace

std::string JoinToken::encode() const {
    Bytes raw(1, format_version);
    raw += id;
    raw += secret;
    raw += ca_fingerprint.view();
    raw += root_digest.view();
    return to_base64url(raw);
}

Result<JoinToken> JoinToken::decode(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    const auto raw = from_base64url(text.substr(0, 4 * total_bytes));
    if (!raw || raw->size() != total_bytes || raw->front() != format_version) {
        return fail(Errc::invalid,
                    "not a join token; make one with \"clarity token create\" and copy all of it");
    }
    const std::string_view all = *raw;
    JoinToken out;
    out.id = all.substr(1, id_bytes);
    out.secret = all.substr(1 + id_bytes, secret_bytes);
    CLARITY_TRY(out.ca_fingerprint, Digest::from(all.substr(1 + id_bytes + secret_bytes, 32)));
    CLARITY_TRY(out.root_digest, Digest::from(all.substr(1 + id_bytes + secret_bytes + 32)));
    return out;
}

}  // namespace clarity
