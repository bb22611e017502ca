#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace clarity::cli {

/// Columns that UTF-8 text takes on a terminal: 0 for combining marks, 2 for East Asian wide
/// characters and emoji. Bytes that are not UTF-8 count as one replacement character each.
/// Source: Unicode Standard Annex 11, the ranges that matter to names and messages.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// The text, at most `width` columns of it; where it is cut, the last column is "…".
[[nodiscard]] std::string fit(std::string_view text, std::size_t width);

/// The text in lines of at most `width` columns, broken at blanks; lines after the first begin with
/// two blanks. A word that is longer stays whole (a path, a digest: to be copied). 0 = one line.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// The text in one safe line: control characters (an escape sequence in a file's name or in an
/// agent's message, a line break) become spaces, bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string printable(std::string_view text);

/// Whether all of it is UTF-8 (no overlong forms, no surrogates).
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace clarity::cli
