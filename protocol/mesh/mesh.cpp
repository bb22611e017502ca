#include "protocol/mesh/mesh.hpp"

#include <algorithm>

#include "protocol/mesh/answer_budget.hpp"
#include "protocol/mesh/anti_entropy.hpp"
#include "protocol/mesh/dissemination.hpp"
#include "protocol/mesh/prober.hpp"

namespace clarity::mesh {
namespace {

/// on_time() this late means that we slept (a paused machine, a busy loop), not that others did.
constexpr std::int64_t asleep_ms = 2000;

}  // namespace

std::string_view name_of(State state) {
    switch (state) {
        case State::alive: return "alive";
        case State::suspect: return "suspect";
        case State::dead: return "dead";
        case State::left: return "left";
        case State::unknown: break;
    }
    return "unknown";
}

/// The parts and the wires between them.
class Mesh::Core {
  public:
    Core(Settings settings, std::uint64_t first_incarnation)
        : out{.settings = std::move(settings),
              .random = Random(0),
              .now_ms = 0,
              .effects = {},
              .counters = {}},
          members(out, first_incarnation),
          records(out, members,
                  [this](MemberKey owner, MemberKey from) { spread.fresh_record(owner, from); }),
          documents(out, members,
                    [this](const Digest& d, MemberKey from) { spread.fresh_document(d, from); }),
          spread(out, members, records, documents),
          repair(out, members, records, documents),
          prober(out, members, [this] { return repair.root(); }),
          answer_budget(out.settings.answers_max_bytes_s),
          parts_budget(out.settings.parts_max_bytes_s) {
        out.random = Random(mix(out.settings.seed, members.self_key()));
        members.hooks.changed = [this] { spread.updates_waiting(); };
        members.hooks.returned = [this](Index i) { repair.start_with(i); };
        members.hooks.suspected = [this](Index i) { prober.confirm(i); };
        members.hooks.ask = [this](Index i) { prober.ask(i); };
        members.hooks.refuted = [this] { prober.refuted(); };
    }

    Outbox out;
    Membership members;
    Records records;
    Documents documents;
    Dissemination spread;
    AntiEntropy repair;
    Prober prober;
    AnswerBudget answer_budget;
    AnswerBudget parts_budget;

    /// The hour of a call; notices when we were asleep since the last one. Only then: what waited
    /// for us comes in many calls, and on_time() may be the last of them.
    void at(std::int64_t now_ms) {
        const auto due = deadline();
        const auto awake_until = std::max(due, out.now_ms);
        out.now_ms = std::max(out.now_ms, now_ms);
        if (due == never || out.now_ms - awake_until < asleep_ms) return;
        prober.woke_up();
        members.restart_suspicions();
    }

    [[nodiscard]] std::int64_t deadline() const {
        if (!members.taking_part()) return never;
        return std::min({members.deadline(), records.deadline(), documents.deadline(),
                         spread.deadline(), prober.deadline()});
    }

    /// Requests whose answers are longer than they are.
    void answer(Index from, const Frame& frame) {
        auto& budget = frame.type == FrameType::document_get ? parts_budget : answer_budget;
        if (!budget.allows(out.now_ms, members.key(from))) {
            ++out.counters.answers_refused;
            return;
        }
        const auto before = out.counters.bytes_sent;
        switch (frame.type) {
            case FrameType::record_get: records.serve(from, frame.owners); break;
            case FrameType::digest: repair.take_digest(from, frame); break;
            case FrameType::buckets: repair.take_buckets(from, frame); break;
            case FrameType::entries: repair.take_entries(from, frame); break;
            default: documents.serve(from, frame.digest, frame.offset); break;
        }
        budget.charge(members.key(from), out.counters.bytes_sent - before);
    }

