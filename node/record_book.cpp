#include "node/record_book.hpp"

#include "protocol/envelope.hpp"

namespace clarity {

bool RecordBook::update(const mesh::Mesh& mesh) {
    bool changed = false;
    for (const auto& [owner, stored] : mesh.records()) {
        const auto seen = seen_.find(owner);
        if (seen != seen_.end() && seen->second == stored.hash) continue;
        seen_[owner] = stored.hash;
        changed = true;
        const auto envelope = Envelope::decode(stored.bytes);
        auto record = envelope ? Record::decode(envelope->payload)
                               : Result<Record>(tl::unexpected(envelope.error()));
        if (record) records_[owner] = *std::move(record);
        else records_.erase(owner);
    }
    std::erase_if(seen_, [&](const auto& each) {
        if (mesh.records().contains(each.first)) return false;
        records_.erase(each.first);
        changed = true;
        return true;
    });
    return changed;
}

}  // namespace clarity
