#pragma once

#include <string>
#include <vector>

#include "node/drivers/cgroup.hpp"
#include "node/drivers/driver.hpp"

namespace clarity {

/// What the container's configuration needs besides the instance.
struct ContainerPlan {
    struct Mount {
        std::string from, to;
        bool read_only = false;
    };
    std::string rootfs;
    std::string log_path;
    std::vector<Mount> mounts;  ///< configuration files, bind-mounted
    std::string from_artifact;  ///< the tarball's own `config`
};

struct ContainerConfig {
    std::string text;      ///< lxc.container.conf(5)
    int stop_signal = 15;  ///< what its init ends on
};

/// Pure: what of an instance cannot be said in a container's configuration.
[[nodiscard]] Result<void> check_container(const Instance& instance);

/// Of the artifact's own lines only those are taken that stay inside the container: no hooks,
/// mounts, devices, networks or profiles.
[[nodiscard]] Result<ContainerConfig> container_config(const Instance& instance,
                                                       const ContainerPlan& plan);

}  // namespace clarity
