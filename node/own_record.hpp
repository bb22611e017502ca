#pragma once

#include <optional>

#include "node/identity.hpp"
#include "protocol/envelope.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// Signs this node's record, on change only. Pure but for the signature. Owner: the agent.
class OwnRecord {
  public:
    OwnRecord(const Identity& identity, std::int64_t started_unix_ms)
        : identity_(&identity), started_unix_ms_(started_unix_ms) {}

    /// `facts`: everything but site, server, version and times. The signed envelope to publish at
    /// `version`, or nothing when the facts are those of the last one.
    [[nodiscard]] std::optional<Bytes> sign(Record facts, RecordVersion version,
                                            std::int64_t now_unix_ms);
    /// The next sign() gives a record whatever the facts are (our version had to jump).
    void renew() { last_.clear(); }

  private:
    const Identity* identity_;
    std::int64_t started_unix_ms_;
    Bytes last_;  ///< the facts as they were encoded last
};

}  // namespace clarity
