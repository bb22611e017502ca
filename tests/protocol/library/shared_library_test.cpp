#include "protocol/library/shared_library.hpp"

#include <catch2/catch.hpp>

using namespace clarity;

TEST_CASE("a library's functions can be called once it is open") {
    const auto library = SharedLibrary::open("libm.so.6");
    REQUIRE(library);
    double (*root)(double) = nullptr;
    REQUIRE(library->find("sqrt", root));
    CHECK(root(9.0) == 3.0);
}

TEST_CASE("what a host lacks is named: the library, or its function") {
    const auto none = SharedLibrary::open("libclarity-nowhere.so.1");
    REQUIRE(!none);
    CHECK(none.error().code == Errc::unavailable);
    CHECK(none.error().message.starts_with("libclarity-nowhere.so.1 "));

    const auto library = SharedLibrary::open("libm.so.6");
    REQUIRE(library);
    void (*absent)() = nullptr;
    const auto found = library->find("clarity_has_no_such_function", absent);
    REQUIRE(!found);
    CHECK(found.error().code == Errc::unavailable);
    CHECK(found.error().message.find("clarity_has_no_such_function") != std::string::npos);
    CHECK(absent == nullptr);
}
