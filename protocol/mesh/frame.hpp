#pragma once

#include <optional>

#include "protocol/mesh/bucket_digest.hpp"
#include "protocol/mesh/outbox.hpp"
#include "protocol/mesh/roll.hpp"

namespace clarity::mesh {

inline constexpr std::uint64_t frame_version = 2;
inline constexpr std::size_t updates_max = 2048;
inline constexpr std::size_t heard_max = 64;
/// Ages of evidence travel rounded up to this, so that none gets younger on its way.
inline constexpr std::uint64_t age_unit_ms = 10;
inline constexpr std::size_t entries_max = 1024;
inline constexpr std::size_t ads_max = 256;
inline constexpr std::size_t bodies_max = 4096;
/// Above this an incarnation is a fault or an attack: it leaves room for refuting for ever.
inline constexpr std::uint64_t incarnation_max = std::uint64_t{1} << 53U;

/// What a frame is for; docs/protocol.md has the table. Numbers are never reused.
enum class FrameType : std::uint8_t {
    gossip = 0,  ///< nothing but what every frame carries
    ping = 1,    ///< answer with ack
    ack = 2,
    nack = 3,          ///< helper: no ack from your target in time
    ping_request = 4,  ///< ping `target` for me
    announce = 5,      ///< fresh record versions and document ads
    records = 6,       ///< record bodies
    record_get = 7,    ///< send me these owners' records
    digest = 8,        ///< anti-entropy 1: roots
    buckets = 9,       ///< anti-entropy 2: bucket hashes of the sets that differ
    entries = 10,      ///< anti-entropy 3 (request) and 4 (answer): entries of those buckets
    document_get = 11,
    document_part = 12,
};

/// A claim about a member (SWIM's messages); `accuser` only with `suspect`.
struct Update {
    MemberKey member = 0;
    State state = State::unknown;
    std::uint64_t incarnation = 0;
    MemberKey accuser = 0;
};

/// "`witness` had evidence of `member`'s life `age_ms` ago."
struct Heard {
    MemberKey member = 0;
    std::uint64_t age_ms = 0;
    MemberKey witness = 0;
};

/// A record somebody has.
struct Entry {
    MemberKey owner = 0;
    RecordVersion version;
    std::uint64_t hash = 0;
};

struct RecordBody {
    MemberKey owner = 0;
    RecordVersion version;
    Bytes bytes;
};

/// The sets that anti-entropy compares.
enum class Set : std::uint8_t { members = 0, records = 1, documents = 2 };
inline constexpr std::size_t set_count = 3;

/// One message. The first block travels with every type, the rest as `type` says.
struct Frame {
    FrameType type = FrameType::gossip;
    std::uint64_t site = 0;         ///< site_hash()
    std::uint64_t incarnation = 0;  ///< the sender's
    std::vector<Update> updates;
    std::vector<Heard> heard;
    std::uint32_t roll_hash = 0;  ///< decoded: of the sender's roll; 0 = it did not say

    std::uint64_t sequence = 0;      ///< ping, ack, nack, ping_request
    std::uint64_t root = 0;          ///< ping, ack: of all that the sender holds
    MemberKey target = 0;            ///< ping_request
    std::vector<Entry> entries;      ///< announce, entries
    std::vector<DocumentAd> ads;     ///< announce, buckets, entries, document_part (one)
    std::vector<RecordBody> bodies;  ///< records
    bool more = false;               ///< records: there was more than fits
    std::vector<MemberKey> owners;   ///< record_get
    std::array<std::uint64_t, set_count> roots{};             ///< digest
    std::array<std::optional<Buckets>, set_count> buckets{};  ///< buckets: those that differ
    std::array<std::uint64_t, set_count> masks{};             ///< entries: buckets listed in full
    bool request = false;                                     ///< entries: 3 or 4
    Digest digest;                                            ///< document_get, document_part
    std::uint64_t offset = 0;                                 ///< document_get, document_part
    Bytes bytes;                                              ///< document_part
};

/// Why a frame was not decoded.
enum class FrameFault { none, malformed, version };

/// With `roll`, evidence names members by their place in it, which is short but says nothing to a
/// peer of another roster; without, by their keys.
[[nodiscard]] Bytes encode_frame(Frame frame, const Roll* roll = nullptr);
/// Capped at frame_max_bytes and the limits above; never throws, whatever the bytes. Evidence that
/// names members by place in another roll than `roll` is left out.
[[nodiscard]] FrameFault decode_frame(std::string_view bytes, Frame& out,
                                      const Roll* roll = nullptr);

}  // namespace clarity::mesh
