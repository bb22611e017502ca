#include <catch2/catch.hpp>

#include "protocol/rollout.hpp"

using namespace clarity;

namespace {

Plan plan_of(int servers, std::vector<std::int32_t> priorities) {
    Plan plan;
    plan.seq = 5;
    for (int i = 0; i < servers; ++i) {
        ServerPlan server{"s" + std::to_string(i), {}};
        for (const auto priority : priorities) {
            Service service;
            service.name = "w" + std::to_string(priority);
            service.priority = priority;
            server.services.push_back(service);
        }
        plan.servers.push_back(server);
    }
    return plan;
}

RecordSummary done(const Plan& plan, std::vector<std::int32_t> priorities) {
    RecordSummary out{true, plan.seq, true, false, {}};
    for (const auto priority : priorities) {
        ServiceStatus status;
        status.name = "w" + std::to_string(priority);
        status.state = ServiceState::running;
        status.plan_seq = plan.seq;
        out.services.push_back(status);
    }
    return out;
}

}  // namespace

TEST_CASE("rollout: without waves, canary or batches everybody goes at once") {
    const auto plan = plan_of(3, {0});
    CHECK(rollout_gate(plan, "s2", 0, {}).gate == Gate::go);
}

TEST_CASE("rollout: a wave waits for the earlier wave on every server") {
    const auto plan = plan_of(2, {1, 2});
    std::map<std::string, RecordSummary> others{{"s0", {true, 4, true, false, {}}}};
    CHECK(rollout_gate(plan, "s1", 1, others).gate == Gate::go);
    CHECK(rollout_gate(plan, "s1", 2, others).gate == Gate::wait);
    others["s0"] = done(plan, {1});
    CHECK(rollout_gate(plan, "s1", 2, others).gate == Gate::go);
}

TEST_CASE("rollout: the canary goes first, then batches in the plan's order") {
    auto plan = plan_of(5, {0});
    plan.rollout.canary = 1;
    plan.rollout.batch_size = 2;
    const auto groups = rollout_groups(plan, 0);
    CHECK(groups.at("s0") == 0);
    CHECK(groups.at("s1") == 1);
    CHECK(groups.at("s2") == 1);
    CHECK(groups.at("s3") == 2);
    std::map<std::string, RecordSummary> others;
    for (const auto& server : plan.servers) others[server.server_id] = {true, 5, false, false, {}};
    CHECK(rollout_gate(plan, "s0", 0, others).gate == Gate::go);
    CHECK(rollout_gate(plan, "s1", 0, others).gate == Gate::wait);
    others["s0"] = done(plan, {0});
    CHECK(rollout_gate(plan, "s1", 0, others).gate == Gate::go);
    CHECK(rollout_gate(plan, "s3", 0, others).gate == Gate::wait);
}

TEST_CASE("rollout: failed and unreachable servers count apart") {
    auto plan = plan_of(4, {1, 2});
    plan.rollout.max_unreachable = 1;
    std::map<std::string, RecordSummary> others{{"s1", done(plan, {1})}, {"s2", done(plan, {1})}};
    CHECK(rollout_gate(plan, "s0", 2, others).gate == Gate::go);  // s3 was never heard of
    others["s2"] = {false, 4, false, false, {}};
    const auto waits = rollout_gate(plan, "s0", 2, others);
    CHECK(waits.gate == Gate::wait);
    CHECK(waits.reason.find("cannot be reached") != std::string::npos);
    others["s2"] = done(plan, {1});
    others["s2"].alive = false;  // lost after it was done
    CHECK(rollout_gate(plan, "s0", 2, others).gate == Gate::go);
    others["s1"].failed = true;
    CHECK(rollout_gate(plan, "s0", 2, others).gate == Gate::back);
    plan.rollout.auto_rollback = false;
    CHECK(rollout_gate(plan, "s0", 2, others).gate == Gate::halt);
    plan.rollout.max_failed = 1;
    CHECK(rollout_gate(plan, "s0", 2, others).gate == Gate::go);
}

TEST_CASE("rollout: failures of another plan do not count") {
    const auto plan = plan_of(2, {0});
    std::map<std::string, RecordSummary> others{{"s1", {true, 4, true, true, {}}}};
    CHECK(rollout_gate(plan, "s0", 0, others).gate == Gate::go);
}
