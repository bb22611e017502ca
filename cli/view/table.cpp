#include "cli/view/table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "cli/view/width.hpp"

namespace clarity::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 8;

void put(std::string& line, const std::string& cell, std::size_t width, Align align, bool last) {
    const auto shown = fit(cell, width);
    const std::size_t pad = width - std::min(width, display_width(shown));
    if (align == Align::right) line.append(pad, ' ');
    line += shown;
    if (align == Align::left && !last) line.append(pad, ' ');
    if (!last) line.append(gap, ' ');
}

void end_line(std::string& text, std::string line) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    text += line;
    text += '\n';
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (auto& cell : cells) cell = cell.empty() ? "-" : printable(cell);
    rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t width_max) const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = display_width(columns_[i].title);
        for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
        widths.push_back(width);
    }
    if (width_max == 0 || widths.empty()) return widths;
    const std::size_t gaps = gap * (widths.size() - 1);
    std::size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
    // The widest column that may shrink gives way first, column by column.
    while (total > width_max) {
        std::size_t widest = widths.size();
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const std::size_t floor = std::max(narrowest, display_width(columns_[i].title));
            if (!columns_[i].shrinks || widths[i] <= floor) continue;
            if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
        }
        if (widest == widths.size()) break;
        --widths[widest];
        --total;
    }
    return widths;
}

std::string Table::text(std::size_t width_max) const {
    const auto wide = widths(width_max);
    std::string out;
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        put(line, columns_[i].title, wide[i], columns_[i].align, i + 1 == columns_.size());
    }
    end_line(out, std::move(line));
    for (const auto& row : rows_) {
        line.clear();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            put(line, row[i], wide[i], columns_[i].align, i + 1 == columns_.size());
        }
        end_line(out, std::move(line));
    }
    return out;
}

}  // namespace clarity::cli
