#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/mesh/roll.hpp"
#include "protocol/record.hpp"

/// The site's membership and shared state as a pure state machine.
///
/// Specification: SWIM (Das, Gupta, Motivala, DSN 2002), Lifeguard (Dadgar, Phillips, Currey 2017),
/// gossip with bucketed anti-entropy (Demers et al., PODC 1987), the split between eager
/// bodies and lazy announcements of Plumtree (Leitao, Pereira, Rodrigues, 2007), the monitoring
/// overlay of Rapid (Suresh et al., ATC 2018). docs/protocol.md has the frames.
///
/// Rationale: the roster says who belongs, so membership is full knowledge, nobody is discovered
/// and only liveness is gossiped. Everything a node sends per round is bounded, at any size.
namespace clarity::mesh {

/// What a member is to us. `unknown`: in the roster, never heard of since we started.
enum class State { unknown, alive, suspect, dead, left };

/// "alive", "suspect", "dead", "left" or "unknown", as status prints them.
[[nodiscard]] std::string_view name_of(State state);

/// One server of the roster. Addresses are the transport's business.
struct MemberSpec {
    std::string id;
};

/// What we know of one member, and how fresh that is.
struct MemberView {
    std::string id;
    State state = State::unknown;
    std::int64_t last_heard_ms = -1;  ///< mesh time of the freshest evidence of life; -1 = never
    std::string witness;  ///< who had that evidence: our own id = a frame from it; empty = nobody
    std::uint64_t incarnation = 0;
};

/// A document that somebody offers. `digest` names it (Envelope::digest()); `size_bytes` is that of
/// the body as it travels.
struct DocumentAd {
    std::string kind;  ///< "root", "roster", "plan", "manifest", "beacon"; at most 32 bytes
    std::string key;   ///< what it is about within the kind; at most 128 bytes
    std::uint64_t version = 0;
    Digest digest;
    std::uint64_t size_bytes = 0;
};

/// A record as it is stored and passed on: the owner's signed envelope, never re-encoded.
struct StoredRecord {
    RecordVersion version;
    Bytes bytes;
    std::uint64_t hash = 0;  ///< first 8 bytes of SHA-256(bytes): tells equal versions apart
};
using RecordPtr = std::shared_ptr<const StoredRecord>;

/// The newest verified record of each member that has one, in order of their ids. Reads the mesh:
/// valid until the next call that changes it; keep a RecordPtr to hold a record longer.
class RecordsView {
  public:
    using value_type = std::pair<const std::string&, const StoredRecord&>;
    class Iterator {
      public:
        Iterator(const RecordsView& view, std::size_t at) : view_(view), at_(at) { settle(); }
        value_type operator*() const {
            return {view_.roll_->id(static_cast<Index>(at_)), *view_.rows_[at_]};
        }
        Iterator& operator++() {
            ++at_;
            settle();
            return *this;
        }
        bool operator==(const Iterator& other) const { return at_ == other.at_; }

      private:
        const RecordsView& view_;
        std::size_t at_;
        void settle() {
            while (at_ < view_.rows_.size() && !view_.rows_[at_]) ++at_;
        }
    };

    RecordsView(const Roll& roll, std::span<const RecordPtr> rows, std::size_t count)
        : roll_(&roll), rows_(rows), count_(count) {}
    [[nodiscard]] Iterator begin() const { return {*this, 0}; }
    [[nodiscard]] Iterator end() const { return {*this, rows_.size()}; }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    /// None when that member has none.
    [[nodiscard]] RecordPtr find(std::string_view id) const {
        const auto i = roll_->find(id);
        return i ? rows_[*i] : nullptr;
    }
    [[nodiscard]] bool contains(std::string_view id) const { return find(id) != nullptr; }
    /// Throws std::out_of_range when that member has none.
    [[nodiscard]] const StoredRecord& at(std::string_view id) const {
        const auto i = roll_->find(id);
        if (!i || !rows_[*i]) throw std::out_of_range("no record of " + std::string(id));
        return *rows_[*i];
    }

  private:
    const Roll* roll_;
    std::span<const RecordPtr> rows_;
    std::size_t count_;
};

/// May `bytes` be stored as `owner`'s record of this version? Checks signature, site, owner and
/// version. Called on the mesh's thread, once per new record.
using RecordVerifier =
    std::function<bool(const std::string& owner, RecordVersion version, std::string_view bytes)>;
/// Are `bytes` the document that `ad.digest` names? Checks integrity; policy is the owner's.
using DocumentVerifier = std::function<bool(const DocumentAd& ad, std::string_view bytes)>;

/// Lets several meshes of one process hold equal records once (simulations).
using RecordSharer = std::function<RecordPtr(RecordPtr)>;

/// Everything that can be tuned. The defaults suit a LAN of 2 to 10,000 nodes.
struct Settings {
    std::string site;  ///< its hash is in every frame; frames of another site are dropped
    std::string self;  ///< our server id
    std::uint64_t seed = 1;
    RecordVerifier verify_record;      ///< none = every record is refused
    DocumentVerifier verify_document;  ///< none = every document is refused
    RecordSharer share_record;         ///< none = every mesh holds its own

