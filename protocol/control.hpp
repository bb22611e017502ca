#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/record.hpp"

/// What an uplink (node, DEALER) and the coordinator (ROUTER) say to each other, one msgpack map a
/// frame. Who sent a frame is the transport's knowledge (CURVE key → server id), never its text.
/// Pure; every decoder is capped and total.
namespace clarity::control {

/// Most of one frame on the wire: ZMQ_MAXMSGSIZE of both ends.
inline constexpr std::size_t frame_max_bytes = 256U << 10;
/// Document bytes in one Body.
inline constexpr std::size_t chunk_bytes = 128U << 10;
/// Most of one document, as in the codec.
inline constexpr std::size_t document_max = 16U << 20;
inline constexpr std::size_t ads_max = 1024;
/// Records asked for in one Ack, servers in Report::stale.
inline constexpr std::size_t wanted_max = 256;
inline constexpr std::size_t stale_max = 64;

/// A document that can be had: named by its envelope's digest.
struct Ad {
    std::string kind;  ///< "root" | "roster" | "plan" | "manifest" | "beacon" | "command"
    std::string key;   ///< what it is the newest of: site, "artifact@version", nonce
    std::uint64_t version = 0;
    Digest digest;
    std::uint64_t size_bytes = 0;
};

/// node → coordinator, first on every connection, and again when one of its numbers changes.
struct Hello {
    std::string site;
    std::string server_id;
    std::uint64_t roster_epoch = 0;
    std::uint64_t plan_seq = 0;
    std::uint64_t root_version = 0;
    std::string agent_version;
};

/// What the reporting node knows of one server of its site.
struct View {
    std::string server_id;
    std::string state;         ///< alive | suspect | dead | left | unknown
    std::int64_t age_ms = -1;  ///< since `witness` heard of it; -1 = never
    std::string witness;       ///< server id
    RecordVersion version;     ///< of the record that the reporter holds; zero = none
    Bytes record;              ///< signed envelope; empty = not sent with this
};

/// node → coordinator: what changed in the reporter's view of its site, and how fresh the rest is.
/// One is under way at a time: the next one waits for the Ack. The primary uplink reports every
/// change; a standby says only its digest, until it is asked for what differs.
struct Report {
    std::uint64_t seq = 0;  ///< rises by one on a connection
    bool is_primary = false;
    std::uint64_t digest = 0;  ///< ViewTable::digest() of the whole view, these changes included
    /// When the report was made, by the coordinator's own clock: the time of its last Ack and what
    /// went by since. 0 = no Ack yet.
    std::int64_t at_ms = 0;
    /// Of every alive server that is not named here somebody heard at most so long ago. -1 = more
    /// reports follow at once: nothing is said of the rest, and the digests are not compared.
    std::int64_t fresh_ms = -1;
    std::vector<std::string> stale;  ///< alive servers to which fresh_ms does not apply; ≤ 64
    std::uint32_t replaced = 0;      ///< bit b: `changes` has all there is in bucket b
    std::vector<View> changes;
    std::vector<std::string> gone;  ///< servers that the view has no more
};

/// coordinator → node: answers a Report, and proves that the coordinator lives.
struct Ack {
    std::uint64_t seq = 0;   ///< the report's; 0 = unasked, to bring a beacon
    std::int64_t at_ms = 0;  ///< coordinator's clock, unix
    /// Empty when the views agree; else the buckets of the coordinator's table. The node answers
    /// with the rows of those that differ.
    std::vector<std::uint64_t> buckets;
    std::vector<std::string> wanted;  ///< servers whose newer record the coordinator lacks
    std::uint64_t offer = 0;          ///< offer_hash() of what is offered now; 0 = not said
    Bytes beacon;                     ///< a fresh one's envelope, or empty
};

/// coordinator → node: somebody looks at the site: report now.
struct Ask {
    std::uint64_t nonce = 0;
};

/// node → coordinator: `length_bytes` 0 = to its end. Answered with Body frames, or not at all
/// where the document is unknown.
struct Fetch {
    Digest digest;
    std::uint64_t offset = 0;
    std::uint64_t length_bytes = 0;
};

/// node → coordinator: how an Order ended.
struct OrderResult {
    std::string nonce;
    bool ok = false;
    std::string text;  ///< output (logs), or the error's line; at most 64 KiB
};

/// coordinator → node: all documents of the site that are current, without the beacon; after Hello
/// and on each change.
struct Offer {
    std::string site;
    std::vector<Ad> ads;
};

/// coordinator → node: bytes [offset, offset + bytes.size()) of a document of `total_bytes`.
struct Body {
    Digest digest;
    std::uint64_t offset = 0;
    std::uint64_t total_bytes = 0;
    Bytes bytes;
};

/// coordinator → node: a signed command envelope for a server of the site.
struct Order {
    Bytes envelope;
};

using Message = std::variant<Hello, Report, Fetch, OrderResult, Offer, Body, Order, Ack, Ask>;

/// One frame; compressed where that makes it shorter.
[[nodiscard]] Bytes encode(const Message& message);
/// Fails with invalid on anything that is not one whole message within the limits.
[[nodiscard]] Result<Message> decode(std::string_view frame);

/// Names a list of documents, so that a lost Offer is noticed. Never 0.
[[nodiscard]] std::uint64_t offer_hash(const std::vector<Ad>& ads);

/// The Body frames that answer `fetch` for a document.
[[nodiscard]] std::vector<Body> bodies_of(const Fetch& fetch, std::string_view document);

/// Puts a document together from Body frames that come in order (they do on one connection).
class Assembler {
  public:
    explicit Assembler(Digest digest) : digest_(digest) {}

    /// The whole document once its last byte is here. Fails with invalid on a gap, a changed total
    /// or one over document_max; start anew then. An overlap is skipped.
    [[nodiscard]] Result<std::optional<Bytes>> add(const Body& body);
    /// Where a new Fetch goes on.
    [[nodiscard]] std::uint64_t next_offset() const { return bytes_.size(); }
    [[nodiscard]] const Digest& digest() const { return digest_; }

  private:
    Digest digest_;
    std::uint64_t total_bytes_ = 0;
    Bytes bytes_;
};

}  // namespace clarity::control
