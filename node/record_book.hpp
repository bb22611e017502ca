#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/mesh/mesh.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// The mesh's newest records, decoded once each. Owner: the agent, on its loop.
class RecordBook {
  public:
    /// Takes over what changed since the last call; says whose records did, the gone ones included.
    std::vector<std::string> update(const mesh::Mesh& mesh);
    /// The same where nobody else's record can have changed, and nobody has gone.
    std::vector<std::string> update(const mesh::Mesh& mesh, const std::set<std::string>& owners);
    /// By server id; one in a format that this version cannot read is left out.
    [[nodiscard]] const std::map<std::string, Record>& records() const { return records_; }
    /// Servers whose newest record is their own but in a format of a newer version: it is kept and
    /// passed on, and nothing of it is interpreted but where its owner is.
    [[nodiscard]] const std::set<std::string>& newer() const { return newer_; }
    /// Where a server's newest record says that it is, whichever version wrote it.
    [[nodiscard]] Endpoints endpoints(const std::string& server_id) const;

  private:
    std::map<std::string, std::uint64_t> seen_;  ///< StoredRecord::hash, also of undecodable ones
    std::map<std::string, Record> records_;
    std::set<std::string> newer_;
    std::map<std::string, Endpoints> endpoints_;

    bool take(const std::string& owner, const mesh::StoredRecord& stored);
    void read(const std::string& owner, const Bytes& bytes);
    void forget(const std::string& owner);
};

}  // namespace clarity
