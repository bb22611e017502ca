#include "tests/sim/byzantine.hpp"

#include <algorithm>

#include "protocol/mesh/frame.hpp"
#include "protocol/mesh/site.hpp"
#include "protocol/sha256.hpp"

namespace clarity::sim {
namespace {

using mesh::Frame;
using mesh::FrameType;
using mesh::State;

/// What they have in common: a place in the site, and somebody to talk to.
class Insider : public Adversary {
  public:
    Insider(std::size_t self, std::vector<std::size_t> victims, std::uint64_t seed)
        : self_(self), victims_(std::move(victims)), random_(mesh::mix(seed, self)) {}

    bool frame_in(Simulator& /*sim*/, std::size_t /*from*/, const Bytes& /*frame*/) override {
        return true;
    }
    bool frame_out(Simulator& /*sim*/, std::size_t /*to*/, Bytes& /*frame*/) override {
        return true;
    }

  protected:
    std::size_t self_;
    std::vector<std::size_t> victims_;
    mesh::Random random_;

    [[nodiscard]] Frame fresh(Simulator& sim, FrameType type) {
        Frame out;
        out.type = type;
        out.site = mesh::site_hash(sim.node(self_).site);
        out.incarnation = sim.node(self_).mesh->incarnation();
        return out;
    }
    void send(Simulator& sim, std::size_t to, const Frame& frame) {
        if (to != self_) sim.send(self_, to, mesh::encode_frame(frame));
    }
    [[nodiscard]] std::size_t anybody(Simulator& sim) {
        return static_cast<std::size_t>(random_.below(sim.size()));
    }
    void send_to_some(Simulator& sim, std::size_t count, const Frame& frame) {
        for (std::size_t n = 0; n < count; ++n) send(sim, anybody(sim), frame);
    }
    [[nodiscard]] static mesh::MemberKey key(Simulator& sim, std::size_t i) {
        return mesh::key_of(sim.node(i).id);
    }
    [[nodiscard]] Bytes rubbish(std::size_t size_bytes) {
        Bytes out(size_bytes, '\0');
        for (auto& c : out) c = static_cast<char>(random_.next());
        return out;
    }
};

class Forger final : public Insider {
  public:
    using Insider::Insider;

