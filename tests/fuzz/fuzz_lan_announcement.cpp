#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/lan_announcement.hpp"

// A datagram from anybody on the LAN: nothing may crash, nobody is believed without a signature.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    static const auto roster = [] {
        init_crypto();
        Roster out;
        out.site = "acme/dc-1";
        out.members.push_back({"s-1", "edge-1", SigningKey::generate().public_key(), "", ""});
        return out;
    }();
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto claimed = read_lan_announcement(bytes);
    if (claimed && verify_lan_announcement(roster, *claimed)) std::abort();
    return 0;
}
