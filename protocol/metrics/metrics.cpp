#include "protocol/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace clarity {

struct Metrics::Families {
    prometheus::Registry registry;
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::add(const std::string& name, const std::string& help, double amount,
                  const Labels& labels) {
    // Registering an existing family or metric returns the one that is there.
    prometheus::BuildCounter()
        .Name(name)
        .Help(help)
        .Register(families_->registry)
        .Add(labels)
        .Increment(amount);
}

void Metrics::rise_to(const std::string& name, const std::string& help, double total,
                      const Labels& labels) {
    auto& counter =
        prometheus::BuildCounter().Name(name).Help(help).Register(families_->registry).Add(labels);
    counter.Increment(std::max(0.0, total - counter.Value()));
}

void Metrics::set(const std::string& name, const std::string& help, double value,
                  const Labels& labels) {
    prometheus::BuildGauge()
        .Name(name)
        .Help(help)
        .Register(families_->registry)
        .Add(labels)
        .Set(value);
}

std::string Metrics::text() const {
    return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace clarity