    void tick(Simulator& sim) override {
        auto frame = fresh(sim, FrameType::records);
        for (int n = 0; n < 4; ++n) {
            const auto owner = anybody(sim);
            if (owner == self_) continue;
            RecordVersion version{1, 1};
            Bytes bytes = rubbish(100);
            if (const auto good = sim.node(self_).mesh->records().find(sim.node(owner).id)) {
                version = good->version;
                bytes = good->bytes;
            }
            switch (random_.below(5)) {
                case 0: bytes[bytes.size() - 1] ^= 1; break;  // equal version, other bytes
                case 1: version.seq += 1 + random_.below(1000); break;
                case 2: version.incarnation = mesh::incarnation_max; break;
                case 3: version.incarnation = ~std::uint64_t{0}; break;
                default: bytes = rubbish(1 + random_.below(70'000)); break;
            }
            frame.bodies.push_back({key(sim, owner), version, std::move(bytes)});
        }
        send_to_some(sim, 3, frame);
        if (++ticks_ % 20 == 0) plan(sim);
    }

  private:
    std::uint64_t ticks_ = 0;

    /// Offers what the coordinator has not signed, under a number that everybody wants.
    void plan(Simulator& sim) {
        const auto seq = 1'000'000 + random_.below(1000);
        auto body = Simulator::plan_body(seq, 2'000, true);
        const mesh::DocumentAd ad{"plan", "site", seq, sha256(body), body.size()};
        sim.node(self_).mesh->offer(sim.now_ms(), ad, std::move(body));
    }
};

class Replayer final : public Insider {
  public:
    using Insider::Insider;

    bool frame_in(Simulator& /*sim*/, std::size_t /*from*/, const Bytes& frame) override {
        keep(frame);
        return true;
    }
    bool frame_out(Simulator& /*sim*/, std::size_t /*to*/, Bytes& frame) override {
        keep(frame);
        return true;
    }
    void tick(Simulator& sim) override {
        for (int n = 0; n < 10 && !frames_.empty(); ++n) {
            const auto to = anybody(sim);
            if (to != self_) sim.send(self_, to, frames_[random_.below(frames_.size())]);
        }
    }

  private:
    std::vector<Bytes> frames_;

    /// The first thousand stay: the older, the worse.
    void keep(const Bytes& frame) {
        if (frames_.size() < 1'000) frames_.push_back(frame);
        else if (frames_.size() < 2'000 && random_.below(16) == 0) frames_.push_back(frame);
    }
};

class Equivocator final : public Insider {
  public:
    using Insider::Insider;

    void tick(Simulator& sim) override {
        if (++ticks_ % 10 != 0) return;
        const auto& node = sim.node(self_);
        const RecordVersion version{node.mesh->incarnation(), 1'000 + ticks_};
        auto frame = fresh(sim, FrameType::records);
        for (std::size_t to = 0; to < sim.size(); ++to) {
            const auto payload = 100 * ticks_ + to % 2;
            frame.bodies.clear();
            frame.bodies.push_back(
                {key(sim, self_), version,
                 Simulator::signed_record(node.id, version, payload, 100 + to % 2)});
            send(sim, to, frame);
        }
    }

  private:
    std::uint64_t ticks_ = 0;
};

class Flooder final : public Insider {
  public:
    using Insider::Insider;

    void tick(Simulator& sim) override {
        for (const auto to : victims_) {
            for (int n = 0; n < 40; ++n) one(sim, to);
        }
    }

  private:
    void one(Simulator& sim, std::size_t to) {
        switch (random_.below(8)) {
            case 0: return sim.send(self_, to, rubbish(random_.below(2'000)));
            case 1: return send(sim, to, fresh(sim, FrameType::ping));
            case 2: {
                auto frame = fresh(sim, FrameType::ping_request);
                frame.target = key(sim, anybody(sim));
                frame.sequence = random_.next() >> 16U;
                return send(sim, to, frame);
            }
            case 3: return send(sim, to, everything_please(sim));
            case 4: return send(sim, to, lies(sim));
            case 5: {  // every set differs: it costs the victim an answer with all buckets
                auto frame = fresh(sim, FrameType::digest);
                for (auto& root : frame.roots) root = random_.next();
                return send(sim, to, frame);
            }
            case 6: {  // and here an answer with all it has
                auto frame = fresh(sim, FrameType::entries);
                frame.request = true;
                frame.masks.fill(~std::uint64_t{0});
                return send(sim, to, frame);
            }
            default: {
                auto frame = fresh(sim, FrameType::document_get);
                frame.digest = sha256("nothing");
                return send(sim, to, frame);
            }
        }
    }
    Frame everything_please(Simulator& sim) {
        auto frame = fresh(sim, FrameType::record_get);
        for (std::size_t i = 0; i < std::min<std::size_t>(sim.size(), mesh::entries_max); ++i) {
            frame.owners.push_back(key(sim, i));
        }
        return frame;
    }
    /// Newer records of everybody, documents without end: none of it exists.
    Frame lies(Simulator& sim) {
        auto frame = fresh(sim, FrameType::announce);
        for (std::size_t i = 0; i < std::min<std::size_t>(sim.size(), 64); ++i) {
            frame.entries.push_back({key(sim, i), {1'000, random_.next() >> 20U}, random_.next()});
        }
        for (int n = 0; n < 8; ++n) {
            frame.ads.push_back({n % 2 == 0 ? "plan" : "manifest", "of nothing",
                                 1'000 + random_.below(1'000), sha256(rubbish(16)),
                                 1 + random_.below(1'000'000)});
        }
        return frame;
    }
};

class Accuser final : public Insider {
  public:
    using Insider::Insider;

    void tick(Simulator& sim) override {
        auto frame = fresh(sim, FrameType::gossip);
        for (const auto victim : victims_) {
            const auto& mesh = sim.node(victim).mesh;
            if (!mesh) continue;
            const auto incarnation = mesh->incarnation() + random_.below(2);
            const auto about = key(sim, victim);
            for (int n = 0; n < 8; ++n) {
                frame.updates.push_back(
                    {about, State::suspect, incarnation, key(sim, anybody(sim))});
            }
            frame.updates.push_back({about, State::dead, incarnation, 0});
            frame.updates.push_back({about, State::left, incarnation, 0});
            if (random_.below(10) == 0) {
                const auto giant = mesh::incarnation_max - random_.below(2);
                frame.updates.push_back({about, State::dead, giant, 0});
                frame.updates.push_back({about, State::suspect, giant, key(sim, anybody(sim))});
            }
        }
        send_to_some(sim, 8, frame);
    }
};

class Ghost final : public Insider {
  public:
    using Insider::Insider;

    bool frame_in(Simulator& sim, std::size_t from, const Bytes& bytes) override {
        Frame frame;
        if (mesh::decode_frame(bytes, frame) != mesh::FrameFault::none) return true;
        if (frame.type != FrameType::ping_request) return true;
        auto ack = fresh(sim, FrameType::ack);  // "of course it lives"
        ack.sequence = frame.sequence;
        send(sim, from, ack);
        return false;
    }
    void tick(Simulator& sim) override {
        auto frame = fresh(sim, FrameType::gossip);
        for (const auto victim : victims_) {
            const auto about = key(sim, victim);
            frame.heard.push_back({about, 0, key(sim, anybody(sim))});
            frame.heard.push_back({about, 0, about});
            const auto known = sim.node(victim).disk.incarnation;
            frame.updates.push_back({about, State::alive, known, 0});
            if (random_.below(50) == 0) {
                frame.updates.push_back({about, State::alive, known + 1 + random_.below(3), 0});
            }
        }
        send_to_some(sim, 8, frame);
    }
};

class Swallower final : public Insider {
  public:
    using Insider::Insider;

    bool frame_out(Simulator& /*sim*/, std::size_t /*to*/, Bytes& bytes) override {
        Frame frame;
        if (mesh::decode_frame(bytes, frame) != mesh::FrameFault::none) return false;
        if (frame.type != FrameType::ack && frame.type != FrameType::ping) return false;
        frame.updates.clear();
        frame.heard.clear();
        bytes = mesh::encode_frame(frame);
        return true;
    }
    void tick(Simulator& /*sim*/) override {}
};

}  // namespace

std::string_view name_of(Malice malice) {
    switch (malice) {
        case Malice::forge: return "forge";
        case Malice::replay: return "replay";
        case Malice::equivocate: return "equivocate";
        case Malice::flood: return "flood";
        case Malice::accuse: return "accuse";
        case Malice::ghost: return "ghost";
        case Malice::swallow: break;
    }
    return "swallow";
}

const std::vector<Malice>& all_malice() {
    static const std::vector<Malice> all{Malice::forge,  Malice::replay, Malice::equivocate,
                                         Malice::flood,  Malice::accuse, Malice::ghost,
                                         Malice::swallow};
    return all;
}

std::unique_ptr<Adversary> adversary(Malice malice, std::size_t self,
                                     std::vector<std::size_t> victims, std::uint64_t seed) {
    switch (malice) {
        case Malice::forge: return std::make_unique<Forger>(self, std::move(victims), seed);
        case Malice::replay: return std::make_unique<Replayer>(self, std::move(victims), seed);
        case Malice::equivocate:
            return std::make_unique<Equivocator>(self, std::move(victims), seed);
        case Malice::flood: return std::make_unique<Flooder>(self, std::move(victims), seed);
        case Malice::accuse: return std::make_unique<Accuser>(self, std::move(victims), seed);
        case Malice::ghost: return std::make_unique<Ghost>(self, std::move(victims), seed);
        case Malice::swallow: break;
    }
    return std::make_unique<Swallower>(self, std::move(victims), seed);
}

}  // namespace clarity::sim
