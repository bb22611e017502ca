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
        artifacts[sha256.hex()] = {{"wan_bytes", count.wan_bytes},
                                   {"lan_bytes", count.lan_bytes},
                                   {"wan_resumed", count.wan_parts.resumed},
                                   {"wan_duplicate", count.wan_parts.duplicate},
                                   {"wan_repaired", count.wan_parts.repaired},
                                   {"whole", count.whole}};
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
        const auto bytes = [&](const char* key) { return json_or<std::uint64_t>(each, key, 0); };
        out[sha256] = {bytes("wan_bytes"),
                       bytes("lan_bytes"),
                       {bytes("wan_resumed"), bytes("wan_duplicate"), bytes("wan_repaired")},
                       json_or(each, "whole", false)};
    }
    return out;
}

}  // namespace clarity::swarm
