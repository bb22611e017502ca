#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "coordinator/config.hpp"
#include "protocol/error.hpp"

namespace clarity::coordinator {

/// The coordinator as a whole: state, REST API, control service and what happens by the clock, on
/// the caller's io_context, which one thread runs. Make and destroy it while nobody runs it.
class Coordinator {
  public:
    /// Opens the state, binds both ports and publishes what changed while it was away. Errors are
    /// lines for an operator: a port in use, a folder without permission, a state that another
    /// process holds.
    [[nodiscard]] static Result<std::unique_ptr<Coordinator>> start(boost::asio::io_context& loop,
                                                                    const Config& config);
    ~Coordinator();

    [[nodiscard]] const std::string& rest_url() const;
    [[nodiscard]] std::uint16_t rest_port() const;
    [[nodiscard]] const std::string& control_endpoint() const;
    [[nodiscard]] std::uint16_t control_port() const;

  private:
    struct Impl;
    explicit Coordinator(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace clarity::coordinator
