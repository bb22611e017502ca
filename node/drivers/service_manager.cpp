#include "node/drivers/service_manager.hpp"

#include <unistd.h>

namespace clarity {

Result<std::shared_ptr<ServiceManager>> make_service_manager(const DriverSettings& settings) {
    const bool systemd_here = ::access("/run/systemd/system", F_OK) == 0;
    if (settings.service_manager == "systemd" ||
        (settings.service_manager == "auto" && systemd_here)) {
        return make_systemd_manager(settings);
    }
    if (settings.service_manager == "builtin" || settings.service_manager == "auto") {
        return make_builtin_manager(settings);
    }
    return fail(Errc::invalid, "service_manager \"{}\": use auto, systemd or builtin",
                settings.service_manager);
}

}  // namespace clarity
