#pragma once

#include <map>
#include <memory>
#include <set>

#include "tests/protocol/mesh/pair.hpp"

namespace clarity::mesh::test {

/// A few meshes that reach each other in 2 ms without loss. tests/sim has the faulty networks; this
/// is for what must hold exactly.
class Cluster {
  public:
    explicit Cluster(std::size_t size) {
        std::vector<std::string> ids;
        for (std::size_t i = 0; i < size; ++i) ids.push_back(fmt::format("n{:03}", i));
        roll = Roll::make(ids);
        for (Index i = 0; i < size; ++i) {
            nodes.push_back(std::make_unique<Mesh>(settings(ids[i]), 1));
            nodes[i]->set_members(now, roll);
            nodes[i]->set_own_record(now, nodes[i]->next_version(), ids[i] + ": record");
            take(i);
        }
    }
    std::int64_t now = 1;
    std::shared_ptr<const Roll> roll;
    std::vector<std::unique_ptr<Mesh>> nodes;  ///< none = down
    /// Ethernet, IP, TCP, CURVE and the channel's byte around a frame; a TCP acknowledgement.
    static constexpr std::uint64_t overhead_bytes = 101;
    static constexpr std::uint64_t ack_bytes = 66;
    std::vector<std::uint64_t> wire_bytes = std::vector<std::uint64_t>(1'100);
    std::set<std::pair<std::string, std::string>> told;  ///< id said to be dead or left, and where

    void run_for(
        std::int64_t ms, const std::function<void()>& each_ms = [] {}) {
        for (const auto end = now + ms; now < end; ++now) {
            each_ms();
            for (auto at = wire.begin(); at != wire.end() && at->first <= now;) {
                const auto parcel = std::move(at->second);
                at = wire.erase(at);
                if (!nodes[parcel.to]) continue;
                nodes[parcel.to]->receive(now, roll->id(parcel.from), parcel.frame);
                take(parcel.to);
            }
            for (Index i = 0; i < nodes.size(); ++i) {
                if (!nodes[i] || nodes[i]->deadline() > now) continue;
                nodes[i]->on_time(now);
                take(i);
            }
        }
    }
    void send(Index from, Index to, Frame frame) {
        frame.site = site_hash(site_name);
        wire.emplace(now + 2, Parcel{from, to, encode_frame(std::move(frame))});
    }
    [[nodiscard]] std::size_t count(State state) const {
        std::size_t out = 0;
        for (const auto& node : nodes) {
            for (Index i = 0; node && i < nodes.size(); ++i) {
                if (node->state_of(roll->id(i)) == state) ++out;
            }
        }
        return out;
    }
    [[nodiscard]] Counters total() const {
        Counters sum;
        for (const auto& node : nodes) {
            if (!node) continue;
            const auto c = node->counters();
            sum.refutations += c.refutations;
            sum.document_parts += c.document_parts;
            sum.document_parts_duplicate += c.document_parts_duplicate;
            sum.exchanges += c.exchanges;
            sum.claims_doubted += c.claims_doubted;
        }
        return sum;
    }
    /// The effects of what just happened to this node.
    void take(Index i) {
        for (auto effects = nodes[i]->take_effects(); !effects.empty();
             effects = nodes[i]->take_effects()) {
            for (auto& effect : effects) carry_out(i, effect);
        }
    }

  private:
    struct Parcel {
        Index from;
        Index to;
        Bytes frame;
    };
    std::multimap<std::int64_t, Parcel> wire;

    void carry_out(Index i, Effect& effect) {
        if (auto* out = std::get_if<Send>(&effect)) {
            wire_bytes[i] += out->frame.size() + overhead_bytes;
            Frame f;
            if (decode_frame(out->frame, f) == FrameFault::none && f.type == FrameType::ping) {
                wire_bytes[i] += ack_bytes;  // of the answer; the ping's travels with the answer
            }
            wire.emplace(now + 2, Parcel{i, *roll->find(out->to), std::move(out->frame)});
        } else if (auto* seen = std::get_if<AdSeen>(&effect)) {
            nodes[i]->want(now, seen->ad.digest);
        } else if (auto* got = std::get_if<DocumentReceived>(&effect)) {
            nodes[i]->offer(now, got->ad, std::move(got->body));
        } else if (auto* changed = std::get_if<MemberChanged>(&effect)) {
            if (changed->state == State::dead || changed->state == State::left) {
                told.emplace(changed->id, roll->id(i));
            }
        }
    }
};

}  // namespace clarity::mesh::test
