#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "protocol/manifest.hpp"
#include "site.hpp"

/// A member of the site, with a certificate of its CA, whose program is not ours: libtorrent with
/// every piece claimed from the start.
class HostilePeer {
  public:
    enum class Way {
        wrong,   ///< serves every block, all of them with other bytes
        silent,  ///< claims everything, takes requests, answers none: a liar and a staller alike
        slow,    ///< true bytes, 2 kB/s
    };
    /// On `address`, any port. Needs the true bytes, and makes wrong ones of them.
    HostilePeer(const TestCa& ca, const std::string& address, const std::string& folder,
                const clarity::Manifest& manifest, const std::string& bytes, Way way);
    ~HostilePeer();

    [[nodiscard]] std::string endpoint() const;
    /// Blocks it was asked for.
    [[nodiscard]] std::uint64_t asked() const;
    /// Payload it sent, to all.
    [[nodiscard]] std::uint64_t sent_bytes() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};
