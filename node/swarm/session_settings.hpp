#pragma once

// Private to this folder: the only header that names libtorrent's types.
#include <libtorrent/fwd.hpp>
#include <libtorrent/session_params.hpp>

#include "node/swarm/session.hpp"

namespace clarity::swarm {

/// An address and port in numbers; errors say what was expected.
[[nodiscard]] Result<lt::tcp::endpoint> parse_endpoint(const std::string& text);

/// Settings measured for a site's LAN, and the disk back-end (disk_io.hpp: libtorrent 2.0's own mix
/// of pwrite and mmap reads may corrupt on ZFS and Btrfs).
[[nodiscard]] Result<lt::session_params> session_params_for(const SessionSettings& settings);

/// libtorrent demands Diffie-Hellman parameters; TLS 1.3 does not use them. RFC 7919 ffdhe2048.
extern const char* const dh_params_pem;

}  // namespace clarity::swarm
