#include "protocol/compression.hpp"

#include <catch2/catch.hpp>

using namespace clarity;
using compression::pack;
using compression::unpack;

namespace {

Bytes text(std::size_t size) {
    Bytes out;
    for (std::size_t i = 0; out.size() < size; ++i) out += "line " + std::to_string(i) + "\n";
    out.resize(size);
    return out;
}

}  // namespace

TEST_CASE("compression: a frame gives back what went in, and not one byte more than is let") {
    for (const std::size_t size : {0U, 1U, 100U, 70'000U, 1'000'000U}) {
        for (const int level : {1, 6, 19}) {
            CAPTURE(size, level);
            const auto plain = text(size);
            const auto frame = pack(plain, {}, level);
            CHECK(frame.size() < size / 3 + 50);
            CHECK(unpack(frame, size) == plain);
            if (size > 0) CHECK(unpack(frame, size - 1).error().code == Errc::invalid);
        }
    }
}

TEST_CASE("compression: a shared dictionary makes short messages small, and is needed again") {
    const auto shared = text(4000);
    const auto plain = shared.substr(1000, 2000);
    const auto packed = pack(plain, shared);
    CHECK(packed.size() < pack(plain).size() / 4);
    CHECK(unpack(packed, 4000, shared) == plain);
    CHECK_FALSE(unpack(packed, 4000));
}

TEST_CASE("compression: cut, changed, strung together or foreign bytes are refused") {
    const auto frame = pack(text(50'000));
    for (const std::size_t keep : {std::size_t{0}, std::size_t{3}, frame.size() - 1}) {
        CHECK(unpack(frame.substr(0, keep), 50'000).error().code == Errc::invalid);
    }
    CHECK(unpack(frame + frame, 200'000).error().code == Errc::invalid);
    CHECK(unpack(frame + "x", 50'000).error().code == Errc::invalid);
    CHECK(unpack("<html>404</html>", 50'000).error().code == Errc::invalid);
}

TEST_CASE("compression: a frame that lies about its size is refused without the memory") {
    // Magic, single segment with an 8-byte content size of 2^62, then an RLE block of 128 KiB.
    Bytes bomb("\x28\xb5\x2f\xfd\xe0", 5);
    bomb += Bytes("\x00\x00\x00\x00\x00\x00\x00\x40", 8);
    bomb += Bytes("\x03\x00\x10", 3) + "A";
    CHECK(unpack(bomb, 1U << 20).error().code == Errc::invalid);
    // Says 100,000 bytes and holds 131,072.
    Bytes more("\x28\xb5\x2f\xfd\xa0\xa0\x86\x01\x00", 9);
    more += Bytes("\x03\x00\x10", 3) + "A";
    CHECK(unpack(more, 1U << 20).error().code == Errc::invalid);
    // No size told, 1 MiB in 8 blocks: nothing to hold it to.
    Bytes untold("\x28\xb5\x2f\xfd\x00\x70", 6);
    for (int i = 0; i < 8; ++i) untold += Bytes{i == 7 ? '\x03' : '\x02', '\x00', '\x10'} + "A";
    CHECK(unpack(untold, 1U << 17).error().code == Errc::invalid);
}
