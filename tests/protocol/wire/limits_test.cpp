// Goal: what is decided without a socket: who may make a handshake, and how many files we need.
// Method: time is an argument; limits of the process are set in a child.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "protocol/wire/admission.hpp"
#include "protocol/wire/descriptors.hpp"

using namespace clarity;
using namespace std::chrono_literals;

namespace {

wire::Admission::Limits few() {
    return {.handshakes_per_s = 2, .handshakes_burst = 4, .silent_max = 100, .silent_for = 10s};
}

/// What room_for() says under a hard limit on files: connections, 0 = an error.
int room_under(rlim_t files, std::size_t connections) {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        const rlimit limit{files, files};
        setrlimit(RLIMIT_NOFILE, &limit);
        const auto room = wire::room_for(connections);
        _exit(room ? static_cast<int>(std::min<std::size_t>(*room, 255)) : 0);
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("admission: a key's handshakes are a burst and then so many a second") {
    wire::Admission admission(few());
    const wire::Admission::Time start{};
    for (int i = 0; i < 4; ++i) CHECK(admission.admit("a", start));
    CHECK_FALSE(admission.admit("a", start));
    CHECK(admission.admit("b", start));  // another key has its own
    CHECK_FALSE(admission.admit("a", start + 400ms));
    CHECK(admission.admit("a", start + 600ms));
    CHECK_FALSE(admission.admit("a", start + 700ms));
    CHECK(admission.admit("a", start + 60s));
}

TEST_CASE("admission: proven connections that stay silent are few, until somebody cut them") {
    auto limits = few();
    limits.handshakes_burst = limits.handshakes_per_s = 1000;
    limits.silent_max = 2;
    wire::Admission admission(limits);
    const wire::Admission::Time start{};
    CHECK(admission.admit("a", start));
    CHECK(admission.admit("a", start));
    CHECK_FALSE(admission.admit("a", start));
    admission.heard("a");
    CHECK(admission.admit("a", start));
    CHECK_FALSE(admission.admit("a", start + 9s));
    CHECK(admission.admit("a", start + 11s));
}

TEST_CASE("admission: who is barred stays out until then, and rows of the past are forgotten") {
    wire::Admission admission(few());
    const wire::Admission::Time start{};
    CHECK(admission.admit("a", start));
    admission.bar("a", start + 10s);
    CHECK_FALSE(admission.admit("a", start + 9s));
    CHECK(admission.admit("a", start + 11s));
    for (int i = 0; i < 1000; ++i) {
        (void)admission.admit("key " + std::to_string(i), start + i * 1min);
    }
    CHECK(admission.size() < 100);
}

TEST_CASE(
    "descriptors: the soft limit is raised, else connections are fewer, else it is an error") {
    CHECK(room_under(4096, 200) == 200);
    CHECK(room_under(300, 200) == 150);
    CHECK(room_under(100, 200) == 0);
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    if (before.rlim_max < 2048) {
        WARN("SKIP: the hard limit on files is below 2048");
        return;
    }
    const rlimit low{256, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK(wire::room_for(1024).value_or(0) == 1024);
    rlimit after{};
    getrlimit(RLIMIT_NOFILE, &after);
    CHECK(after.rlim_cur == 1024 + 512);
    setrlimit(RLIMIT_NOFILE, &before);
}
