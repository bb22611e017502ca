#pragma once

#include <string>

#include "protocol/metrics/metrics.hpp"

namespace clarity::coordinator {

/// The coordinator's numbers: names without the "orchestrix_" in front; the help texts are kept in
/// one table here. Any thread.
class Counters {
  public:
    using Labels = Metrics::Labels;

    /// Counters end in "_total".
    void count(const std::string& name, const Labels& labels = {}, double by = 1);
    void set(const std::string& name, double value, const Labels& labels = {});
    /// Prometheus text format.
    [[nodiscard]] std::string text() const { return metrics_.text(); }

  private:
    Metrics metrics_;
};

}  // namespace clarity::coordinator
