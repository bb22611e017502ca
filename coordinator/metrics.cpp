#include "coordinator/metrics.hpp"

#include <map>

namespace clarity::coordinator {
namespace {

const std::string& help_of(const std::string& name) {
    static const std::string none;
    static const std::map<std::string, std::string> help = {
        {"http_requests_total", "REST requests by method, route and status."},
        {"deployments_total",
         "Deployments by result: published, unchanged, done, failed, rolled_back."},
        {"agents_enrolled", "Members of the roster by site."},
        {"agents_connected", "Control connections of uplinks, by site."},
        {"agents_alive", "Servers seen alive, by site."},
        {"enrolments_total", "Servers enrolled."},
        {"tokens_refused_total", "Join tokens refused."},
        {"auth_failures_total", "API requests without a valid bearer token."},
        {"reports_total", "Site reports taken from uplinks."},
        {"report_resyncs_total", "Reports that showed another view than known here."},
        {"control_bytes_total", "Bytes of control frames by direction."},
        {"records_refused_total", "Node records refused: signature, size or not a member."},
        {"control_frames_refused_total", "Control frames refused: malformed or not a member's."},
        {"start_time_seconds", "When the coordinator started, unix time."},
    };
    const auto at = help.find(name);
    return at == help.end() ? none : at->second;
}

}  // namespace

void Counters::count(const std::string& name, const Labels& labels, double by) {
    metrics_.add("orchestrix_" + name, help_of(name), by, labels);
}

void Counters::set(const std::string& name, double value, const Labels& labels) {
    metrics_.set("orchestrix_" + name, help_of(name), value, labels);
}

}  // namespace clarity::coordinator
