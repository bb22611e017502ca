#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/inventory/inventory.hpp"

// An uploaded tree, as any client of the REST API may send it: files are split at lines of "---".
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    static const char* const names[] = {
        "artifacts/registry.yml",    "artifacts/versions.yml",
        "clients/acme/metadata.yml", "clients/acme/datacenters.yml",
        "clients/acme/servers.yml",  "profiles/prod/hello.yml",
        "repositories/config.yml",   "config.yml",
        "templates/hello.conf",
    };
    inventory::Files files = inventory::scaffold();
    std::string text(reinterpret_cast<const char*>(data), size);
    std::size_t name = 0;
    for (std::size_t at = 0; at <= text.size() && name < std::size(names); ++name) {
        const auto end = std::min(text.find("---\n", at), text.size());
        if (end > at) files[names[name]] = text.substr(at, end - at);
        at = end + 4;
    }
    (void)inventory::load(files);
    return 0;
}
