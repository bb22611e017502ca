#include "node/swarm/peer_wire.hpp"

namespace clarity::swarm::peer_wire {

namespace {

constexpr char have = 4;
constexpr char request = 6;
constexpr char extended = 20;

}  // namespace

void append_u32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFFU);
}

void append_have(std::string& out, std::uint32_t piece) {
    append_u32(out, 5);
    out += have;
    append_u32(out, piece);
}

void append_request(std::string& out, std::uint32_t piece, std::uint32_t start,
                    std::uint32_t length_bytes) {
    append_u32(out, 13);
    out += request;
    append_u32(out, piece);
    append_u32(out, start);
    append_u32(out, length_bytes);
}

void append_extended(std::string& out, int number, const std::string& body) {
    append_u32(out, static_cast<std::uint32_t>(body.size() + 2));
    out += extended;
    out += static_cast<char>(number);
    out += body;
}

}  // namespace clarity::swarm::peer_wire
