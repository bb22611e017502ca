#pragma once

#include <cstdint>
#include <string>

#include "protocol/error.hpp"

namespace clarity::systemd {

/// The last `lines` messages of a unit and of systemd about it, oldest first, at most 64 KiB.
/// Empty when there is none. Errc::unavailable when this process may not read the journal.
[[nodiscard]] Result<std::string> read_journal(const std::string& unit, std::uint32_t lines);

}  // namespace clarity::systemd