    void dispatch(Index from, const Frame& frame) {
        switch (frame.type) {
            case FrameType::gossip: break;
            case FrameType::ping:
                prober.take_ping(from, frame.sequence);
                repair.compare(from, frame.root);
                break;
            case FrameType::ack:
                prober.take_ack(from, frame.sequence);
                repair.compare(from, frame.root);
                break;
            case FrameType::nack: prober.take_nack(from, frame.sequence); break;
            case FrameType::ping_request:
                prober.take_ping_request(from, frame.target, frame.sequence);
                break;
            case FrameType::announce:
                records.consider(from, frame.entries, out.settings.pull_delay_ms);
                documents.take_ads(from, frame.ads);
                break;
            case FrameType::records:
                if (records.take(from, frame.bodies) > 0 && frame.more) repair.start_with(from);
                break;
            case FrameType::record_get:
            case FrameType::digest:
            case FrameType::buckets:
            case FrameType::entries:
            case FrameType::document_get: answer(from, frame); break;
            case FrameType::document_part: documents.take_part(from, frame); break;
        }
    }
};

Mesh::Mesh(Settings settings, std::uint64_t first_incarnation)
    : core_(std::make_unique<Core>(std::move(settings), first_incarnation)) {}
Mesh::~Mesh() = default;
Mesh::Mesh(Mesh&&) noexcept = default;
Mesh& Mesh::operator=(Mesh&&) noexcept = default;

void Mesh::set_members(std::int64_t now_ms, const std::vector<MemberSpec>& members) {
    std::vector<std::string> ids;
    for (const auto& member : members) ids.push_back(member.id);
    set_members(now_ms, Roll::make(std::move(ids)));
}

void Mesh::set_members(std::int64_t now_ms, std::shared_ptr<const Roll> roll) {
    auto& c = *core_;
    c.at(now_ms);
    const auto before = c.members.share_roll();
    c.members.set_members(std::move(roll));
    c.records.members_changed(*before);
    c.prober.members_changed();
}

void Mesh::receive(std::int64_t now_ms, const std::string& from, std::string_view bytes) {
    auto& c = *core_;
    c.at(now_ms);
    ++c.out.counters.frames_received;
    c.out.counters.bytes_received += bytes.size();
    const auto sender = c.members.find(from);
    if (!c.members.taking_part() || !sender || *sender == c.members.self()) {
        ++c.out.counters.dropped_stranger;
        return;
    }
    Frame frame;
    switch (decode_frame(bytes, frame, &c.members.roll())) {
        case FrameFault::malformed: ++c.out.counters.dropped_malformed; return;
        case FrameFault::version: ++c.out.counters.dropped_version; return;
        case FrameFault::none: break;
    }
    if (frame.site != c.members.site()) {
        ++c.out.counters.dropped_site;
        return;
    }
    c.members.heard_from(*sender, frame.incarnation);
    c.members.take_claims(*sender, frame);
    c.dispatch(*sender, frame);
}

void Mesh::peer_unreachable(std::int64_t now_ms, const std::string& member) {
    core_->at(now_ms);
    if (!core_->members.taking_part()) return;
    if (const auto i = core_->members.find(member)) core_->prober.probe_now(*i);
}

void Mesh::peer_found(std::int64_t now_ms, const std::string& member) {
    core_->at(now_ms);
    if (!core_->members.taking_part()) return;
    const auto i = core_->members.find(member);
    if (i && *i != core_->members.self() && !core_->members.reachable(*i)) core_->prober.ask(*i);
}

void Mesh::on_time(std::int64_t now_ms) {
    core_->at(now_ms);
    if (!core_->members.taking_part()) return;
    core_->prober.on_time();
    core_->members.on_time();
    core_->records.on_time();
    core_->documents.on_time();
    core_->spread.on_time();
}

std::int64_t Mesh::deadline() const {
    return core_->deadline();
}
RecordVersion Mesh::next_version() const {
    return core_->records.next_version();
}

void Mesh::set_own_record(std::int64_t now_ms, RecordVersion version, Bytes signed_envelope) {
    core_->at(now_ms);
    core_->records.set_own(version, std::move(signed_envelope));
}

RecordsView Mesh::records() const {
    return core_->records.all();
}

void Mesh::offer(std::int64_t now_ms, const DocumentAd& ad, Bytes body) {
    core_->at(now_ms);
    core_->documents.offer(ad, std::make_shared<const Bytes>(std::move(body)));
}

void Mesh::offer(std::int64_t now_ms, const DocumentAd& ad, std::shared_ptr<const Bytes> body) {
    core_->at(now_ms);
    core_->documents.offer(ad, std::move(body));
}

void Mesh::withdraw(const Digest& digest) {
    core_->documents.withdraw(digest);
}

void Mesh::want(std::int64_t now_ms, const Digest& digest) {
    core_->at(now_ms);
    core_->documents.want(digest);
}

std::vector<DocumentAd> Mesh::offered() const {
    return core_->documents.offered();
}

std::vector<MemberView> Mesh::members() const {
    std::vector<MemberView> out;
    const auto& table = core_->members;
    out.reserve(table.size());
    for (Index i = 0; i < table.size(); ++i) {
        const auto& row = table.at(i);
        MemberView view{table.id(i), row.state(), row.heard_ms(), {}, row.incarnation};
        if (row.heard != 0) view.witness = table.id(static_cast<Index>(row.witness));
        if (table.key(i) == table.self_key()) {
            view.last_heard_ms = core_->out.now_ms;
            view.witness = view.id;
        }
        out.push_back(std::move(view));
    }
    return out;
}

State Mesh::state_of(std::string_view id) const {
    const auto i = core_->members.find(id);
    return i ? core_->members.at(*i).state() : State::unknown;
}

std::vector<std::string> Mesh::active_peers() const {
    std::vector<std::string> out;
    for (const auto i : core_->members.active()) out.push_back(core_->members.id(i));
    return out;
}

std::uint64_t Mesh::incarnation() const {
    return core_->members.incarnation();
}

std::uint64_t Mesh::state_digest() const {
    return core_->repair.root();
}

Counters Mesh::counters() const {
    auto out = core_->out.counters;
    out.local_health = core_->prober.local_health();
    return out;
}

void Mesh::leave(std::int64_t now_ms) {
    core_->at(now_ms);
    core_->members.leave();
}

std::vector<Effect> Mesh::take_effects() {
    return std::exchange(core_->out.effects, {});
}

}  // namespace clarity::mesh
