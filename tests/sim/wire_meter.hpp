#pragma once

#include <cstdint>
#include <unordered_map>

namespace clarity::sim {

/// What frames cost on the wire. Model: each frame is sent as CURVE (35 bytes more) over TCP,
/// in segments of at most 1,448 bytes with 66 bytes of Ethernet, IPv4 and TCP header each (14 +
/// 20 + 32); the receiver's TCP acknowledges by its next frame if it sends one within 40 ms
/// (delayed ACK) and by a segment of 66 bytes otherwise. Both ends' bytes count at their sender.
class WireMeter {
  public:
    static constexpr std::uint64_t segment_header = 14 + 52;
    static constexpr std::uint64_t segment_body = 1448;
    static constexpr std::uint64_t curve = 35;
    static constexpr std::int64_t delayed_ack_ms = 40;

    void add(std::int64_t now_ms, std::uint32_t from, std::uint32_t to, std::size_t frame_bytes) {
        const auto body = frame_bytes + curve;
        ++frames_;
        payload_ += frame_bytes;
        bytes_ += body + (body + segment_body - 1) / segment_body * segment_header;
        settle(from, to, now_ms);  // this frame carries the ACK that we owe, if not too late
        auto& owed = owed_[key(to, from)];
        if (owed != 0 && owed < now_ms) bytes_ += segment_header;
        if (owed == 0 || owed < now_ms) owed = now_ms + delayed_ack_ms;
    }
    /// Of everybody since the start, ACKs that are still owed included.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_ + owed_.size() * segment_header; }
    [[nodiscard]] std::uint64_t payload() const { return payload_; }
    [[nodiscard]] std::uint64_t frames() const { return frames_; }

  private:
    std::uint64_t bytes_ = 0;
    std::uint64_t payload_ = 0;
    std::uint64_t frames_ = 0;
    std::unordered_map<std::uint64_t, std::int64_t> owed_;  // by (who owes, whom): until when

    static std::uint64_t key(std::uint32_t a, std::uint32_t b) {
        return std::uint64_t{a} << 32U | b;
    }
    void settle(std::uint32_t from, std::uint32_t to, std::int64_t now_ms) {
        const auto found = owed_.find(key(from, to));
        if (found == owed_.end()) return;
        if (found->second < now_ms) bytes_ += segment_header;
        owed_.erase(found);
    }
};

}  // namespace clarity::sim
