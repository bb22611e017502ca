#include "node/address_book.hpp"

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/endpoint.hpp"

namespace clarity {
namespace {

constexpr std::size_t cache_max_bytes = 16U << 20;

/// One server as it is on disk.
struct CachedAddress {
    std::string server_id;
    PublicKey key;
    std::uint64_t incarnation = 0;
    std::uint64_t seq = 0;
    std::string mesh;
    std::string swarm;
    std::string beacon_mesh;
    std::string beacon_swarm;
    std::string answered;
};
struct AddressCache {
    std::vector<CachedAddress> servers;
};

template <class A>
void fields(A& a, CachedAddress& c) {
    a.text("server", c.server_id);
    a.value("key", c.key);
    a.value("incarnation", c.incarnation);
    a.value("seq", c.seq);
    a.optional("mesh", c.mesh);
    a.optional("swarm", c.swarm);
    a.optional("beacon_mesh", c.beacon_mesh);
    a.optional("beacon_swarm", c.beacon_swarm);
    a.optional("answered", c.answered);
}
template <class A>
void fields(A& a, AddressCache& c) {
    a.value("servers", c.servers);
}

void add(std::vector<std::string>& to, const std::string& endpoint) {
    if (endpoint.empty() || std::find(to.begin(), to.end(), endpoint) != to.end()) return;
    to.push_back(endpoint);
}

std::string checked_mesh(std::string text) {
    return is_mesh_endpoint(text) ? std::move(text) : std::string();
}
std::string checked_swarm(std::string text) {
    return is_swarm_endpoint(text) ? std::move(text) : std::string();
}

}  // namespace

void AddressBook::set_roster(const Roster& roster) {
    std::map<std::string, Entry> next;
    for (const auto& member : roster.members) {
        auto& entry = next[member.server_id];
        const auto known = entries_.find(member.server_id);
        if (known != entries_.end() && known->second.key == member.key) {
            entry = std::move(known->second);
        } else if (known != entries_.end()) {
            ++changes_;
        }
        entry.key = member.key;
        entry.roster = {member.mesh_endpoint, member.swarm_endpoint};
    }
    if (next.size() != entries_.size()) ++changes_;
    entries_ = std::move(next);
}

bool AddressBook::learn(const std::string& server_id, RecordVersion version,
                        const Endpoints& endpoints) {
    const auto at = entries_.find(server_id);
    if (at == entries_.end() || version < at->second.version) return false;
    auto& entry = at->second;
    entry.version = version;
    if (endpoints == entry.record) return false;
    const bool moved = endpoints.mesh != entry.record.mesh;
    entry.record = endpoints;
    entry.beacon = {};
    if (moved) entry.answered.clear();
    ++changes_;
    return true;
}

bool AddressBook::heard(const std::string& server_id, const Endpoints& endpoints) {
    const auto at = entries_.find(server_id);
    if (at == entries_.end() || endpoints == at->second.beacon) return false;
    auto& entry = at->second;
    const bool news =
        endpoints.mesh != (entry.record.mesh.empty() ? entry.roster.mesh : entry.record.mesh);
    entry.beacon = endpoints;
    if (news) entry.answered.clear();
    ++changes_;
    return news;
}

void AddressBook::answered(const std::string& server_id, const std::string& mesh_endpoint) {
    const auto at = entries_.find(server_id);
    if (at == entries_.end() || at->second.answered == mesh_endpoint) return;
    at->second.answered = mesh_endpoint;
    ++changes_;
}

std::vector<std::string> AddressBook::mesh(const std::string& server_id) const {
    std::vector<std::string> out;
    const auto at = entries_.find(server_id);
    if (at == entries_.end()) return out;
    const auto& entry = at->second;
    add(out, entry.answered);
    add(out, entry.beacon.mesh);
    add(out, entry.record.mesh);
    add(out, entry.roster.mesh);
    return out;
}

std::vector<std::string> AddressBook::swarm(const std::string& server_id) const {
    std::vector<std::string> out;
    const auto at = entries_.find(server_id);
    if (at == entries_.end()) return out;
    const auto& entry = at->second;
    add(out, entry.beacon.swarm);
    add(out, entry.record.swarm);
    add(out, entry.roster.swarm);
    return out;
}

Bytes AddressBook::encode() const {
    AddressCache out;
    for (const auto& [id, entry] : entries_) {
        const bool learnt =
            entry.record != Endpoints{} || entry.beacon != Endpoints{} || !entry.answered.empty();
        if (!learnt) continue;
        out.servers.push_back({id, entry.key, entry.version.incarnation, entry.version.seq,
                               entry.record.mesh, entry.record.swarm, entry.beacon.mesh,
                               entry.beacon.swarm, entry.answered});
    }
    return codec::encode(out);
}

Result<void> AddressBook::load(std::string_view bytes) {
    CLARITY_TRY(auto cache, codec::decode<AddressCache>("address cache", bytes, cache_max_bytes));
    for (auto& each : cache.servers) {
        const auto at = entries_.find(each.server_id);
        if (at == entries_.end() || at->second.key != each.key) continue;
        auto& entry = at->second;
        entry.version = {each.incarnation, each.seq};
        entry.record = {checked_mesh(std::move(each.mesh)), checked_swarm(std::move(each.swarm))};
        entry.beacon = {checked_mesh(std::move(each.beacon_mesh)),
                        checked_swarm(std::move(each.beacon_swarm))};
        entry.answered = checked_mesh(std::move(each.answered));
    }
    return {};
}

}  // namespace clarity
