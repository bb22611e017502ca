// Goal: a node keeps and passes on a record that only a newer version can read, and believes no
// more of it than before. Method: records as a later version might write them, packed by hand.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "protocol/codec.hpp"
#include "protocol/record.hpp"
#include "tests/support/documents.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

enum class Future { enum_text, field_gone, nested_type, list_for_text };

/// The head that every version writes, then what this version does not expect.
Bytes record_of_a_later_version(Future what, const std::string& server = "s-1",
                                const std::string& site = "acme/dc-1") {
    std::stringstream out;
    msgpack::packer<std::stringstream> pack(out);
    const auto state = [&](auto value) {
        pack.pack(std::string("services"));
        pack.pack_array(1);
        pack.pack_map(3);
        pack.pack(std::string("name")), pack.pack(std::string("smsgateway"));
        pack.pack(std::string("version")), pack.pack(std::string("3.2.1"));
        pack.pack(std::string("state")), pack.pack(value);
    };
    pack.pack_map(what == Future::field_gone ? 5 : 6);
    pack.pack(std::string("site")), pack.pack(site);
    pack.pack(std::string("server")), pack.pack(server);
    pack.pack(std::string("version"));
    pack.pack_map(3);
    pack.pack(std::string("incarnation")), pack.pack(7);
    pack.pack(std::string("seq")), pack.pack(9);
    pack.pack(std::string("epoch")), pack.pack(std::string("new beside the two"));
    pack.pack(std::string("mesh")), pack.pack(std::string("tcp://10.0.0.9:8472"));
    pack.pack(std::string("swarm"));
    if (what == Future::list_for_text) pack.pack(std::vector<std::string>{"10.0.0.9:8473"});
    else pack.pack(std::string("10.0.0.9:8473"));
    if (what == Future::enum_text) state(std::string("hibernating"));
    if (what == Future::nested_type) state(std::map<std::string, int>{{"code", 3}});
    if (what == Future::list_for_text) state(std::string("running"));
    return out.str();
}

Envelope signed_by(char owner, Bytes payload) {
    return sealed_by(payload_type::record, std::move(payload), fixed_key(owner));
}

}  // namespace

TEST_CASE("record: the head of a later version's record is verified, the rest left alone") {
    const auto roster = sample_roster();
    for (const auto what :
         {Future::enum_text, Future::field_gone, Future::nested_type, Future::list_for_text}) {
        CAPTURE(static_cast<int>(what));
        const auto payload = record_of_a_later_version(what);
        CHECK_FALSE(Record::decode(payload));
        const auto head = verify_record_head(roster, signed_by('1', payload));
        REQUIRE(head);
        CHECK(head->server_id == "s-1");
        CHECK(head->site == "acme/dc-1");
        CHECK(head->version == RecordVersion{7, 9});
        const auto where = endpoints_of(payload);
        if (what == Future::list_for_text) CHECK(where == Endpoints{});
        else CHECK(where == Endpoints{"tcp://10.0.0.9:8472", "10.0.0.9:8473"});
    }
}

TEST_CASE("record: a later version's record is its owner's and its site's, or nobody's") {
    const auto roster = sample_roster();
    const auto payload = record_of_a_later_version(Future::enum_text);
    CHECK_FALSE(verify_record_head(roster, signed_by('2', payload)));
    auto changed = signed_by('1', payload);
    changed.payload.back() ^= 1;
    CHECK_FALSE(verify_record_head(roster, changed));
    CHECK_FALSE(verify_record_head(
        roster, signed_by('1', record_of_a_later_version(Future::enum_text, "s-3"))));
    CHECK_FALSE(verify_record_head(
        roster, signed_by('1', record_of_a_later_version(Future::enum_text, "s-1", "acme/dc-2"))));
    CHECK_FALSE(verify_record_head(roster, sealed_by(payload_type::plan, payload, fixed_key('1'))));
    for (const auto* broken : {"", "\x80", "\xc0", "\x81\xa4site\xa1x"}) {
        CHECK_FALSE(RecordHead::decode(broken));
    }
    CHECK_FALSE(RecordHead::decode(Bytes(record_max_bytes + 1, '\x80')));
}

TEST_CASE("record: one of before addresses were told is read as ever") {
    std::ifstream file(std::string(CLARITY_TEST_DATA) + "/record-without-endpoints.hex");
    std::string text;
    file >> text;
    const auto record = Record::decode(*from_hex(text));
    REQUIRE(record);
    CHECK(record->endpoints == Endpoints{});
    auto same = sample_record();
    same.endpoints = {};
    CHECK(record->encode() == same.encode());
}

TEST_CASE("record: what is no endpoint counts as not said") {
    auto record = sample_record();
    record.endpoints = {"tcp://10.0.0.1:8472", "10.0.0.1:8473"};
    CHECK(endpoints_of(record.encode()) == record.endpoints);
    record.endpoints = {"ipc:///run/orchestrix/query.sock", "10.0.0.1"};
    CHECK(endpoints_of(record.encode()) == Endpoints{});
}
