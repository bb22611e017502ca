#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/json.hpp"

namespace clarity::cli {

struct ServerProgress {
    std::string hostname;
    std::string state;  ///< the mesh's: alive, suspect, dead, …
    bool settled = false;
    bool failed = false;
    std::size_t services = 0;
    std::size_t up = 0;
    std::string doing;  ///< "starting smsgateway", "failed kamailio: port 5060 is in use"

    bool operator==(const ServerProgress&) const = default;
};

struct ArtifactProgress {
    std::string name;  ///< "smsgateway@3.2.1"
    std::uint64_t size_bytes = 0;
    std::uint64_t wan_bytes = 0;  ///< by the whole site from the origin, since the watch began
    std::uint64_t lan_bytes = 0;  ///< between the site's servers, since the watch began
    double wan_rate = 0;          ///< bytes a second over the last seconds
    double lan_rate = 0;
    std::size_t holders = 0;
    std::size_t wanted_by = 0;  ///< servers that have any of it or get it
    double fraction = 0;        ///< of the server that has least, 0 to 1
    std::string fetcher;
    std::optional<double> remaining_s;  ///< none while nothing moves
    std::vector<std::string> errors;

    [[nodiscard]] bool complete() const { return wanted_by > 0 && holders >= wanted_by; }
};

/// How a deployment goes, from successive status answers (protocol/status.hpp). Pure: the caller
/// passes in each answer and the time of its monotonic clock.
class Progress {
  public:
    /// `artifacts` are the "name@version" to follow; empty = all that status shows.
    Progress(std::uint64_t seq, std::set<std::string> artifacts);

    void update(const Json& status, std::int64_t now_ms);

    [[nodiscard]] const std::vector<ServerProgress>& servers() const { return servers_; }
    [[nodiscard]] const std::vector<ArtifactProgress>& artifacts() const { return artifacts_; }

  private:
    struct Sample {
        std::int64_t at_ms = 0;
        std::uint64_t wan_bytes = 0;
        std::uint64_t lan_bytes = 0;
        double fraction = 0;
    };
    struct History {
        std::uint64_t wan_before = 0;  ///< what the first answer had: from earlier deployments
        std::uint64_t lan_before = 0;
        std::deque<Sample> samples;  ///< of the last window
    };

    [[nodiscard]] ServerProgress server_of(const Json& server) const;
    [[nodiscard]] ArtifactProgress artifact_of(const Json& artifact, std::int64_t now_ms);

    std::uint64_t seq_;
    std::set<std::string> wanted_;
    std::vector<ServerProgress> servers_;
    std::vector<ArtifactProgress> artifacts_;
    std::map<std::string, History> history_;
};

/// The block that a terminal redraws: a line or two per artifact, one for its last error, then one
/// per server, each cut to `width`.
[[nodiscard]] std::vector<std::string> progress_block(const Progress& progress, std::size_t width);

/// Off a terminal: one line for each change since the last call, none where nothing changed.
/// Downloads are told by quarters, so that a log stays short.
class ProgressLog {
  public:
    [[nodiscard]] std::vector<std::string> changes(const Progress& progress);

  private:
    struct Told {
        int quarter = -1;
        std::string fetcher;
        std::size_t errors = 0;
        bool complete = false;
    };
    void artifact_changes(const ArtifactProgress& artifact, std::vector<std::string>& lines);

    std::map<std::string, ServerProgress> servers_;
    std::map<std::string, Told> artifacts_;
};

}  // namespace clarity::cli
