#include "coordinator/deployment_state.hpp"

#include <catch2/catch.hpp>

using namespace clarity;
using namespace clarity::coordinator;

namespace {

/// A server whose plan 7 is at its end, failed, with one service in this state.
ServerView failed_with(ServiceState state, Health health) {
    ServiceStatus service;
    service.name = "app";
    service.state = state;
    service.health = health;
    Record record;
    record.plan_seq = 7;
    record.plan_settled = true;
    record.plan_failed = true;
    record.services = {service};
    ServerView view;
    view.member.server_id = "a";
    view.state = "alive";
    view.record = record;
    return view;
}

std::string_view state_of(ServiceState state, Health health) {
    return name_of(deployment_state(7, {"a"}, {failed_with(state, health)}));
}

}  // namespace

TEST_CASE("deployment state: a failed service that is healthy runs its last good version") {
    CHECK(state_of(ServiceState::failed, Health::healthy) == "rolled_back");
    CHECK(state_of(ServiceState::running, Health::healthy) == "rolled_back");
}

TEST_CASE("deployment state: a failed service that does not run makes the deployment failed") {
    CHECK(state_of(ServiceState::failed, Health::unhealthy) == "failed");
    CHECK(state_of(ServiceState::failed, Health::unknown) == "failed");
    CHECK(state_of(ServiceState::waiting, Health::unknown) == "failed");
}
