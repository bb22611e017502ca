#include "node/drivers/factories.hpp"

namespace clarity {

std::string_view name_of(RunState state) {
    switch (state) {
        case RunState::absent: return "absent";
        case RunState::stopped: return "stopped";
        case RunState::waiting: return "waiting";
        case RunState::running: return "running";
        case RunState::failed: return "failed";
    }
    return "unknown";
}

Result<DriverSet> make_drivers(const DriverSettings& settings) {
    CLARITY_TRY(auto manager, make_service_manager(settings));
    const auto binary = make_binary_driver(settings, std::move(manager));
    return DriverSet{{ArtifactType::binary, binary},
                     {ArtifactType::script, binary},
                     {ArtifactType::jar, binary},
                     {ArtifactType::lxc, make_lxc_driver(settings)},
                     {ArtifactType::docker, make_docker_driver(settings)}};
}

}  // namespace clarity
