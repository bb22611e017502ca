#include "node/memory.hpp"

#include <catch2/catch.hpp>

namespace clarity {

TEST_CASE("memory: only code of files is given back, never what was written to") {
    const auto code = code_range_of(
        "7f00a000-7f00c000 r-xp 00001000 08:01 1234      /usr/lib/x86_64-linux-gnu/libx.so.1");
    CHECK(code.begin == 0x7f00a000);
    CHECK(code.end == 0x7f00c000);
    for (const auto* line :
         {"7f00a000-7f00c000 r--p 00001000 08:01 1234      /usr/lib/libx.so.1",
          "7f00a000-7f00c000 rwxp 00001000 08:01 1234      /usr/lib/libx.so.1",
          "7f00a000-7f00c000 rw-p 00000000 00:00 0         [heap]",
          "7fffa000-7fffc000 r-xp 00000000 00:00 0         [vdso]",
          "7f00a000-7f00c000 r-xp 00000000 00:00 0", "7f00c000-7f00a000 r-xp 0 0 0 /x", "", "x"}) {
        CAPTURE(line);
        CHECK(code_range_of(line).end == 0);
    }
}

TEST_CASE("memory: the program goes on as before once its code was given back") {
    CHECK(give_back_start_up_memory() > 0);
    CHECK(code_range_of("1000-2000 r-xp 0 0:0 1 /bin/x").end == 0x2000);
}

}  // namespace clarity
