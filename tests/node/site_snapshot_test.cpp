#include <catch2/catch.hpp>

#include "node/site_snapshot.hpp"
#include "node/workloads.hpp"

using namespace clarity;

TEST_CASE("site: what the mesh knows becomes views, claims and gates with ages and witnesses") {
    Roster roster;
    roster.site = "acme/dc-1";
    for (const auto* id : {"s1", "s2", "s3"}) roster.members.push_back({id, id, {}, "", ""});
    std::map<std::string, Record> records;
    records["s2"].plan_seq = 7;
    records["s2"].plan_settled = true;
    records["s2"].reaches_coordinator = true;
    records["s2"].holdings.push_back({});
    records["s3"].reaches_coordinator = true;
    const SiteSnapshot site{&roster,
                            "s1",
                            10'000,
                            {{"s1", mesh::State::alive, -1, "", 1},
                             {"s2", mesh::State::alive, 9'600, "s3", 1},
                             {"s3", mesh::State::dead, 2'000, "s2", 1}},
                            &records};

    const auto views = report_views(site);
    REQUIRE(views.size() == 3);
    CHECK(views[0].state == "alive");
    CHECK(views[0].age_ms == 0);
    CHECK(views[0].witness == "s1");
    CHECK(views[1].age_ms == 400);
    CHECK(views[1].witness == "s3");
    CHECK(views[2].state == "dead");

    const auto claims = site_claims(site);
    CHECK_FALSE(claims.servers.contains("s1"));
    CHECK(claims.servers.at("s2").alive);
    CHECK(claims.servers.at("s2").holdings.size() == 1);
    CHECK_FALSE(claims.servers.at("s3").alive);

    const auto gates = record_summaries(site);
    CHECK(gates.at("s2").plan_seq == 7);
    CHECK(gates.at("s2").settled);
    CHECK_FALSE(gates.at("s3").alive);

    const auto candidates = uplink_candidates(site);
    CHECK(candidates[1].reaches_coordinator);
    CHECK_FALSE(candidates[2].alive);
}

TEST_CASE("site: members not heard yet keep a fresh start from connecting, for a moment only") {
    Roster roster;
    const std::map<std::string, Record> records;
    SiteSnapshot site{
        &roster,
        "s1",
        500,
        {{"s2", mesh::State::unknown, -1, "", 0}, {"s3", mesh::State::suspect, 100, "s2", 1}},
        &records};
    CHECK(uplink_candidates(site)[0].alive);
    CHECK_FALSE(uplink_candidates(site)[1].alive);
    site.now_ms = 3000;
    CHECK_FALSE(uplink_candidates(site)[0].alive);
}

TEST_CASE("plan: it is applied once the manifests of this server's own services are here") {
    const Digest one = *Digest::from(Bytes(32, '1'));
    const Digest two = *Digest::from(Bytes(32, '2'));
    Plan plan;
    plan.manifests = {one, two};
    Service service;
    service.manifest = one;
    plan.servers.push_back({"s1", {service}});
    plan.servers.push_back({"s3", {service}});
    service.manifest = two;
    plan.servers.push_back({"s2", {service}});
    std::map<Digest, Manifest> here;
    CHECK_FALSE(own_manifests_here(plan, "s1", here));
    CHECK(own_manifests_here(plan, "not in the plan", here));
    here[one].sha256 = two;
    CHECK(own_manifests_here(plan, "s1", here));
    CHECK_FALSE(own_manifests_here(plan, "s2", here));
    CHECK(servers_wanting(plan, here, two) == std::vector<std::string>{"s1", "s3"});
}

TEST_CASE("site: a server whose record has not come counts as not heard, a dead one does not") {
    Roster roster;
    std::map<std::string, Record> records;
    records["s4"].plan_seq = 7;
    const SiteSnapshot site{&roster,
                            "s1",
                            500,
                            {{"s2", mesh::State::unknown, -1, "", 0},
                             {"s3", mesh::State::alive, 400, "s2", 1},
                             {"s4", mesh::State::alive, 400, "s2", 1},
                             {"s5", mesh::State::dead, 100, "s2", 1}},
                            &records};
    const auto claims = site_claims(site);
    CHECK_FALSE(claims.servers.at("s2").heard);
    CHECK_FALSE(claims.servers.at("s3").heard);
    CHECK(claims.servers.at("s4").heard);
    CHECK(claims.servers.at("s5").heard);
}
