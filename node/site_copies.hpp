#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "node/site_snapshot.hpp"
#include "storage/cache/cache.hpp"

namespace clarity {

/// Where the site's copies of artifacts are and which of them somebody needs, by the members'
/// records: what a node asks before it drops a copy of its own.
///
/// Two rules. An artifact that any server of the site pins, or that the plan or the one before it
/// names, keeps `replicas_min` copies at the site, whatever the limit says (Keep::yes). Any other
/// keeps as many while there is room (Keep::if_room). What is beyond that may go (Keep::no).
///
/// No two nodes may drop the last two copies at the same moment, and nobody is asked. So who holds
/// the copies that stay is not agreed upon but computed: the holders rank by rendezvous hash, as in
/// the election, and the first `replicas_min` of them never drop theirs. A node drops its copy only
/// when it sees so many living holders that rank before itself, so of the holders that are there
/// the best-ranked would go last:
/// - Two nodes with the same records come to the same ranks; each is a keeper or not, by its id.
/// - With records of different age: a keeper may be believed to hold what it no longer does. It did
///   not drop it by this rule, since those before it kept theirs; it lost it (a damaged file, an
///   operator, a new disk), and its next record, a moment later, says so. For a copy to be the last
///   and go, `replicas_min` servers must lose theirs otherwise within that moment.
/// - Only living holders count. In a partition each side keeps copies of its own; when it heals,
///   there are too many, not too few.
/// - A pin that has not spread yet protects where it is known: the pinning server keeps its own
///   copy whatever the others do. At worst what it does not hold yet crosses the WAN again.
/// - A holder whose record says nothing of a copy (more of them than a record takes) is not
///   counted: more is kept than need be.
class SiteCopies {
  public:
    /// From the records of all other members; `planned`: what the plan here and its predecessor
    /// name, which counts as needed before their records say so.
    [[nodiscard]] static SiteCopies of(const SiteSnapshot& site, const std::set<Digest>& planned);

    /// For an artifact that has no pin on this server. A partial one may always go.
    [[nodiscard]] Keep judge(const CachedArtifact& artifact, std::size_t replicas_min) const;
    /// Living members, without this one, that hold all of it.
    [[nodiscard]] std::vector<std::string> holders(const Digest& sha256) const;
    /// Whether somebody at the site needs it.
    [[nodiscard]] bool is_needed(const Digest& sha256) const;

  private:
    std::string self_;
    std::map<std::uint64_t, std::set<std::string>> holders_;  ///< by artifact_mark()
    std::set<std::uint64_t> needed_;
};

}  // namespace clarity
