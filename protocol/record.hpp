#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/roster.hpp"

namespace clarity {

enum class ServiceState { waiting, downloading, starting, running, stopped, failed };
enum class Health { unknown, healthy, unhealthy };

[[nodiscard]] std::string_view name_of(ServiceState state);
[[nodiscard]] std::string_view name_of(Health health);

/// What a node says of one of its services.
struct ServiceStatus {
    std::string name;
    std::string version;  ///< installed; empty = none yet
    ServiceState state = ServiceState::waiting;
    Health health = Health::unknown;
    std::int64_t since_unix_ms = 0;  ///< of `state`
    std::uint64_t plan_seq = 0;      ///< the plan this service was last brought to
    std::uint32_t restarts = 0;
    std::string detail;  ///< one line for people: why it failed, what it waits for
    std::vector<std::string> drift;
};

/// Of the bytes that a node pulled from an origin, those that were not a first pull.
struct WanParts {
    std::uint64_t resumed = 0;    ///< by a fetch that went on after an interruption
    std::uint64_t duplicate = 0;  ///< the site had them already, or they had to be thrown away
    std::uint64_t repaired = 0;   ///< came wrong, or mend a copy that had been whole
    /// Of so many bytes pulled, what no other reason accounts for.
    [[nodiscard]] std::uint64_t first(std::uint64_t wan_bytes) const {
        const auto rest = resumed + duplicate + repaired;
        return wan_bytes - (rest < wan_bytes ? rest : wan_bytes);
    }
    bool operator==(const WanParts&) const = default;
};

/// What a node holds of one artifact, and what moving it cost.
struct Holding {
    Digest sha256;
    std::string artifact;
    std::string version;
    std::uint64_t size_bytes = 0;
    std::uint32_t pieces = 0;
    std::uint32_t pieces_have = 0;
    bool complete = false;        ///< all pieces here and the whole file's SHA-256 checked
    std::uint64_t wan_bytes = 0;  ///< pulled by this node from the origin
    std::uint64_t lan_bytes = 0;  ///< received by this node from peers
    std::string error;            ///< last thing that went wrong: artifact, piece, repository
    std::optional<WanParts> wan_parts = {};  ///< of wan_bytes; absent = all of it was a first pull
};

/// "I fetch this artifact from its origin for the site."
struct FetchClaim {
    Digest sha256;
    std::int64_t since_unix_ms = 0;
    std::uint32_t pieces_fetched = 0;
    std::uint64_t rate_bytes_s = 0;
};

/// "I want this artifact but do not fetch it from its origin: let the next in rank."
struct FetchPass {
    Digest sha256;
    std::string reason;              ///< for people: "its WAN is paused by an operator"
    bool willing = false;            ///< would fetch all the same when nobody else does
    std::int64_t until_unix_ms = 0;  ///< 0 = not known
};

/// How a node stands to its WAN. Absent in a record = no limits, and nothing measured yet.
struct WanReport {
    std::string state = "open";      ///< open | paused | closed (out of hours) | spent (budget)
    std::int64_t until_unix_ms = 0;  ///< of a state that is not open; 0 = until somebody acts
    std::uint64_t spent_bytes = 0;   ///< since local midnight
    std::uint64_t budget_bytes = 0;  ///< a day; 0 = none
    std::uint64_t rate_bytes_s = 0;  ///< best over ten seconds of one pull; 0 = not measured
    bool operator==(const WanReport&) const = default;
};

/// A document this node refused, so that status shows it.
struct Refusal {
    std::string document;  ///< "plan", "roster", "manifest"
    std::string digest;
    std::uint64_t seq = 0;
    std::string code;  ///< name_of(Errc)
    std::string message;
    std::int64_t at_unix_ms = 0;
};

/// Orders one owner's records.
struct RecordVersion {
    std::uint64_t incarnation = 0;
    std::uint64_t seq = 0;
    auto operator<=>(const RecordVersion&) const = default;
};

/// Where a server is reached now, in its own words. Empty = it does not say, the roster does.
struct Endpoints {
    std::string mesh;   ///< "tcp://10.0.0.1:8472"
    std::string swarm;  ///< "10.0.0.1:8473"
    auto operator<=>(const Endpoints&) const = default;
};

/// What a node is and does, signed by itself (identity key), on change only.
struct Record {
    std::string site;
    std::string server_id;
    RecordVersion version;
    std::string agent_version;
    std::int64_t started_unix_ms = 0;
    std::int64_t updated_unix_ms = 0;
    std::uint64_t roster_epoch = 0;
    std::uint64_t plan_seq = 0;  ///< highest accepted
    Digest plan_digest;
    bool reaches_coordinator = false;
    bool plan_settled = false;  ///< every service is where plan_seq wants it, or has failed
    bool plan_failed = false;
    std::vector<ServiceStatus> services;
    std::vector<Holding> holdings;
    std::vector<FetchClaim> claims;
    std::vector<Refusal> refusals;
    std::vector<std::string> notices;  ///< lines for an operator: "no Docker engine on this host"
    Endpoints endpoints;               ///< absent in records of older versions
    /// Marks (protocol/artifact_marks.hpp) of whole copies in the cache beside the holdings.
    std::vector<std::uint64_t> kept = {};
    std::vector<std::uint64_t> pinned = {};  ///< marks of what this server needs, here or not
    std::vector<FetchPass> passes = {};
    std::optional<WanReport> wan = {};

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Record> decode(std::string_view payload);
};

inline constexpr std::size_t record_max_bytes = 60U << 10;

/// The part of a record that every version writes and reads alike, whatever stands beside it: what
/// a node checks before it keeps and passes on a record that it may be too old to read.
struct RecordHead {
    std::string site;
    std::string server_id;
    RecordVersion version;

    [[nodiscard]] static Result<RecordHead> decode(std::string_view payload);
};

/// The envelope's head, once it is known to be its owner's: signed by the key that the roster gives
/// the server that it names, for this site. The rest of the record need not be readable.
[[nodiscard]] Result<RecordHead> verify_record_head(const Roster& roster, const Envelope& envelope);

/// Where the record says that its owner is, as far as this version can read that; what is no
/// endpoint counts as not said.
[[nodiscard]] Endpoints endpoints_of(std::string_view payload);

/// The envelope's record, once it is known to be its owner's: signed by the key that the roster
/// gives the server that it names, for this site.
[[nodiscard]] Result<Record> verify_record(const Roster& roster, const Envelope& envelope);

}  // namespace clarity
