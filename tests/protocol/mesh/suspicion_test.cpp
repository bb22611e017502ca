#include "protocol/mesh/suspicion.hpp"

#include <catch2/catch.hpp>

using clarity::mesh::Suspicion;

TEST_CASE("mesh suspicion: accusers shorten it to its minimum, patience stretches it") {
    Suspicion suspicion(1'000, 2'000, 6'000, 3);
    CHECK(suspicion.accuse(1));
    CHECK(suspicion.deadline() == 7'000);
    CHECK(suspicion.deadline(1.5) == 10'000);
    CHECK(suspicion.accuse(2));
    CHECK_FALSE(suspicion.accuse(2));
    CHECK(suspicion.deadline() == 5'000);
    CHECK(suspicion.accuse(3));
    CHECK(suspicion.accuse(4));
    CHECK(suspicion.deadline() == 3'000);
    CHECK(suspicion.deadline(4) == 9'000);
    CHECK_FALSE(suspicion.accuse(5));  // no more than count
    CHECK(suspicion.deadline() == 3'000);

    const Suspicion lone(1'000, 2'000, 6'000, 0);  // nobody else could accuse it
    CHECK(lone.deadline() == 3'000);
    CHECK(lone.deadline(2) == 5'000);
}
