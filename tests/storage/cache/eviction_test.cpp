#include "storage/cache/eviction.hpp"

#include <catch2/catch.hpp>

using namespace clarity;

namespace {

Digest digest(unsigned char number) {
    Digest out;
    out.data[0] = number;
    return out;
}

EvictionCandidate candidate(unsigned char number, std::int64_t used, Keep keep) {
    return {digest(number), 100, used, keep};
}

using List = std::vector<Digest>;

}  // namespace

TEST_CASE("eviction: nothing goes below the high mark, nor without a limit") {
    const std::vector<EvictionCandidate> all{candidate(1, 1, Keep::no)};
    CHECK(choose_evictions({.total_bytes = 950, .limit_bytes = 1000}, all).empty());
    CHECK(choose_evictions({.total_bytes = 1ULL << 60, .limit_bytes = 0}, all).empty());
    CHECK(choose_evictions({.total_bytes = 951, .limit_bytes = 1000}, all) == List{digest(1)});
}

TEST_CASE("eviction: surplus copies go down to the low mark, the oldest first") {
    const std::vector<EvictionCandidate> all{
        candidate(1, 50, Keep::no), candidate(2, 10, Keep::no), candidate(3, 30, Keep::no),
        candidate(4, 1, Keep::if_room), candidate(5, 2, Keep::yes)};
    CHECK(choose_evictions({.total_bytes = 1000, .limit_bytes = 1000}, all) ==
          List{digest(2), digest(3)});
}

TEST_CASE("eviction: copies kept while there is room go only to get below the high mark") {
    const std::vector<EvictionCandidate> all{
        candidate(1, 50, Keep::no), candidate(2, 10, Keep::if_room),
        candidate(3, 30, Keep::if_room), candidate(4, 1, Keep::if_room),
        candidate(5, 2, Keep::yes)};
    // 1200 - 100 is still over 950: of the kept ones two go, the last stays.
    CHECK(choose_evictions({.total_bytes = 1200, .limit_bytes = 1000}, all) ==
          List{digest(1), digest(4), digest(2)});
    // What the site needs stays, whatever the limit.
    CHECK(choose_evictions({.total_bytes = 1U << 30, .limit_bytes = 1000},
                           {candidate(5, 2, Keep::yes)})
              .empty());
}

TEST_CASE("eviction: a disk without room for what comes counts like the limit") {
    const std::vector<EvictionCandidate> all{candidate(1, 2, Keep::no), candidate(2, 1, Keep::no),
                                             candidate(3, 3, Keep::no)};
    CHECK(choose_evictions({.total_bytes = 300, .disk_short_bytes = 150}, all) ==
          List{digest(2), digest(1)});
}
