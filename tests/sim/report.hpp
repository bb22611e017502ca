#pragma once

#include <cstdint>
#include <vector>

namespace clarity::sim {

struct ReportSettings {
    std::vector<std::size_t> nodes{16, 64, 256, 1'000, 10'000};
    std::uint64_t seed = 1;
    bool figures = true;     ///< times, traffic, memory
    bool deaths = true;      ///< false ones, at each loss
    bool cold = false;       ///< start large sites cold too: minutes of processor
    double node_hours = 20;  ///< watched for false deaths at each loss; more at 10,000 nodes
};

/// Measures a site of each size and prints the figures side by side; false when a property failed.
bool print_report(const ReportSettings& settings);

}  // namespace clarity::sim
