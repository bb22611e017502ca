#include <cstdint>
#include <cstdlib>
#include <string>

#include "coordinator/config.hpp"
#include "node/config.hpp"

// agent.yml and coordinator.yml, as people write them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace clarity;
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto agent = parse_agent_config("agent.yml", text)) {
        const auto& config = agent->config;
        (void)check_advertised("mesh.advertise", config.mesh_advertise);
        if (!config.mesh_listen.empty() && !config.mesh_listen.starts_with("tcp://")) std::abort();
    }
    (void)coordinator::parse_config("coordinator.yml", text);
    const auto host = coordinator::host_of(text);
    (void)coordinator::is_wildcard(host);
    (void)coordinator::port_of(text);
    return 0;
}
