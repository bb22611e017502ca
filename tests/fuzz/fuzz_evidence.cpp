#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/mesh/evidence.hpp"

// What frames carry packed beside their msgpack.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity::mesh;
    static const auto roll = Roll::make({"s-1", "s-2", "s-3", "s-4", "s-5"});
    // Random bytes do not find the hash of a roster: a first byte above 1 stands for it.
    std::string bytes(reinterpret_cast<const char*>(data), size);
    if (!bytes.empty() && data[0] > 1) {
        bytes[0] = 1;
        for (unsigned n = 0; n < 4; ++n) {
            bytes.insert(bytes.begin() + 1 + n, static_cast<char>(roll->hash() >> (8 * n)));
        }
    }
    for (const Roll* ours : {roll.get(), static_cast<const Roll*>(nullptr)}) {
        std::vector<Heard> heard;
        std::uint32_t hash = 0;
        const bool good = unpack_evidence(bytes, ours, heard, hash);
        if (heard.size() > heard_max) std::abort();
        if (!good) continue;
        // What was taken comes back as it is when it is passed on by key.
        std::vector<Heard> again;
        if (!unpack_evidence(pack_evidence(heard, nullptr), ours, again, hash)) std::abort();
        if (again.size() != heard.size()) std::abort();
        for (std::size_t i = 0; i < heard.size(); ++i) {
            if (heard[i].member != again[i].member || heard[i].witness != again[i].witness ||
                heard[i].age_ms != again[i].age_ms) {
                std::abort();
            }
        }
        if (bytes.empty() || bytes[0] != 1 || ours == nullptr) continue;
        for (const auto& each : heard) {
            if (!roll->find_key(each.member)) std::abort();
        }
    }
    return 0;
}
