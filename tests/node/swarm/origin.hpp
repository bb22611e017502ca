#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

/// A real nginx on loopback that serves one folder and logs every body byte it sent.
class Origin {
  public:
    /// `rate_bytes_s` per connection; 0 = none. `more` goes into the server's configuration.
    explicit Origin(const std::string& folder, std::uint64_t rate_bytes_s = 0,
                    const std::string& more = "");
    ~Origin();
    Origin(const Origin&) = delete;

    void stop();
    void start();  ///< again, on the same port

    [[nodiscard]] std::string url() const;
    [[nodiscard]] std::string root() const { return folder_ + "/www"; }
    /// Body bytes of all requests that have ended.
    [[nodiscard]] std::uint64_t body_bytes() const;
    [[nodiscard]] std::size_t requests() const;

  private:
    std::string folder_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};
