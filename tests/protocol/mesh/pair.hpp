#pragma once

#include <catch2/catch.hpp>

#include "protocol/mesh/frame.hpp"
#include "protocol/mesh/site.hpp"
#include "protocol/sha256.hpp"

/// A Mesh under test and frames made by hand for it, on a clock that the test moves.
namespace clarity::mesh::test {

inline constexpr const char* site_name = "acme/dc-1";

/// Accepts records that begin with their owner's id, documents that match their digest.
inline Settings settings(const std::string& self) {
    Settings s;
    s.site = site_name;
    s.self = self;
    s.verify_record = [](const std::string& owner, RecordVersion, std::string_view bytes) {
        return bytes.starts_with(owner);
    };
    s.verify_document = [](const DocumentAd& ad, std::string_view bytes) {
        return sha256(bytes) == ad.digest;
    };
    return s;
}

inline std::vector<MemberSpec> members(const std::vector<std::string>& ids) {
    std::vector<MemberSpec> out;
    for (const auto& id : ids) out.push_back({id});
    return out;
}

inline Frame frame(FrameType type, std::uint64_t incarnation = 1) {
    Frame out;
    out.type = type;
    out.site = site_hash(site_name);
    out.incarnation = incarnation;
    return out;
}

/// One kind of effect, taken out of what happened.
template <class T>
std::vector<T> only(const std::vector<Effect>& effects) {
    std::vector<T> out;
    for (const auto& effect : effects) {
        if (const auto* found = std::get_if<T>(&effect)) out.push_back(*found);
    }
    return out;
}

/// The frames of this type that go to `to` (empty = to anybody).
inline std::vector<Frame> sent(const std::vector<Effect>& effects, FrameType type,
                               const std::string& to = {}) {
    std::vector<Frame> out;
    for (const auto& send : only<Send>(effects)) {
        Frame decoded;
        REQUIRE(decode_frame(send.frame, decoded) == FrameFault::none);
        if (decoded.type == type && (to.empty() || send.to == to)) out.push_back(decoded);
    }
    return out;
}

/// "a" under test, with members "b" to "e" that the test plays.
struct Fixture {
    Mesh mesh;
    std::int64_t now = 1'000;

    explicit Fixture(Settings s = settings("a"), std::uint64_t incarnation = 5)
        : mesh(std::move(s), incarnation) {
        mesh.set_members(now, members({"a", "b", "c", "d", "e"}));
    }
    std::vector<Effect> effects() { return mesh.take_effects(); }
    std::vector<Effect> receive(const std::string& from, const Frame& f) {
        mesh.receive(now, from, encode_frame(f));
        return effects();
    }
    /// Runs the timers until then.
    std::vector<Effect> run_for(std::int64_t ms) {
        std::vector<Effect> all;
        const auto end = now + ms;
        while (mesh.deadline() <= end) {
            now = std::max(now, mesh.deadline());
            mesh.on_time(now);
            for (auto& effect : effects()) all.push_back(std::move(effect));
        }
        now = end;
        return all;
    }
    /// b to e say hello.
    void everybody_alive() {
        for (const char* id : {"b", "c", "d", "e"}) receive(id, frame(FrameType::gossip));
    }
    Update claim(const char* member, State state, std::uint64_t incarnation,
                 const char* accuser = "b") {
        return {key_of(member), state, incarnation, state == State::suspect ? key_of(accuser) : 0};
    }
    std::vector<Effect> claims(const std::string& from, std::vector<Update> updates) {
        auto f = frame(FrameType::gossip);
        f.updates = std::move(updates);
        return receive(from, f);
    }
};

}  // namespace clarity::mesh::test
