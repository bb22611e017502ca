#pragma once

#include <string>
#include <vector>

namespace clarity::cli {

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::left;
    bool shrinks = false;  ///< may be cut with "…" when the table is wider than the terminal
};

/// Rows under titles, columns two spaces apart, no ruling and no trailing blanks: reads well, and
/// cuts well with awk. Cells are UTF-8; unsafe characters are made safe (see printable()).
class Table {
  public:
    explicit Table(std::vector<Column> columns);

    /// Missing cells are empty; cells beyond the columns are dropped. An empty cell shows as "-".
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }

    /// The table's lines, each ended by a line break. `width_max` 0 = as wide as it needs.
    [[nodiscard]] std::string text(std::size_t width_max = 0) const;

  private:
    [[nodiscard]] std::vector<std::size_t> widths(std::size_t width_max) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace clarity::cli
