#pragma once

#include <cstdint>
#include <string>

namespace clarity::swarm {

/// BitTorrent's peer messages (BEP 3, BEP 10) that we write ourselves, with their length in front.
/// Pure.
namespace peer_wire {

void append_u32(std::string& out, std::uint32_t value);
void append_have(std::string& out, std::uint32_t piece);
void append_request(std::string& out, std::uint32_t piece, std::uint32_t start,
                    std::uint32_t length_bytes);
/// `number`: under which the peer knows the extension.
void append_extended(std::string& out, int number, const std::string& body);

}  // namespace peer_wire

}  // namespace clarity::swarm
