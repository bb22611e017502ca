#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node/address_book.hpp"
#include "node/deploy/journal.hpp"
#include "node/drivers/supervisor.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/json.hpp"
#include "protocol/query.hpp"
#include "storage/cache/entry.hpp"

namespace {

using namespace clarity;

/// What encode() gives is read again as the same.
template <class T>
void check_same(const T& value) {
    const auto again = T::decode(value.encode());
    if (!again || again->encode() != value.encode()) std::abort();
}

void check_addresses(std::string_view bytes) {
    static const auto roster = [] {
        Roster out;
        out.site = "acme/dc-1";
        out.members.push_back({"s-1", "edge-1", PublicKey{}, "tcp://10.0.0.1:1", "10.0.0.1:2"});
        return out;
    }();
    AddressBook book;
    book.set_roster(roster);
    if (!book.load(bytes)) return;
    for (const auto& each : book.mesh("s-1")) {
        if (!is_mesh_endpoint(each)) std::abort();
    }
    for (const auto& each : book.swarm("s-1")) {
        if (!is_swarm_endpoint(each)) std::abort();
    }
    AddressBook other;
    other.set_roster(roster);
    if (!other.load(book.encode()) || other.encode() != book.encode()) std::abort();
}

}  // namespace

// What an agent reads back from its disk, which may have gone bad, or been written by another
// version; and files that people carry.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_addresses(bytes);
    if (const auto entry = ArtifactCache::Entry::decode(bytes)) check_same(*entry);
    if (const auto entry = JournalEntry::decode(bytes)) check_same(*entry);
    if (const auto spec = decode_spec(bytes)) {
        if (!decode_spec(encode_spec(*spec))) std::abort();
    }
    if (const auto status = decode_status(bytes)) {
        if (!decode_status(encode_status(*status))) std::abort();
    }
    if (const auto json = parse_json(bytes)) {
        const auto again = parse_json(to_text(*json));
        if (!again || to_text(*again) != to_text(*json)) std::abort();
    }
    (void)query::document_from_file(bytes);
    if (is_mesh_endpoint(bytes) && bytes.size() > 128) std::abort();
    (void)is_swarm_endpoint(bytes);
    return 0;
}
