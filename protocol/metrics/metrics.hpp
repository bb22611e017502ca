#pragma once

#include <map>
#include <memory>
#include <string>

namespace clarity {

/// The numbers a daemon shows at /metrics, in the Prometheus text format. Names follow Prometheus:
/// `orchestrix_agent_wan_bytes_total`, base units, `_total` for counters. Any thread may call.
class Metrics {
  public:
    using Labels = std::map<std::string, std::string>;

    Metrics();
    ~Metrics();

    /// Adds to a counter; the first call declares it with its help text.
    void add(const std::string& name, const std::string& help, double amount = 1,
             const Labels& labels = {});
    /// Brings a counter up to a total that is counted elsewhere; a lower one changes nothing.
    void rise_to(const std::string& name, const std::string& help, double total,
                 const Labels& labels = {});
    /// Sets a gauge.
    void set(const std::string& name, const std::string& help, double value,
             const Labels& labels = {});
    /// The exposition text of everything.
    [[nodiscard]] std::string text() const;

  private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace clarity
