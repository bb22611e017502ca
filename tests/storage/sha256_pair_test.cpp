#include "protocol/sha256_pair.hpp"

#include <catch2/catch.hpp>

#include "tests/storage/temp_dir.hpp"

using namespace clarity;
using clarity::test::noise;

TEST_CASE("sha256 pair: both lanes agree with OpenSSL for any lengths and any parts") {
    if (!Sha256Lane::is_fast()) WARN("no SHA instructions here: the plain form is tested");
    const auto bytes = noise(5000, 1);
    const std::string_view all = bytes;
    Sha256Lane a;
    Sha256Lane b;
    for (std::size_t size = 0; size <= 300; ++size) {
        CAPTURE(size);
        const std::size_t other = (size * 7) % 311;
        for (std::size_t at = 0; at < std::max(size, other);) {
            const std::size_t part = 1 + (size + at) % 130;
            const auto cut = [&](std::size_t end) {
                return at < end ? all.substr(at, std::min(part, end - at)) : std::string_view{};
            };
            Sha256Lane::update_both(a, cut(size), b, cut(other));
            at += part;
        }
        CHECK(a.finish() == sha256(all.substr(0, size)));
        CHECK(b.finish() == sha256(all.substr(0, other)));
    }
    a.update(all.substr(0, 1));
    a.update(all.substr(1));
    CHECK(a.finish() == sha256(all));
    CHECK(a.finish() == sha256(""));
}
