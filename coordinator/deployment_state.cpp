#include "coordinator/deployment_state.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace clarity::coordinator {
namespace {

constexpr std::array<std::pair<DeploymentState, std::string_view>, 5> names{{
    {DeploymentState::pending, "pending"},
    {DeploymentState::running, "running"},
    {DeploymentState::done, "done"},
    {DeploymentState::failed, "failed"},
    {DeploymentState::rolled_back, "rolled_back"},
}};

/// Whether a service does not run. One that failed and is healthy runs its last good version.
bool is_down(const Record& record) {
    return std::any_of(record.services.begin(), record.services.end(), [](const auto& service) {
        const bool failed = service.state == ServiceState::failed;
        return (failed && service.health != Health::healthy) ||
               service.state == ServiceState::waiting;
    });
}

}  // namespace

std::string_view name_of(DeploymentState state) {
    for (const auto& [each, name] : names) {
        if (each == state) return name;
    }
    return "pending";
}

DeploymentState deployment_state_from(std::string_view name) {
    for (const auto& [each, text] : names) {
        if (text == name) return each;
    }
    return DeploymentState::pending;
}

bool is_final(DeploymentState state) {
    return state != DeploymentState::pending && state != DeploymentState::running;
}

DeploymentState deployment_state(std::uint64_t seq, const std::vector<std::string>& server_ids,
                                 const std::vector<ServerView>& site) {
    std::size_t reached = 0;
    std::size_t settled = 0;
    std::size_t failed = 0;
    bool down = false;
    for (const auto& id : server_ids) {
        const auto at = std::find_if(site.begin(), site.end(), [&](const ServerView& view) {
            return view.member.server_id == id;
        });
        if (at == site.end() || !at->record || at->record->plan_seq < seq) continue;
        ++reached;
        if (!at->record->plan_settled && at->record->plan_seq == seq) continue;
        ++settled;
        // A later plan's failure is not this one's.
        if (at->record->plan_failed && at->record->plan_seq == seq) {
            ++failed;
            down = down || is_down(*at->record);
        }
    }
    if (reached == 0) return server_ids.empty() ? DeploymentState::done : DeploymentState::pending;
    if (failed > 0 && settled == reached) {
        return down ? DeploymentState::failed : DeploymentState::rolled_back;
    }
    return settled == server_ids.size() ? DeploymentState::done : DeploymentState::running;
}

}  // namespace clarity::coordinator
