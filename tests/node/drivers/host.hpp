#pragma once

#include <catch2/catch.hpp>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "node/drivers/factories.hpp"
#include "node/drivers/process.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"

namespace clarity {

/// A folder of its own under /tmp; services of it are removed by the test, the folder here.
struct TempHost {
    std::string root;
    DriverSettings settings;

    TempHost() {
        char name[] = "/tmp/clarity-drivers-XXXXXX";
        root = ::mkdtemp(name);
        settings.node_id = "node-" + std::to_string(::getpid());
        settings.state_dir = root + "/state";
        settings.service_root = root + "/services";
        settings.agent_program = TEST_SHIM;
        settings.service_manager = "builtin";
    }
    ~TempHost() { (void)remove_all(root); }
    TempHost(const TempHost&) = delete;
    TempHost& operator=(const TempHost&) = delete;
};

template <class Condition>
bool eventually(Condition condition, int timeout_ms = 15'000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

/// REQUIRE with the error's text.
template <class T>
void require_ok(const Result<T>& result) {
    INFO((result ? std::string() : result.error().message));
    REQUIRE(result.has_value());
}

inline int shell(const std::string& command) {
    return ::system(command.c_str());
}

}  // namespace clarity
