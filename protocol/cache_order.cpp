#include "protocol/cache_order.hpp"

#include "protocol/json.hpp"

namespace clarity {
namespace {

constexpr std::size_t order_max_bytes = 64U << 10;

}  // namespace

std::string CacheOrder::encode() const {
    Json out{{"artifact", artifact}, {"version", version}, {"dry_run", dry_run}};
    if (!sha256.is_zero()) out["sha256"] = sha256.hex();
    if (!manifest.is_zero()) {
        out["manifest"] = manifest.hex();
        out["candidates"] = candidates;
        out["repositories"] = to_base64(repositories);
        out["until"] = until_unix_s;
    }
    return to_text(out);
}

Result<CacheOrder> CacheOrder::decode(std::string_view text) {
    CLARITY_TRY(const auto json, parse_json(text, order_max_bytes));
    CacheOrder out;
    CLARITY_TRY(out.artifact, json_get<std::string>(json, "artifact"));
    CLARITY_TRY(out.version, json_get<std::string>(json, "version"));
    out.dry_run = json_or(json, "dry_run", false);
    const auto digest = json_or<std::string>(json, "sha256", "");
    if (!digest.empty()) {
        CLARITY_TRY(out.sha256, Digest::from_hex(digest));
    }
    const auto manifest = json_or<std::string>(json, "manifest", "");
    if (manifest.empty()) return out;
    CLARITY_TRY(out.manifest, Digest::from_hex(manifest));
    out.candidates = json_or(json, "candidates", std::vector<std::string>{});
    CLARITY_TRY(out.repositories, from_base64(json_or<std::string>(json, "repositories", "")));
    out.until_unix_s = json_or<std::int64_t>(json, "until", 0);
    return out;
}

bool cache_order::is_action(std::string_view action) {
    return action == pin || action == unpin || action == gc || action == prefetch ||
           action == verify;
}

}  // namespace clarity
