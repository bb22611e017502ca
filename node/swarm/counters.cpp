#include "node/swarm/counters.hpp"

#include "protocol/json.hpp"
#include "storage/files.hpp"

namespace clarity::swarm {

namespace {
constexpr std::size_t file_max_bytes = 16U << 20;
}

Result<void> save_counts(const std::string& path, const CountsByArtifact& counts) {
    Json artifacts = Json::object();
    for (const auto& [sha256, count] : counts) {
        artifacts[sha256.hex()] = {{"wan_bytes", count.wan_bytes}, {"lan_bytes", count.lan_bytes}};
    }
    return write_file_atomic(path, to_text(Json{{"version", 1}, {"artifacts", artifacts}}), 0600);
}

Result<CountsByArtifact> load_counts(const std::string& path) {
    if (!file_exists(path)) return CountsByArtifact{};
    CLARITY_TRY(const auto text, read_file(path, file_max_bytes));
    CLARITY_TRY(const auto json, parse_json(text));
    CLARITY_TRY(const auto artifacts, json_get<Json>(json, "artifacts"));
    CountsByArtifact out;
    for (const auto& [name, each] : artifacts.items()) {
        CLARITY_TRY(const auto sha256, Digest::from_hex(name));
        out[sha256] = {json_or<std::uint64_t>(each, "wan_bytes", 0),
                       json_or<std::uint64_t>(each, "lan_bytes", 0)};
    }
    return out;
}

}  // namespace clarity::swarm
