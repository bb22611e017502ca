#include "protocol/wire/sodium_memory.hpp"

#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

extern "C" {
void* sodium_allocarray(std::size_t count, std::size_t bytes);
void sodium_free(void* memory);
}

// Goal: libzmq makes no mapping for each frame. Method: where the dynamic linker finds what libzmq
// calls.
TEST_CASE("sodium memory: libzmq's frames lie in the program's own heap") {
    clarity::wire::use_plain_sodium_memory();
    for (const char* name : {"sodium_allocarray", "sodium_free"}) {
        CAPTURE(name);
        Dl_info where{};
        REQUIRE(dladdr(dlsym(RTLD_DEFAULT, name), &where) != 0);
        CHECK(std::string(where.dli_fname).find("libsodium") == std::string::npos);
    }
    CHECK(sodium_allocarray(SIZE_MAX / 2, 3) == nullptr);
    auto* const memory = static_cast<unsigned char*>(sodium_allocarray(3, 100));
    REQUIRE(memory != nullptr);
    memory[299] = 1;
    sodium_free(memory);
    sodium_free(nullptr);
}
