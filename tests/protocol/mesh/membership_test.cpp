#include <catch2/catch.hpp>
#include <set>

#include "protocol/mesh/suspicion.hpp"
#include "tests/protocol/mesh/pair.hpp"

namespace clarity::mesh::test {

TEST_CASE("mesh: the first effect stores the incarnation, before any frame", "[mesh]") {
    Fixture a;
    const auto effects = a.effects();
    REQUIRE_FALSE(effects.empty());
    const auto* store = std::get_if<StoreIncarnation>(&effects[0]);
    REQUIRE(store != nullptr);
    CHECK(store->value == 5);
}

TEST_CASE("mesh: a frame of a member is evidence of its life, witnessed by us", "[mesh]") {
    Fixture a;
    CHECK(a.mesh.state_of("b") == State::unknown);
    const auto effects = a.receive("b", frame(FrameType::gossip));
    CHECK(a.mesh.state_of("b") == State::alive);
    REQUIRE(only<MemberChanged>(effects).size() == 1);
    const auto view = a.mesh.members()[1];
    CHECK(view.id == "b");
    CHECK(view.last_heard_ms == a.now);
    CHECK(view.witness == "a");
}

TEST_CASE("mesh: evidence that another had is kept with its age and its witness", "[mesh]") {
    Fixture a;
    auto f = frame(FrameType::gossip);
    f.updates = {a.claim("c", State::alive, 2)};
    f.heard = {{key_of("c"), 400, key_of("d")}};
    a.receive("b", f);
    const auto view = a.mesh.members()[2];
    CHECK(view.state == State::alive);
    CHECK(view.last_heard_ms == a.now - 400);
    CHECK(view.witness == "d");
}

TEST_CASE("mesh: frames of strangers and of other sites are dropped and counted", "[mesh]") {
    Fixture a;
    a.receive("nobody", frame(FrameType::gossip));
    auto other = frame(FrameType::gossip);
    other.site = site_hash("acme/dc-2");
    a.receive("b", other);
    CHECK(a.mesh.counters().dropped_stranger == 1);
    CHECK(a.mesh.counters().dropped_site == 1);
    CHECK(a.mesh.state_of("b") == State::unknown);
}

TEST_CASE("mesh: claims win by incarnation, then gone over suspect over alive", "[mesh]") {
    Fixture a;
    a.claims("b", {a.claim("c", State::alive, 3)});
    a.claims("b", {a.claim("c", State::suspect, 2)});
    CHECK(a.mesh.state_of("c") == State::alive);
    a.claims("b", {a.claim("c", State::suspect, 3)});
    CHECK(a.mesh.state_of("c") == State::suspect);
    a.claims("b", {a.claim("c", State::alive, 3)});
    CHECK(a.mesh.state_of("c") == State::suspect);
    a.claims("b", {a.claim("c", State::alive, 4)});
    CHECK(a.mesh.state_of("c") == State::alive);
    a.run_for(5'000);
    a.claims("b", {a.claim("c", State::dead, 4)});
    a.run_for(6'100);
    CHECK(a.mesh.state_of("c") == State::dead);
    a.claims("b", {a.claim("c", State::suspect, 4)});
    a.claims("b", {a.claim("c", State::alive, 4)});
    CHECK(a.mesh.state_of("c") == State::dead);
    a.claims("b", {a.claim("c", State::alive, 5)});
    CHECK(a.mesh.state_of("c") == State::alive);
}

TEST_CASE("mesh: hearsay of a death or of a good-bye only begins a suspicion", "[mesh]") {
    const auto said = GENERATE(State::dead, State::left);
    const auto relayers = GENERATE(1, 3);
    const auto known = GENERATE(true, false);
    CAPTURE(static_cast<int>(said), relayers, known);
    Fixture a;
    if (known) a.everybody_alive();
    const char* names[] = {"b", "d", "e"};
    for (int n = 0; n < relayers; ++n) {
        for (int again = 0; again < 50; ++again) a.claims(names[n], {a.claim("c", said, 1)});
    }
    CHECK(a.mesh.state_of("c") == State::suspect);
    const auto start = a.now;
    while (a.mesh.state_of("c") == State::suspect && a.now < start + 10'000) a.run_for(10);
    CHECK(a.mesh.state_of("c") == said);  // a good-bye never ends in a death
    CHECK(a.now - start >= 2'000);
    if (relayers == 1) CHECK(a.now - start >= 3'900);  // and our own probe, which failed
    else CHECK(a.now - start <= 4'000);
}

TEST_CASE("mesh: who hears of a suspicion finds out for itself, in whosever name it comes",
          "[mesh]") {
    Fixture a;
    a.everybody_alive();
    const auto accuser = GENERATE("d", "a");  // also in our own name
    CAPTURE(accuser);
    const auto effects = a.claims("b", {a.claim("c", State::suspect, 1, accuser)});
    const auto pings = sent(effects, FrameType::ping, "c");
    REQUIRE(pings.size() == 1);
    REQUIRE_FALSE(pings[0].updates.empty());  // the suspect hears of it with the ping
    CHECK(pings[0].updates[0].member == key_of("c"));
    CHECK(pings[0].updates[0].state == State::suspect);
}

TEST_CASE("mesh: an indirect probe asks helpers, and repeats the direct ping", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.mesh.peer_unreachable(a.now, "c");
    std::size_t pings = 0;
    std::set<std::string> helpers;
    for (const auto& send : only<Send>(a.run_for(390))) {
        Frame f;
        REQUIRE(decode_frame(send.frame, f) == FrameFault::none);
        CHECK(f.type != FrameType::ping_request);
        if (f.type == FrameType::ping && send.to == "c") ++pings;
    }
    CHECK(pings == 1);
    for (const auto& send : only<Send>(a.run_for(600))) {
        Frame f;
        REQUIRE(decode_frame(send.frame, f) == FrameFault::none);
        if (f.type == FrameType::ping_request && f.target == key_of("c")) helpers.insert(send.to);
        if (f.type == FrameType::ping && send.to == "c" && f.sequence != 0) ++pings;
    }
    CHECK(helpers == std::set<std::string>{"b", "d", "e"});
    CHECK(pings >= 5);
    a.run_for(20);
    CHECK(a.mesh.state_of("c") == State::suspect);
}

TEST_CASE("mesh: evidence goes to a peer of another roster by key", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    const auto other = Roll::make({"a", "b", "c", "d", "e", "f"});
    const auto heard_by_b = [&] {
        auto ping = frame(FrameType::ping);
        ping.sequence = 4;
        ping.heard = {{key_of("d"), 0, key_of("c")}};
        a.mesh.receive(a.now, "b", encode_frame(ping, other.get()));
        for (const auto& send : only<Send>(a.effects())) {
            Frame f;
            REQUIRE(decode_frame(send.frame, f, other.get()) == FrameFault::none);
            if (f.type == FrameType::ack && send.to == "b") return f.heard.size();
        }
        return std::size_t{99};
    };
    CHECK(heard_by_b() > 0);
    CHECK(heard_by_b() <= 3);
}

TEST_CASE("mesh: a good-bye on the member's own connection counts at once", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.claims("c", {a.claim("c", State::left, 1)});
    CHECK(a.mesh.state_of("c") == State::left);
    a.claims("d", {a.claim("d", State::dead, 1)});  // of its own death nobody can tell
    CHECK(a.mesh.state_of("d") == State::alive);
}

TEST_CASE("mesh: one that relays a good-bye cannot pass a crash off as one", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.claims("b", {a.claim("c", State::suspect, 1)});
    a.claims("d", {a.claim("c", State::left, 1)});
    a.run_for(7'000);
    CHECK(a.mesh.state_of("c") == State::dead);
}

TEST_CASE("mesh: a suspect that speaks to us is not buried", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    for (const char* from : {"b", "d", "e"}) a.claims(from, {a.claim("c", State::dead, 1)});
    for (int n = 0; n < 20; ++n) {
        a.run_for(500);
        a.receive("c", frame(FrameType::gossip));
    }
    CHECK(a.mesh.state_of("c") == State::suspect);
    a.run_for(1'600);
    CHECK(a.mesh.state_of("c") == State::dead);
}

TEST_CASE("mesh: an accused node refutes with a higher incarnation, stored first", "[mesh]") {
    Fixture a;
    a.effects();
    const auto effects = a.claims("b", {a.claim("a", State::suspect, 5, "c")});
    REQUIRE(only<StoreIncarnation>(effects).size() == 1);
    CHECK(only<StoreIncarnation>(effects)[0].value == 6);
    CHECK(a.mesh.incarnation() == 6);
    bool stored = false;
    for (const auto& effect : effects) {
        if (std::holds_alternative<StoreIncarnation>(effect)) stored = true;
        if (const auto* send = std::get_if<Send>(&effect)) {
            Frame f;
            REQUIRE(decode_frame(send->frame, f) == FrameFault::none);
            CHECK((f.incarnation < 6 || stored));
        }
    }
    CHECK(sent(effects, FrameType::gossip, "b").back().incarnation == 6);
    a.claims("b", {a.claim("a", State::dead, 2)});  // an old story
    CHECK(a.mesh.incarnation() == 6);
}

TEST_CASE("mesh: a claim of an absurd incarnation does not take our room to refute", "[mesh]") {
    Fixture a;
    a.claims("b", {a.claim("a", State::dead, ~0ULL)});
    CHECK(a.mesh.incarnation() == 5);
}

TEST_CASE("mesh: who speaks while it is held dead is told so", "[mesh]") {
    Fixture a;
    a.claims("b", {a.claim("c", State::dead, 1)});
    a.run_for(6'100);
    REQUIRE(a.mesh.state_of("c") == State::dead);
    const auto told = sent(a.receive("c", frame(FrameType::ping)), FrameType::gossip, "c");
    REQUIRE(told.size() == 1);
    CHECK(told[0].updates[0].member == key_of("c"));
    CHECK(told[0].updates[0].state == State::dead);
    a.receive("c", frame(FrameType::gossip, 2));  // it refutes
    CHECK(a.mesh.state_of("c") == State::alive);
}

TEST_CASE("mesh: a silent member is probed, suspected and buried; others' accusations hurry it",
          "[mesh]") {
    const auto accusers = GENERATE(0, 2);
    CAPTURE(accusers);
    Fixture a;
    a.everybody_alive();
    std::int64_t suspected_at = 0;
    std::int64_t dead_at = 0;
    const auto start = a.now;
    for (int step = 0; step < 4'000 && dead_at == 0; ++step) {
        for (const auto& send : only<Send>(a.run_for(5))) {
            if (send.to == "c") continue;  // the others answer at once
            Frame asked;
            REQUIRE(decode_frame(send.frame, asked) == FrameFault::none);
            const bool ping = asked.type == FrameType::ping;
            if (!ping && asked.type != FrameType::ping_request) continue;
            auto answer = frame(ping ? FrameType::ack : FrameType::nack);
            answer.sequence = asked.sequence;
            if (suspected_at != 0 && accusers == 2 && send.to != "e") {
                answer.updates = {a.claim("c", State::suspect, 1, send.to.c_str())};
            }
            a.receive(send.to, answer);
        }
        if (suspected_at == 0 && a.mesh.state_of("c") == State::suspect) suspected_at = a.now;
        if (a.mesh.state_of("c") == State::dead) dead_at = a.now;
    }
    REQUIRE(suspected_at > start);
    REQUIRE(dead_at > suspected_at);
    const auto took = dead_at - suspected_at;
    CHECK(took >= 2'000);
    if (accusers == 2) CHECK(took < 4'000);
    else CHECK(took >= 5'900);
    CHECK(a.mesh.state_of("b") == State::alive);
}

TEST_CASE("mesh: a transport's hint leads to a probe, not to a belief", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.mesh.peer_unreachable(a.now, "c");
    const auto effects = a.effects();
    CHECK(sent(effects, FrameType::ping, "c").size() == 1);
    CHECK(a.mesh.state_of("c") == State::alive);
}

TEST_CASE("mesh: a helper pings for another, and says when there is no answer", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    auto request = frame(FrameType::ping_request);
    request.target = key_of("c");
    request.sequence = 77;
    const auto pings = sent(a.receive("b", request), FrameType::ping, "c");
    REQUIRE(pings.size() == 2);  // the errand, and its own probe: it is a neighbour as well
    SECTION("answer") {
        auto ack = frame(FrameType::ack);
        ack.sequence = pings[0].sequence;
        const auto passed = sent(a.receive("c", ack), FrameType::ack, "b");
        REQUIRE(passed.size() == 1);
        CHECK(passed[0].sequence == 77);
    }
    SECTION("none") {
        const auto nacks = sent(a.run_for(600), FrameType::nack, "b");
        REQUIRE(nacks.size() == 1);
        CHECK(nacks[0].sequence == 77);
    }
}

TEST_CASE("mesh: a pause of our own accuses nobody", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.run_for(500);
    a.now += 60'000;  // the machine slept
    a.mesh.on_time(a.now);
    a.effects();
    a.run_for(500);
    for (const char* id : {"b", "c", "d", "e"}) CHECK(a.mesh.state_of(id) == State::alive);
    CHECK(a.mesh.counters().local_health > 0);
}

TEST_CASE("mesh: after a pause of our own every suspect has its whole time again", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    for (const char* from : {"b", "d", "e"}) {
        a.claims(from, {a.claim("c", State::suspect, 1, from)});
    }
    a.run_for(1'800);
    REQUIRE(a.mesh.state_of("c") == State::suspect);
    a.now += 60'000;
    a.mesh.on_time(a.now);
    a.run_for(1'900);
    CHECK(a.mesh.state_of("c") == State::suspect);
    a.run_for(4'200);
    CHECK(a.mesh.state_of("c") == State::dead);
}

TEST_CASE("mesh: an answer that comes too late speaks against ourselves", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.mesh.peer_unreachable(a.now, "c");
    std::uint64_t sequence = 0;
    for (const auto& f : sent(a.effects(), FrameType::ping, "c")) sequence = f.sequence;
    REQUIRE(sequence != 0);
    for (int step = 0; step < 21; ++step) {
        a.run_for(50);
        a.receive("b", frame(FrameType::gossip));
    }
    const auto before = a.mesh.counters().local_health;
    auto late = frame(FrameType::ack);
    late.sequence = sequence;
    a.receive("c", late);
    CHECK(a.mesh.counters().local_health == before + 1);
    a.receive("c", late);  // once
    CHECK(a.mesh.counters().local_health == before + 1);
}

TEST_CASE("mesh: dead roster members are tried again for ever, now and then", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.run_for(60'000);
    for (const char* id : {"b", "c", "d", "e"}) REQUIRE(a.mesh.state_of(id) == State::dead);
    a.run_for(3'600'000);
    const auto alone = sent(a.run_for(100'000), FrameType::ping);
    CHECK(alone.size() >= 75);  // nobody to lose time for
    CHECK(alone.size() <= 150);
    std::size_t tries = 0;
    for (int second = 0; second < 100; ++second) {
        a.receive("b", frame(FrameType::gossip, 9));
        for (const auto& send : only<Send>(a.run_for(1'000))) {
            Frame f;
            REQUIRE(decode_frame(send.frame, f) == FrameFault::none);
            if (f.type == FrameType::ping && send.to != "b") ++tries;
        }
    }
    CHECK(tries >= 12);
    CHECK(tries <= 40);
}

TEST_CASE("mesh: who is gone from the roster is forgotten", "[mesh]") {
    Fixture a;
    a.everybody_alive();
    a.mesh.set_members(a.now, members({"a", "b", "c", "d"}));
    CHECK(a.mesh.members().size() == 4);
    CHECK(a.mesh.state_of("b") == State::alive);  // the others stay as they were
    a.receive("e", frame(FrameType::gossip));
    CHECK(a.mesh.counters().dropped_stranger == 1);
    a.effects();
    a.mesh.set_members(a.now, members({"b", "c", "d"}));  // we are revoked ourselves
    a.effects();
    CHECK(only<Send>(a.run_for(10'000)).empty());
    CHECK(only<Send>(a.receive("b", frame(FrameType::ping))).empty());
}

TEST_CASE("mesh: what is sent is counted by the type of its frame", "[mesh]") {
    Fixture f;
    f.everybody_alive();
    (void)f.effects();
    const auto before = f.mesh.counters();
    const auto effects = f.run_for(5'000);
    const auto after = f.mesh.counters();
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
    for (std::size_t type = 0; type < frame_type_count; ++type) {
        CAPTURE(frame_type_name(type));
        const auto count = after.sent_by_type[type].frames - before.sent_by_type[type].frames;
        CHECK(count == sent(effects, static_cast<FrameType>(type)).size());
        frames += after.sent_by_type[type].frames;
        bytes += after.sent_by_type[type].bytes;
    }
    CHECK(after.sent_by_type[static_cast<std::size_t>(FrameType::ping)].frames > 5);
    CHECK(frames == after.frames_sent);
    CHECK(bytes == after.bytes_sent);
}

TEST_CASE("mesh: right after a start a node accuses later, if its owner says so", "[mesh]") {
    const auto first_suspicion_s = [](std::uint32_t health) {
        auto s = settings("a");
        s.local_health_first = health;
        Fixture f(s);
        f.everybody_alive();
        for (int second = 1; second < 60; ++second) {
            for (const auto& change : only<MemberChanged>(f.run_for(1'000))) {
                if (change.state == State::suspect) return second;
            }
        }
        return 60;
    };
    CHECK(first_suspicion_s(0) <= 2);
    CHECK(first_suspicion_s(3) >= 4);
    CHECK(first_suspicion_s(3) <= 8);
}

TEST_CASE("mesh suspicion: only independent accusers shorten it, down to the minimum", "[mesh]") {
    Suspicion suspicion(0, 2'000, 6'000, 3);
    CHECK(suspicion.accuse(1));
    CHECK(suspicion.deadline() == 6'000);
    CHECK_FALSE(suspicion.accuse(1));
    CHECK(suspicion.deadline() == 6'000);
    CHECK(suspicion.accuse(2));
    CHECK(suspicion.deadline() == 4'000);
    CHECK(suspicion.accuse(3));
    CHECK(suspicion.accuse(4));
    CHECK(suspicion.deadline() == 2'000);
    CHECK_FALSE(suspicion.accuse(5));
}

}  // namespace clarity::mesh::test
