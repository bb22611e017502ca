#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/mesh/mesh.hpp"

// Frames from a member that may send whatever it likes: nothing may crash, and what goes out in
// answer stays bounded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    mesh::Settings settings;
    settings.site = "acme/dc-1";
    settings.self = "s-1";
    settings.verify_record = [](const auto&, auto, auto) { return true; };
    settings.verify_document = [](const auto&, auto) { return true; };
    mesh::Mesh mesh(settings, 1);
    mesh.set_members(0, {{"s-1"}, {"s-2"}, {"s-3"}});
    mesh.set_own_record(1, mesh.next_version(), "record");
    // The first byte says where to cut, so that one input is several frames.
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::int64_t now_ms = 2;
    for (std::size_t at = 1; at < bytes.size();) {
        const std::size_t length = static_cast<std::uint8_t>(bytes[0]) + 1U;
        mesh.receive(now_ms++, "s-2", bytes.substr(at, length));
        at += length;
    }
    mesh.receive(now_ms, "s-2", bytes);
    mesh.on_time(now_ms + 5000);
    (void)mesh.take_effects();
    return 0;
}
