#include <catch2/catch.hpp>
#include <string>

#include "protocol/endpoint.hpp"

using namespace clarity;

TEST_CASE("endpoint: a member's word is given to the transport only where it is plain TCP") {
    for (const auto* good : {"tcp://10.0.0.1:8472", "tcp://edge-1.lan:1", "tcp://[fd00::1]:65535",
                             "tcp://127.0.0.1:8472", "tcp://3com.example:8472"}) {
        CAPTURE(good);
        CHECK(is_mesh_endpoint(good));
    }
    for (const auto* bad : {"",
                            "10.0.0.1:8472",
                            "ipc:///run/x",
                            "inproc://x",
                            "tcp://",
                            "tcp://:8472",
                            "tcp://10.0.0.1",
                            "tcp://10.0.0.1:0",
                            "tcp://10.0.0.1:65536",
                            "tcp://10.0.0.1:8472x",
                            "tcp://10.0.0.1:*",
                            "tcp://*:8472",
                            "tcp://0.0.0.0:8472",
                            "tcp://[::]:8472",
                            "tcp://eth0;10.0.0.1:8472",
                            "tcp://10.0.0.1:8472\n",
                            "tcp://a b:1",
                            "tcp://1.2.3:1",
                            "udp://10.0.0.1:8472",
                            "tcp://-x:1",
                            "tcp://fd00::1:1"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_mesh_endpoint(bad));
    }
    CHECK_FALSE(is_mesh_endpoint("tcp://" + std::string(200, 'a') + ":1"));
}

TEST_CASE("endpoint: the swarm's address is numeric") {
    CHECK(is_swarm_endpoint("10.0.0.1:8473"));
    CHECK(is_swarm_endpoint("[fd00::1]:8473"));
    for (const auto* bad : {"", "edge-1:8473", "tcp://10.0.0.1:8473", "10.0.0.1", "0.0.0.0:8473",
                            "[::]:8473", "10.0.0.1:0"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_swarm_endpoint(bad));
    }
}
