#include "cli/artifact_store.hpp"

#include <algorithm>

#include "cli/session.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {

Result<StoreOptions> store_options(const Arguments& arguments) {
    StoreOptions out;
    const auto form = arguments.text_or("store", "plain");
    if (form != "plain" && form != "zstd") {
        return fail(Errc::invalid, "--store {}: plain or zstd", form);
    }
    out.zstd = form == "zstd";
    if (!out.zstd && (arguments.has("output") || arguments.has("level"))) {
        return fail(Errc::invalid, "--output and --level go with --store zstd");
    }
    if (out.zstd && !arguments.has("FILE")) {
        return fail(Errc::invalid,
                    "--store zstd needs the artifact's FILE: what it writes has to "
                    "be put into the repository");
    }
    const auto level = arguments.number_or("level", 12);
    if (level < 1 || level > 19) return fail(Errc::invalid, "--level {}: 1 to 19", level);
    out.level = static_cast<int>(level);
    out.output = arguments.text_or("output", arguments.text("FILE") + ".zst");
    if (out.zstd && out.output == arguments.text("FILE")) {
        return fail(Errc::invalid, "--output {}: that is the artifact itself", out.output);
    }
    const auto average = arguments.number_or("chunk-average", 0);
    if (average > 64U << 20)
        return fail(Errc::invalid, "--chunk-average {}: at most 64 MiB", average);
    out.chunk_average_bytes = static_cast<std::uint32_t>(average);
    return out;
}

EarlierVersions earlier_versions(const Api& api, const std::string& artifact) {
    constexpr std::size_t versions_max = 4;
    EarlierVersions out;
    const auto list = api.get("/api/v1/manifests?artifact=" + url_encode(artifact));
    if (!list || !list->is_array()) return out;
    std::vector<std::pair<std::int64_t, std::string>> newest;
    for (const auto& each : *list) {
        newest.emplace_back(json_or<std::int64_t>(each, "created_unix_s", 0),
                            json_or<std::string>(each, "digest", ""));
    }
    std::sort(newest.rbegin(), newest.rend());
    newest.resize(std::min(newest.size(), versions_max));
    for (const auto& [created, digest] : newest) {
        const auto answer = api.get("/api/v1/manifests/" + url_encode(digest));
        if (!answer) continue;
        const auto envelope = envelope_from(*answer);
        if (!envelope) continue;
        const auto manifest = Manifest::decode(envelope->payload);
        const auto chunks = manifest ? chunks_of(*manifest) : std::vector<Chunk>{};
        if (!chunks || chunks->empty()) continue;
        if (out.chunk_average_bytes == 0) out.chunk_average_bytes = manifest->chunk_average_bytes;
        for (const auto& chunk : *chunks) out.chunks.insert(chunk.hash);
    }
    return out;
}

}  // namespace clarity::cli
