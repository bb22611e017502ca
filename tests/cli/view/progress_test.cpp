#include <catch2/catch.hpp>

#include "cli/view/outcome.hpp"
#include "cli/view/progress.hpp"
#include "cli/view/status_text.hpp"
#include "cli/view/width.hpp"

using namespace clarity;
using namespace clarity::cli;

namespace {

Json server(const char* name, std::uint64_t seq, bool settled, const char* service_state) {
    return Json{{"server", name},
                {"state", "alive"},
                {"plan_seq", seq},
                {"settled", settled},
                {"failed", false},
                {"services", Json::array({Json{{"artifact", "web"},
                                               {"version", "2.0.0"},
                                               {"state", service_state},
                                               {"detail", ""}}})}};
}

Json artifact(double one, double two, std::uint64_t wan, std::uint64_t lan) {
    Json holders = Json::array();
    if (one >= 1) holders.push_back("edge-1");
    if (two >= 1) holders.push_back("edge-2");
    return Json{{"artifact", "web"},      {"version", "2.0.0"},
                {"size_bytes", 1000},     {"fetcher", "edge-1"},
                {"holders", holders},     {"wan_bytes", wan},
                {"lan_bytes", lan},       {"progress", {{"edge-1", one}, {"edge-2", two}}},
                {"errors", Json::array()}};
}

Json status(std::vector<Json> servers, std::vector<Json> artifacts) {
    return Json{{"servers", servers}, {"artifacts", artifacts}};
}

Json deployment(const char* state, std::vector<Json> servers) {
    return Json{{"state", state}, {"seq", 7}, {"servers", servers}};
}

Json placed(const char* mesh_state, bool settled, bool failed, std::uint64_t seq = 7) {
    return Json{{"hostname", "edge"},
                {"state", mesh_state},
                {"plan_seq", seq},
                {"settled", settled},
                {"failed", failed}};
}

}  // namespace

