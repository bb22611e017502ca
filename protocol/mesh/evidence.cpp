#include "protocol/mesh/evidence.hpp"

#include <optional>

namespace clarity::mesh {
namespace {

constexpr char by_key = 0;
constexpr char by_place = 1;
constexpr unsigned varint_bytes_max = 5;

void put_varint(Bytes& out, std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<char>(value | 0x80U));
    out.push_back(static_cast<char>(value));
}

void put_word(Bytes& out, std::uint64_t value, unsigned bytes) {
    for (unsigned n = 0; n < bytes; ++n) out.push_back(static_cast<char>(value >> (8 * n)));
}

/// Reads from the front; once it ran over the end, `ok` stays false.
struct Reader {
    std::string_view bytes;
    bool ok = true;

    std::uint64_t word(unsigned size) {
        std::uint64_t out = 0;
        for (unsigned n = 0; n < size; ++n) out |= std::uint64_t{byte()} << (8 * n);
        return out;
    }
    std::uint64_t varint() {
        std::uint64_t out = 0;
        for (unsigned n = 0; n < varint_bytes_max; ++n) {
            const auto next = byte();
            out |= std::uint64_t{next & 0x7fU} << (7 * n);
            if (next < 0x80U) return out;
        }
        ok = false;
        return 0;
    }

  private:
    unsigned byte() {
        if (bytes.empty()) return ok = false, 0U;
        const auto out = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        return out;
    }
};

}  // namespace

Bytes pack_evidence(const std::vector<Heard>& heard, const Roll* roll) {
    if (heard.empty()) return {};
    Bytes out(1, roll == nullptr ? by_key : by_place);
    if (roll != nullptr) put_word(out, roll->hash(), 4);
    for (const auto& each : heard) {
        const auto age = (each.age_ms + age_unit_ms - 1) / age_unit_ms;
        if (roll == nullptr) {
            put_word(out, each.member, 8);
            put_varint(out, age);
            put_word(out, each.witness, 8);
            continue;
        }
        const auto member = roll->find_key(each.member);
        const auto witness = roll->find_key(each.witness);
        if (!member || age >> 32U != 0) continue;
        put_varint(out, *member);
        put_varint(out, age);
        put_varint(out, witness ? *witness + std::uint64_t{1} : 0);
    }
    return out;
}

bool unpack_evidence(std::string_view bytes, const Roll* roll, std::vector<Heard>& out,
                     std::uint32_t& roll_hash) {
    roll_hash = 0;
    if (bytes.empty()) return true;
    const auto kind = bytes.front();
    Reader in{bytes.substr(1)};
    if (kind != by_key && kind != by_place) return true;  // a newer agent's: nothing to us
    if (kind == by_place) roll_hash = static_cast<std::uint32_t>(in.word(4));
    const bool readable = kind == by_key || (roll != nullptr && roll->hash() == roll_hash);
    for (std::size_t n = 0; in.ok && !in.bytes.empty(); ++n) {
        if (n == heard_max) return false;
        Heard each;
        if (kind == by_key) {
            each.member = in.word(8);
            each.age_ms = in.varint() * age_unit_ms;
            each.witness = in.word(8);
            if (in.ok) out.push_back(each);
            continue;
        }
        const auto member = in.varint();
        each.age_ms = in.varint() * age_unit_ms;
        const auto witness = in.varint();
        if (!in.ok || !readable) continue;
        if (member >= roll->size() || witness > roll->size()) return false;
        each.member = roll->key(static_cast<Index>(member));
        each.witness = witness == 0 ? 0 : roll->key(static_cast<Index>(witness - 1));
        out.push_back(each);
    }
    return in.ok;
}

}  // namespace clarity::mesh
