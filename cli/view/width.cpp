#include "cli/view/width.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace clarity::cli {
namespace {

struct Decoded {
    char32_t code = U'\uFFFD';
    std::size_t length = 1;
    bool valid = false;
};

/// The character at the front of `text`, which is not empty. Overlong forms and surrogates are
/// not valid.
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return {first, 1, true};
    std::size_t length = 0;
    char32_t code = 0;
    char32_t least = 0;
    if ((first & 0xE0U) == 0xC0U) {
        length = 2, code = first & 0x1FU, least = 0x80;
    } else if ((first & 0xF0U) == 0xE0U) {
        length = 3, code = first & 0x0FU, least = 0x800;
    } else if ((first & 0xF8U) == 0xF0U) {
        length = 4, code = first & 0x07U, least = 0x10000;
    } else {
        return {};
    }
    if (text.size() < length) return {};
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return {};
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < least || code > 0x10FFFF || surrogate) return {};
    return {code, length, true};
}

struct Range {
    char32_t first;
    char32_t last;
};

constexpr Range zero_width[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0981, 0x0981},
    {0x09BC, 0x09BC}, {0x09C1, 0x09C4}, {0x09CD, 0x09CD}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
    {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E},
    {0x2060, 0x2064}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}};

constexpr Range double_width[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},   {0x2E80, 0x303E},
    {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
    {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
    {0x1F900, 0x1F9FF}, {0x20000, 0x2FFFD}, {0x30000, 0x3FFFD}};

template <std::size_t N>
bool within(const Range (&ranges)[N], char32_t code) {
    const auto* at = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                      [](char32_t c, const Range& r) { return c < r.first; });
    return at != std::begin(ranges) && code <= std::prev(at)->last;
}

std::size_t width_of(char32_t code) {
    if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return 0;
    if (code < 0x300) return 1;
    if (within(zero_width, code)) return 0;
    return within(double_width, code) ? 2 : 1;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto next = decode(text);
        width += next.valid ? width_of(next.code) : 1;
        text.remove_prefix(next.length);
    }
    return width;
}

std::string fit(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    if (width == 0) return "";
    std::size_t used = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const auto next = decode(text.substr(at));
        const std::size_t wide = next.valid ? width_of(next.code) : 1;
        if (used + wide > width - 1) break;
        used += wide;
        at += next.length;
    }
    return std::string(text.substr(0, at)) + "…";
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto next = decode(text);
        if (!next.valid) {
            out += "\uFFFD";
        } else if (next.code < 0x20 || (next.code >= 0x7F && next.code < 0xA0) ||
                   (next.code >= 0x202A && next.code <= 0x202E)) {
            out += ' ';
        } else {
            out += text.substr(0, next.length);
        }
        text.remove_prefix(next.length);
    }
    return out;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto next = decode(text);
        if (!next.valid) return false;
        text.remove_prefix(next.length);
    }
    return true;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
    std::vector<std::string> lines;
    if (width == 0 || display_width(text) <= width) return {std::string(text)};
    std::string line;
    for (std::size_t at = 0; at < text.size();) {
        // A word with the blanks before it, which go where the line breaks.
        const auto begin = std::min(text.find_first_not_of(' ', at), text.size());
        const auto end = std::min(text.find(' ', begin), text.size());
        const auto word = text.substr(begin, end - begin);
        const auto blanks = begin - at;
        const bool empty = line.find_first_not_of(' ') == std::string::npos;
        if (!empty && display_width(line) + blanks + display_width(word) > width) {
            lines.push_back(std::move(line));
            line = "  ";
        } else {
            line.append(blanks, ' ');
        }
        line += word;
        at = end;
    }
    if (!line.empty()) lines.push_back(std::move(line));
    return lines;
}

}  // namespace clarity::cli
