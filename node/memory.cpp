#include "node/memory.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <charconv>
#include <fstream>

namespace clarity {

CodeRange code_range_of(const std::string& line) {
    // 7f00a000-7f00b000 r-xp 00000000 08:01 1234      /usr/lib/libx.so
    CodeRange out;
    const char* const end = line.data() + line.size();
    const auto first = std::from_chars(line.data(), end, out.begin, 16);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return {};
    const auto second = std::from_chars(first.ptr + 1, end, out.end, 16);
    if (second.ec != std::errc{} || out.end <= out.begin) return {};
    const std::string_view rest(second.ptr, static_cast<std::size_t>(end - second.ptr));
    // Not r--p: there lie relocated tables, which no file could give back.
    if (!rest.starts_with(" r-xp ") || rest.find(" /") == std::string_view::npos) return {};
    return out;
}

void use_one_heap() {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, 256 << 10);
}

std::size_t give_back_start_up_memory() {
    malloc_trim(0);
    std::size_t bytes = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        const auto range = code_range_of(line);
        if (range.end == 0) continue;
        auto* const begin = reinterpret_cast<void*>(range.begin);  // NOLINT: the kernel's numbers
        if (madvise(begin, range.end - range.begin, MADV_DONTNEED) == 0) {
            bytes += range.end - range.begin;
        }
    }
    return bytes;
}

}  // namespace clarity
