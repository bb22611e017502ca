#pragma once

#include <memory>

#include "node/drivers/service_manager.hpp"

namespace clarity {

/// The drivers, one factory each; make_drivers() puts them together.
[[nodiscard]] std::shared_ptr<Driver> make_binary_driver(const DriverSettings& settings,
                                                         std::shared_ptr<ServiceManager> manager);
[[nodiscard]] std::shared_ptr<Driver> make_lxc_driver(const DriverSettings& settings);
[[nodiscard]] std::shared_ptr<Driver> make_docker_driver(const DriverSettings& settings);

}  // namespace clarity
