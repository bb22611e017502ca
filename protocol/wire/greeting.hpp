#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

namespace clarity::wire {

/// What both ends of a connection say before anything else: of which site they are, and which
/// versions of the protocol they speak. CURVE has proved the key by then; this keeps two sites
/// apart that share an address or a copied identity.
struct Greeting {
    static constexpr std::size_t frame_max_bytes = 512;
    static constexpr std::size_t site_max_bytes = 200;
    static constexpr std::size_t server_max_bytes = 64;

    std::string site;    ///< empty = this end greets nobody
    std::string server;  ///< server id; for people: the key is what proves it
    std::uint32_t version_min = 1;
    std::uint32_t version_max = 1;

    bool operator==(const Greeting&) const = default;

    /// The frame: query::Channel::greeting, then a map.
    [[nodiscard]] Bytes encode() const;
    /// Refuses what is over the sizes above, an empty range of versions, and control characters
    /// (the text goes into logs).
    [[nodiscard]] static Result<Greeting> decode(std::string_view frame);
    [[nodiscard]] static bool is(std::string_view frame);
};

/// Why two ends must not talk, as the end of a sentence about `theirs`; nothing when they may.
[[nodiscard]] std::optional<std::string> disagreement(const Greeting& ours, const Greeting& theirs);

}  // namespace clarity::wire