    std::int64_t probe_interval_ms = 500;  ///< one active peer after the other
    std::int64_t probe_timeout_ms = 400;   ///< of the first ping; then repeated and indirect
    std::int64_t probe_repeat_ms = 150;    ///< between the direct pings after the first
    std::int64_t probe_end_ms = 1000;      ///< no answer by then: accused
    std::uint32_t indirect_probes = 3;
    std::int64_t suspicion_min_ms = 2000;    ///< of any death, whoever says so, at any N
    std::uint32_t suspicion_max_factor = 3;  ///< with a single accuser
    std::uint32_t suspicion_confirmations =
        3;  ///< independent accusers that bring it to the minimum
    std::uint32_t local_health_max = 8;
    /// Right after a start: as patient as a node that is late, until acks have come.
    std::uint32_t local_health_first = 0;

    std::uint32_t push_fanout = 3;          ///< active peers who get a fresh record's body at once
    std::int64_t push_delay_ms = 5;         ///< changes within this time share a frame
    std::int64_t gossip_interval_ms = 100;  ///< repeats of what is fresh
    std::int64_t pull_delay_ms = 30;        ///< an announced body may still be on its way
    std::int64_t pull_timeout_ms = 250;     ///< doubles every few attempts
    std::int64_t pull_timeout_max_ms = 2000;
    std::int64_t anti_entropy_ms = 1500;    ///< ± a third: between exchanges, if peers differ
    std::int64_t heal_interval_ms = 5000;   ///< ± a third: a try at one member that is not alive
    std::int64_t neighbour_wait_ms = 1000;  ///< then a silent ring neighbour's successor too
    std::int64_t boot_interval_ms = 250;    ///< tries at unknown members after a start

    std::size_t eager_record_max_bytes = 8U << 10;  ///< larger ones are announced, then pulled
    std::size_t delta_max_bytes = 64U << 10;        ///< records per frame; a document's part
    std::size_t documents_max = 4096;               ///< offered here
    std::size_t pulls_max = 4;                      ///< documents pulled at once
    std::uint32_t parts_served_max_s = 2048;        ///< document parts served per second
    std::uint64_t answers_max_bytes_s = 1U << 20;   ///< to one member, documents aside
    std::uint64_t parts_max_bytes_s = 16U << 20;    ///< of documents, to one member
};

inline constexpr std::size_t frame_max_bytes = 256U << 10;
inline constexpr std::size_t stored_record_max_bytes = 64U << 10;
inline constexpr std::size_t mesh_document_max_bytes = 16U << 20;

// ---- Effects: what the owner must do, in this order --------------------------------------------

/// Send `frame` to a member. May be dropped or fail: the mesh repairs itself.
struct Send {
    std::string to;
    Bytes frame;
};
/// A member's state changed in our eyes.
struct MemberChanged {
    std::string id;
    State state;
};
/// A newer record of another member was verified and stored (see Mesh::records()).
struct RecordReceived {
    std::string owner;
    RecordVersion version;
    RecordPtr record;
};
/// `from` offers a document neither offered here nor wanted. Repeated at most every 10 s per
/// digest while somebody still announces it, so that a refused document can be reconsidered.
struct AdSeen {
    std::string from;
    DocumentAd ad;
};
/// A wanted document is complete and its integrity checked. Call offer() to pass it on.
struct DocumentReceived {
    DocumentAd ad;
    Bytes body;
    std::string from;
};
/// Store this value durably before any later effect of this object is carried out.
struct StoreIncarnation {
    std::uint64_t value;
};
/// Peers hold a record of ours that is newer than, or differs from, the one we have (lost disk):
/// sign the record again at next_version() and call set_own_record().
struct RecordJump {};
/// Two records with the owner's signature and the same version, but other bytes. `bytes` was
/// refused and is evidence, with the one in records(); reported once per pair.
struct Equivocation {
    std::string owner;
    RecordVersion version;
    Bytes bytes;
    std::string from;
};

using Effect = std::variant<Send, MemberChanged, RecordReceived, AdSeen, DocumentReceived,
                            StoreIncarnation, RecordJump, Equivocation>;

inline constexpr std::size_t frame_type_count = 13;
/// "ping", "ack", …: the types of docs/protocol.md by their number, below frame_type_count.
[[nodiscard]] std::string_view frame_type_name(std::size_t type);

/// What was sent in frames of one type.
struct SentOfType {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
};

/// Since the start; for metrics and tests.
struct Counters {
    std::uint64_t frames_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::array<SentOfType, frame_type_count> sent_by_type{};
    std::uint64_t frames_received = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t dropped_malformed = 0;  ///< not a frame within the limits
    std::uint64_t dropped_version = 0;    ///< another protocol version
    std::uint64_t dropped_site = 0;       ///< another site's frame
    std::uint64_t dropped_stranger = 0;   ///< sender not in the roster (or we are not)
    std::uint64_t records_received = 0;   ///< newer ones of others, verified and stored
    std::uint64_t records_refused = 0;    ///< verify_record said no, or too large
    std::uint64_t equivocations = 0;
    std::uint64_t documents_refused = 0;         ///< verify_document said no
    std::uint64_t document_parts = 0;            ///< received and of use
    std::uint64_t document_parts_duplicate = 0;  ///< received though we had these bytes
    std::uint64_t exchanges = 0;                 ///< of anti-entropy, started here
    std::uint64_t answers_refused = 0;           ///< requests of a member that asked for too much
    std::uint64_t claims_doubted = 0;            ///< incarnations too far above what was known
    std::uint64_t probes = 0;
    std::uint64_t probes_failed = 0;
    std::uint64_t refutations = 0;   ///< we had to say that we are alive
    std::uint64_t local_health = 0;  ///< now: 0 = well, local_health_max = very late
};

/// Spreads membership, records and documents among the members of one site.
///
/// Sans-IO: owns no socket, thread or timer and never reads a clock. The owner passes in what
/// happened and when, carries out take_effects() in order after every call, and calls on_time() at
/// deadline(). Same inputs and seed, same outputs. Not thread-safe: one thread owns it. Times are
/// milliseconds of any clock that does not go back.
class Mesh {
  public:
    /// `first_incarnation`: above every one that this server used before (stored + 1); asked to be
    /// stored again by the first StoreIncarnation effect.
    Mesh(Settings settings, std::uint64_t first_incarnation);
    ~Mesh();
    Mesh(Mesh&&) noexcept;
    Mesh& operator=(Mesh&&) noexcept;

