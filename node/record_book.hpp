#pragma once

#include <map>
#include <string>

#include "protocol/mesh/mesh.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// The mesh's newest records, decoded once each. Owner: the agent, on its loop.
class RecordBook {
  public:
    /// Takes over what changed since the last call; true if anything did.
    bool update(const mesh::Mesh& mesh);
    /// By server id; one that cannot be decoded (a newer version's) is left out.
    [[nodiscard]] const std::map<std::string, Record>& records() const { return records_; }

  private:
    std::map<std::string, std::uint64_t> seen_;  ///< StoredRecord::hash, also of undecodable ones
    std::map<std::string, Record> records_;
};

}  // namespace clarity
