#pragma once

#include <optional>
#include <string>

#include "protocol/http/client.hpp"
#include "protocol/json.hpp"

namespace clarity {

/// The Docker Engine API over its unix socket. Blocking; thread-safe (a connection per call).
/// Source: https://docs.docker.com/engine/api/v1.41/
class DockerApi {
  public:
    explicit DockerApi(std::string socket) : socket_(std::move(socket)) {}

    /// Errc::unavailable with one clear line when no engine answers.
    [[nodiscard]] Result<void> ping() const;
    /// The answer's JSON (null when empty); statuses over 399 are errors with the engine's own
    /// message, 404 as not_found, 409 as conflict.
    [[nodiscard]] Result<Json> call(const std::string& method, const std::string& path,
                                    const Json& body = nullptr) const;
    /// Loads a `docker save` or OCI archive; the image's reference or id as the engine names it.
    [[nodiscard]] Result<std::string> load_image(const std::string& archive_path) const;
    /// Last lines of a container's output, stream headers taken out.
    [[nodiscard]] Result<std::string> logs(const std::string& container, std::uint32_t lines) const;

  private:
    std::string socket_;

    [[nodiscard]] HttpRequest request(const std::string& method, const std::string& path) const;
};

}  // namespace clarity
