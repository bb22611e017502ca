#pragma once

#include <cstddef>
#include <string>

namespace clarity {

/// Gives back what only the start needed: free heap, and the pages of programs and libraries that
/// the start has read through (RocksDB's and libtorrent's tables of options alone are 10 MB). Pages
/// still in use come back from the page cache by themselves. Any thread; takes a few milliseconds.
/// Returns the bytes of code let go. On a host without /proc it does the heap alone.
std::size_t give_back_start_up_memory();

/// To be called first of all, before any thread: one heap for all threads, which grows in larger
/// steps. A heap per thread costs some 100 KB each and, as it grows by a page at a time, a system
/// call for every few allocations of the network threads.
void use_one_heap();

/// A line of /proc/self/maps that is code of a file: executable, never written to.
struct CodeRange {
    std::size_t begin = 0;
    std::size_t end = 0;  ///< 0 = the line is none
};
[[nodiscard]] CodeRange code_range_of(const std::string& maps_line);

}  // namespace clarity
