#pragma once

#include <catch2/catch.hpp>

#include "tests/cli/fake_coordinator.hpp"
#include "tests/cli/process.hpp"

namespace clarity::test {

/// A person with a configuration folder of their own, who runs the real program.
struct Person {
    TempFolder home;

    [[nodiscard]] Finished run(std::vector<std::string> arguments, Run how = {}) const {
        how.arguments = std::move(arguments);
        how.environment["CLARITY_CONFIG_DIR"] = home.path() + "/config";
        how.environment["TERM"] = "xterm";
        return run_process(CLARITY_PROGRAM, how);
    }
    /// Logged in, by a token on standard input and the CA's fingerprint.
    void login(const FakeCoordinator& coordinator) const {
        Run how;
        how.input = std::string(FakeCoordinator::token) + "\n";
        const auto done = run({"login", coordinator.url(), "--token-file", "-", "--ca-fingerprint",
                               coordinator.fingerprint()},
                              how);
        CAPTURE(done.err);
        REQUIRE(done.code == 0);
    }
};

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace clarity::test
