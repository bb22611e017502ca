// The one translation unit with Catch2's own code: it takes ten seconds to compile.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "protocol/keys.hpp"

int main(int argc, char** argv) {
    clarity::init_crypto();
    return Catch::Session().run(argc, argv);
}