    /// The roster's members, ourselves included (if we are absent, the mesh falls silent). Who is
    /// gone from it is forgotten, with its record, and its frames are dropped from now on.
    void set_members(std::int64_t now_ms, const std::vector<MemberSpec>& members);
    /// As above, with the roster's part that many meshes may share.
    void set_members(std::int64_t now_ms, std::shared_ptr<const Roll> roll);

    /// A frame from a member that the transport has authenticated.
    void receive(std::int64_t now_ms, const std::string& from, std::string_view frame);
    /// A hint that a member cannot be reached: it is probed at once, never believed.
    void peer_unreachable(std::int64_t now_ms, const std::string& member);
    /// A hint that a member, not alive to us, may be reached now (a new address): it is pinged.
    void peer_found(std::int64_t now_ms, const std::string& member);
    void on_time(std::int64_t now_ms);
    /// When on_time() is due next.
    [[nodiscard]] std::int64_t deadline() const;

    /// The version to sign our next record with.
    [[nodiscard]] RecordVersion next_version() const;
    /// Our record, signed at next_version(); an older version than the stored one is ignored.
    void set_own_record(std::int64_t now_ms, RecordVersion version, Bytes signed_envelope);
    /// Newest verified record of each member, ours included.
    [[nodiscard]] RecordsView records() const;

    /// Holds a document for everybody and announces it at once. Same digest again: nothing.
    /// Over a limit (16 MiB, documents_max): ignored, and counted in documents_refused.
    void offer(std::int64_t now_ms, const DocumentAd& ad, Bytes body);
    /// As above, for bodies that the owner holds anyway.
    void offer(std::int64_t now_ms, const DocumentAd& ad, std::shared_ptr<const Bytes> body);
    /// Stops offering, and wanting, a document.
    void withdraw(const Digest& digest);
    /// Pulls a document from whoever has it, until it comes or is withdrawn.
    void want(std::int64_t now_ms, const Digest& digest);
    /// What is offered here.
    [[nodiscard]] std::vector<DocumentAd> offered() const;

    /// Every member of the roster, by id; ourselves included.
    [[nodiscard]] std::vector<MemberView> members() const;
    /// Of one member; `unknown` also for who is not in the roster.
    [[nodiscard]] State state_of(std::string_view id) const;
    /// Members that we talk to all the time, and they to us: our neighbours on the rings, at most 8
    /// while everybody answers. Keep connections to these open, others may be closed when idle.
    [[nodiscard]] std::vector<std::string> active_peers() const;
    [[nodiscard]] std::uint64_t incarnation() const;
    /// Of all that is known of members, records and documents: members that agree have the same.
    [[nodiscard]] std::uint64_t state_digest() const;
    [[nodiscard]] Counters counters() const;

    /// Says good-bye: active peers see `left` at once, the others once they have it of several.
    /// Only take_effects() makes sense afterwards.
    void leave(std::int64_t now_ms);

    /// What happened since the last call, in order.
    [[nodiscard]] std::vector<Effect> take_effects();

  private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace clarity::mesh
