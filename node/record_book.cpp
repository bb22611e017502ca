#include "node/record_book.hpp"

#include "protocol/envelope.hpp"

namespace clarity {

std::vector<std::string> RecordBook::update(const mesh::Mesh& mesh) {
    std::vector<std::string> changed;
    for (const auto& [owner, stored] : mesh.records()) {
        if (take(owner, stored)) changed.push_back(owner);
    }
    std::erase_if(seen_, [&](const auto& each) {
        if (mesh.records().contains(each.first)) return false;
        forget(each.first);
        changed.push_back(each.first);
        return true;
    });
    return changed;
}

std::vector<std::string> RecordBook::update(const mesh::Mesh& mesh,
                                            const std::set<std::string>& owners) {
    std::vector<std::string> changed;
    for (const auto& owner : owners) {
        const auto stored = mesh.records().find(owner);
        if (stored && take(owner, *stored)) changed.push_back(owner);
    }
    return changed;
}

bool RecordBook::take(const std::string& owner, const mesh::StoredRecord& stored) {
    const auto seen = seen_.find(owner);
    if (seen != seen_.end() && seen->second == stored.hash) return false;
    seen_[owner] = stored.hash;
    read(owner, stored.bytes);
    return true;
}

void RecordBook::read(const std::string& owner, const Bytes& bytes) {
    forget(owner);
    const auto envelope = Envelope::decode(bytes);
    if (!envelope) return;
    endpoints_[owner] = endpoints_of(envelope->payload);
    auto record = Record::decode(envelope->payload);
    // The mesh has checked its head before it stored it (verify_record_head()).
    if (record) records_[owner] = *std::move(record);
    else newer_.insert(owner);
}

void RecordBook::forget(const std::string& owner) {
    records_.erase(owner);
    newer_.erase(owner);
    endpoints_.erase(owner);
}

Endpoints RecordBook::endpoints(const std::string& server_id) const {
    const auto at = endpoints_.find(server_id);
    return at == endpoints_.end() ? Endpoints{} : at->second;
}

}  // namespace clarity
