// The hash of a file that comes in from its start, and in pieces behind.
#include "node/swarm/prefix_hash.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "protocol/sha256.hpp"
#include "site.hpp"

using clarity::Errc;
using clarity::sha256;
using clarity::swarm::PrefixHash;

namespace {

void put(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("prefix hash: by steps it is the hash of the whole file") {
    const TempFolder folder;
    const std::string path = folder.path + "/file";
    const auto bytes = noise(3'000'001, 7);
    put(path, bytes.substr(0, 1'500'000) + std::string(1'500'001, '\0'));
    PrefixHash hash(path, bytes.size());
    REQUIRE(hash.advance(1'000'000, {}));
    REQUIRE(hash.advance(400'000, {}));  // a late message: what was hashed stays so
    CHECK(hash.done_bytes() == 1'000'000);
    put(path, bytes);
    REQUIRE(hash.advance(2'000'000, {}));
    CHECK(hash.finish({}).value() == sha256(bytes));
}

TEST_CASE("prefix hash: what is hashed before it is there makes another hash") {
    const TempFolder folder;
    const std::string path = folder.path + "/file";
    const auto bytes = noise(500'000, 8);
    put(path, std::string(bytes.size(), '\0'));
    PrefixHash hash(path, bytes.size());
    REQUIRE(hash.advance(100'000, {}));
    put(path, bytes);
    CHECK(hash.finish({}).value() != sha256(bytes));
}

TEST_CASE("prefix hash: a file that is too short or gone is an error, a stop is one too") {
    const TempFolder folder;
    const std::string path = folder.path + "/file";
    PrefixHash absent(path, 1000);
    CHECK_FALSE(absent.finish({}));
    put(path, std::string(999, 'x'));
    PrefixHash shorter(path, 1000);
    CHECK(shorter.finish({}).error().code == Errc::io);
    std::stop_source stopped;
    stopped.request_stop();
    PrefixHash hash(path, 999);
    CHECK(hash.advance(999, stopped.get_token()).error().code == Errc::cancelled);
    CHECK(hash.finish({}).value() == sha256(std::string(999, 'x')));
}
