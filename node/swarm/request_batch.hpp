#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clarity::swarm {

/// Holds back block requests to one peer so that several leave together. Alone, each would be a TLS
/// record, a packet and a wake-up of the peer, as much work as the 16 KiB that it asks for.
///
/// Nothing waits while few blocks are on their way: the peer must never run dry for our saving.
///
/// Pure; one thread. What add() and answered() return is to be sent at once; on_second() likewise.
class RequestBatch {
  public:
    struct Request {
        std::uint32_t piece = 0;
        std::uint32_t start = 0;
        std::uint32_t length = 0;
    };

    static constexpr std::size_t batch = 8;             ///< requests that leave together
    static constexpr std::uint32_t under_way_min = 24;  ///< fewer on their way: at once

    /// BitTorrent REQUEST messages, one behind the other; empty = nothing to send now.
    [[nodiscard]] std::string add(Request request);
    /// The peer sent a block or refused one.
    [[nodiscard]] std::string answered();
    /// Once a second: nothing is held back for longer, and requests that were never answered do
    /// not count for ever.
    [[nodiscard]] std::string on_second();

  private:
    std::vector<Request> waiting_;
    std::uint32_t under_way_ = 0;
    bool answered_ = false;  ///< since on_second()

    [[nodiscard]] std::string take();
};

}  // namespace clarity::swarm
