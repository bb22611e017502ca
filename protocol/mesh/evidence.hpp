#pragma once

#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/mesh/frame.hpp"

namespace clarity::mesh {

/// Evidence as it travels, a third of what msgpack would take. First byte 1: four bytes of the
/// sender's roll hash, little-endian, then per entry three LEB128 numbers: the member's place in
/// the roll, its age in units, and its witness' place + 1. First byte 0: the member's key, the age,
/// and the witness' key. Witness 0 = nobody. Empty when there is none.
[[nodiscard]] Bytes pack_evidence(const std::vector<Heard>& heard, const Roll* roll);

/// False when it is malformed or over `heard_max`. Places in another roll than `roll` mean nothing
/// and are left out; `roll_hash` is the sender's, 0 = not said.
[[nodiscard]] bool unpack_evidence(std::string_view bytes, const Roll* roll,
                                   std::vector<Heard>& out, std::uint32_t& roll_hash);

}  // namespace clarity::mesh