TEST_CASE("progress: rates and the estimate come from the last seconds", "[cli]") {
    Progress progress(2, {});
    progress.update(
        status({server("edge-1", 2, false, "downloading")}, {artifact(0.1, 0.0, 100, 0)}), 0);
    CHECK_FALSE(progress.artifacts().at(0).remaining_s);
    progress.update(
        status({server("edge-1", 2, false, "downloading")}, {artifact(0.5, 0.4, 500, 400)}), 2'000);
    const auto& now = progress.artifacts().at(0);
    CHECK(now.wan_rate == Approx(200));
    CHECK(now.lan_rate == Approx(200));
    CHECK(now.fraction == Approx(0.4));
    REQUIRE(now.remaining_s);
    CHECK(*now.remaining_s == Approx(3.0));
    // Much later with nothing moved, the rate has come down instead of lingering.
    progress.update(status({}, {artifact(0.5, 0.4, 500, 400)}), 20'000);
    progress.update(status({}, {artifact(0.5, 0.4, 500, 400)}), 26'000);
    CHECK(progress.artifacts().at(0).wan_rate == Approx(0));
    CHECK_FALSE(progress.artifacts().at(0).remaining_s);
}

TEST_CASE("progress: what the site held before is not counted to this deployment", "[cli]") {
    Progress progress(2, {});
    progress.update(status({}, {artifact(1, 1, 1000, 1000)}), 0);
    CHECK(progress.artifacts().at(0).wan_bytes == 0);
    CHECK(progress.artifacts().at(0).complete());
}

TEST_CASE("progress: artifacts of other deployments are left out", "[cli]") {
    Progress progress(2, {"other@1.0.0"});
    progress.update(status({}, {artifact(0.1, 0, 1, 1)}), 0);
    CHECK(progress.artifacts().empty());
}

TEST_CASE("progress: a server of an older plan is waiting, whatever it says", "[cli]") {
    Progress progress(3, {});
    progress.update(status({server("edge-1", 2, true, "running")}, {}), 0);
    CHECK_FALSE(progress.servers().at(0).settled);
    CHECK(progress.servers().at(0).doing == "waiting for the plan");
}

TEST_CASE("progress: a block line never exceeds the terminal", "[cli]") {
    Progress progress(2, {});
    progress.update(
        status({server("edge-1", 2, false, "starting")}, {artifact(0.5, 0.25, 500, 250)}), 0);
    const auto lines = progress_block(progress, 80);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("25% of 1000 B") == std::string::npos);
    CHECK(lines[0].find("25% of 1.0 KiB") != std::string::npos);
    CHECK(lines[1].find("0/1 services up, starting web") != std::string::npos);
    for (const auto& line : progress_block(progress, 20)) CHECK(line.size() <= 22);
}

TEST_CASE("progress: at 80 columns no figure of a download is cut off", "[cli]") {
    auto moving = artifact(0.5, 0.25, 0, 0);
    moving["artifact"] = "monitoring-stack";
    moving["version"] = "2.45.0-10.0.1";
    moving["size_bytes"] = 45'000'000;
    Progress progress(2, {});
    progress.update(status({}, {moving}), 0);
    moving = artifact(0.6, 0.5, 30'000'000, 45'000'000);
    moving["artifact"] = "monitoring-stack";
    moving["version"] = "2.45.0-10.0.1";
    moving["size_bytes"] = 45'000'000;
    progress.update(status({}, {moving}), 2'000);
    const auto lines = progress_block(progress, 79);
    REQUIRE(lines.size() == 2);
    std::string all;
    for (const auto& line : lines) {
        CHECK(display_width(line) <= 79);
        CHECK(line.find("…") == std::string::npos);
        all += line;
    }
    for (const auto* part :
         {"50% of 42.9 MiB", " left", "WAN 28.6 MiB at ", "LAN 42.9 MiB at ", "by edge-1"}) {
        CAPTURE(all, part);
        CHECK(all.find(part) != std::string::npos);
    }
}

TEST_CASE("progress: a server that refuses the plan says why", "[cli]") {
    auto refusing = server("edge-1", 1, true, "running");
    refusing["refusals"] =
        Json::array({Json{{"document", "plan"}, {"seq", 2}, {"message", "policy: older"}}});
    Progress progress(2, {});
    progress.update(status({refusing}, {}), 0);
    CHECK(progress.servers().at(0).doing == "refused the plan: policy: older");
}

TEST_CASE("status: fits 80 columns with everything that matters", "[cli]") {
    Json one = server("edge-1", 2, true, "running");
    one["state"] = "alive";
    one["age_s"] = 0.8;
    one["witness"] = "edge-1";
    one["agent_version"] = "0.1.0";
    one["services"][0]["artifact"] = "monitoring-stack";
    one["services"][0]["version"] = "2.45.0";
    one["services"][0]["health"] = "healthy";
    auto bad = one["services"][0];
    bad["artifact"] = "edge-beacon";
    bad["state"] = "failed";
    bad["health"] = "healthy";
    bad["detail"] =
        "1.0.0: ended with exit code 1 (version 0.9.0 was good and could not be "
        "started either)";
    one["services"].push_back(bad);
    one["services"][0]["since"] = "2026-11-23T13:00:00Z";
    one["notices"] =
        Json::array({"cache: " + std::string(60, 'x') + " is nearly full " + std::string(30, 'y')});
    Json answer = status({one}, {artifact(1, 0.47, 1000, 2000)});
    answer["site"] = "acme/dc-1";
    answer["answered_by"] = "coordinator";
    answer["plan"] = Json{{"seq", 2}, {"environment", "prod"}, {"freshness_s", 3.5}};
    const auto text = status_text(answer, 80, 1'795'438'925);
    CAPTURE(text);
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        CHECK(display_width(text.substr(at, end - at)) <= 80);
        at = end + 1;
    }
    CHECK(text.find("answered by the coordinator, which heard from the site 3.5 s ago") !=
          std::string::npos);
    CHECK(text.find("monitoring-stack  2.45.0") != std::string::npos);
    CHECK(text.find("2 m 05 s") != std::string::npos);
    CHECK(text.find("1 of 2, 47%") != std::string::npos);
    CHECK(text.find("RESTARTS") == std::string::npos);
    CHECK(text.find("nearly full") != std::string::npos);
    // A failure is told in full, below the table, and nothing that failed is called healthy.
    CHECK(text.find("edge-1: edge-beacon failed: 1.0.0: ended with exit code 1") !=
          std::string::npos);
    CHECK(text.find("started either)") != std::string::npos);
    CHECK(text.find("failed   -") != std::string::npos);
}

TEST_CASE("progress: off a terminal only changes make lines", "[cli]") {
    Progress progress(2, {});
    ProgressLog log;
    const auto step = [&](const Json& answer, std::int64_t at) {
        progress.update(answer, at);
        return log.changes(progress);
    };
    const auto first = step(
        status({server("edge-1", 2, false, "downloading")}, {artifact(0.3, 0.3, 300, 300)}), 0);
    REQUIRE(first.size() == 3);
    CHECK(first[0] == "web@2.0.0: edge-1 fetches it from the origin");
    CHECK(first[2] == "edge-1: 0/1 services up, downloading web");
    CHECK(step(status({server("edge-1", 2, false, "downloading")}, {artifact(0.31, 0.3, 310, 300)}),
               500)
              .empty());
    const auto last =
        step(status({server("edge-1", 2, true, "running")}, {artifact(1, 1, 1000, 1000)}), 1'000);
    REQUIRE(last.size() == 2);
    CHECK(last[0] ==
          "web@2.0.0: complete at 2 servers, 1.0 KiB over the WAN, 1.0 KiB over the LAN");
    CHECK(last[1] == "edge-1: done, 1/1 services up");
}

TEST_CASE("outcome: a deployment's state decides the exit code", "[cli]") {
    const auto over = [](const Json& json, std::int64_t unreachable_ms) {
        return outcome_of(view_of(json), unreachable_ms, 15'000);
    };
    CHECK(over(deployment("done", {placed("alive", true, false)}), 0) == ExitCode::done);
    CHECK(over(deployment("failed", {placed("alive", true, true)}), 0) == ExitCode::failed);
    CHECK(over(deployment("rolled_back", {}), 0) == ExitCode::failed);
    CHECK(over(deployment("running", {placed("alive", false, false)}), 60'000) == std::nullopt);
    // An older plan's "settled" says nothing of this one.
    CHECK(over(deployment("running", {placed("alive", true, false, 6)}), 60'000) == std::nullopt);
    const std::vector<Json> one_dead = {placed("alive", true, false), placed("dead", false, false)};
    const auto half = deployment("running", one_dead);
    CHECK(over(half, 1'000) == std::nullopt);
    CHECK(over(half, 15'000) == ExitCode::partial);
    CHECK(over(deployment("done", one_dead), 0) == ExitCode::partial);
}

TEST_CASE("outcome: every kind of error has its exit code", "[cli]") {
    CHECK(exit_of(Errc::network) == ExitCode::partial);
    CHECK(exit_of(Errc::timeout) == ExitCode::timeout);
    CHECK(exit_of(Errc::bad_signature) == ExitCode::refused);
    CHECK(exit_of(Errc::denied) == ExitCode::refused);
    CHECK(exit_of(Errc::not_found) == ExitCode::error);
}
