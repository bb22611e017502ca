#include "node/state_dirs.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

using namespace clarity;

TEST_CASE("state folders: only the way to services is open to other users, also after an update") {
    char name[] = "/tmp/clarity-state-XXXXXX";
    const std::string root = mkdtemp(name);
    const auto state = root + "/agent";
    std::filesystem::create_directories(state + "/deploy");  // an earlier version's, by umask
    REQUIRE(::chmod((state + "/deploy").c_str(), 0755) == 0);
    REQUIRE(make_state_dirs(state));
    REQUIRE(make_state_dirs(state));
    const auto mode = [&](const std::string& path) {
        struct stat info {};
        REQUIRE(::stat((state + path).c_str(), &info) == 0);
        return info.st_mode & 07777U;
    };
    CHECK(mode("") == 0711);
    CHECK(mode("/services") == 0711);
    for (const char* closed : {"/db", "/identity", "/deploy", "/cache", "/swarm"}) {
        CAPTURE(closed);
        CHECK(mode(closed) == 0700);
    }
    std::filesystem::remove_all(root);
}
