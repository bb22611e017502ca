#include <catch2/catch.hpp>

#include "node/own_record.hpp"
#include "node/query_service.hpp"
#include "tests/support/documents.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {
Identity edge_1() {
    return {.key = fixed_key('1'),
            .server_id = "s-1",
            .hostname = "edge-1",
            .site = "acme/dc-1",
            .certificate_pem = {},
            .ca_pem = {}};
}
}  // namespace

TEST_CASE("own record: signed on change only, and believed by the roster") {
    const Identity identity = edge_1();
    OwnRecord own(identity, 1);
    Record facts;
    facts.plan_seq = 4;
    const auto first = own.sign(facts, {1, 1}, 100);
    REQUIRE(first);
    CHECK_FALSE(own.sign(facts, {1, 2}, 200));
    facts.plan_seq = 5;
    const auto second = own.sign(facts, {1, 2}, 300);
    REQUIRE(second);
    const auto record = verify_record(sample_roster(), *Envelope::decode(*second));
    REQUIRE(record);
    CHECK(record->version == RecordVersion{1, 2});
    CHECK(record->plan_seq == 5);
    own.renew();
    CHECK(own.sign(facts, {2, 1}, 400));
}

TEST_CASE("own record: whatever a service says, the record stays within its limit") {
    const Identity identity = edge_1();
    OwnRecord own(identity, 1);
    Record facts;
    for (int i = 0; i < 3000; ++i) {
        facts.services.push_back({.name = "service-" + std::to_string(i),
                                  .version = "1.0.0",
                                  .state = ServiceState::failed,
                                  .health = Health::unknown,
                                  .since_unix_ms = 0,
                                  .plan_seq = 1,
                                  .restarts = 0,
                                  .detail = std::string(5000, 'x'),
                                  .drift = {}});
    }
    const auto bytes = own.sign(facts, {1, 1}, 100);
    REQUIRE(bytes);
    CHECK(bytes->size() <= record_max_bytes);
    CHECK(verify_record(sample_roster(), *Envelope::decode(*bytes)));
}

TEST_CASE("query service: every frame gets an answer, and only the local socket may deliver") {
    QuerySources sources;
    sources.status = [] { return Json{{"site", "acme/dc-1"}}; };
    sources.version = [] { return Json{{"version", "1"}}; };
    sources.roster_envelope = [] { return Bytes("r"); };
    sources.deliver = [](std::string_view) -> Result<std::string> { return "plan"; };
    const auto ask = [&](const query::Question& question, Asker asker) {
        return *parse_json(
            *query::decode_answer(answer_question(query::encode(question), asker, sources)));
    };
    CHECK(ask({"status"}, Asker::remote)["site"] == "acme/dc-1");
    CHECK(ask({"roster"}, Asker::remote)["envelope"] == to_base64("r"));
    CHECK(ask({"deliver", "/etc/hostname"}, Asker::remote)["error"]["code"] == "denied");
    CHECK(ask({"deliver", "etc"}, Asker::local_socket)["error"]["code"] == "invalid");
    CHECK(ask({"deliver", "/etc/passwd"}, Asker::local_socket)["accepted"] == "plan");
    CHECK(ask({"sing"}, Asker::remote)["error"]["code"] == "invalid");
    CHECK((*parse_json(*query::decode_answer(
              answer_question("rubbish", Asker::remote, sources))))["error"]["code"] == "invalid");
}
