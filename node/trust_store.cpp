#include "node/trust_store.hpp"

#include <algorithm>
#include <set>

#include "protocol/sha256.hpp"
#include "protocol/version.hpp"

namespace clarity {
namespace {

constexpr std::string_view root_prefix = "trust/root/";
constexpr std::string_view manifest_prefix = "trust/manifest/";
constexpr std::string_view evidence_prefix = "trust/evidence/";
constexpr std::string_view roster_key = "trust/roster";
constexpr std::string_view plan_key = "trust/plan";
constexpr std::string_view previous_plan_key = "trust/plan_previous";
constexpr std::string_view beacon_key = "trust/beacon";
constexpr std::string_view incarnation_key = "trust/incarnation";
constexpr std::size_t evidence_max = 64;
constexpr std::uint64_t incarnations_reserved = 63;

std::string key_of_root(std::uint64_t version) {
    return fmt::format("{}{:016x}", root_prefix, version);
}
std::string key_of_manifest(const Digest& digest) {
    return std::string(manifest_prefix) + digest.hex();
}

}  // namespace

Result<TrustStore> TrustStore::open(KeyValueStore& store, std::string site) {
    TrustStore out(store, std::move(site));
    CLARITY_CHECK(out.load());
    return out;
}

Result<void> TrustStore::load() {
    CLARITY_TRY(const auto incarnation, store_->get(incarnation_key));
    if (incarnation) incarnation_ = std::strtoull(incarnation->c_str(), nullptr, 10);
    Result<void> chain;
    CLARITY_CHECK(store_->scan(root_prefix, [&](std::string_view, std::string_view bytes) {
        chain = [&]() -> Result<void> {
            CLARITY_TRY(const auto envelope, Envelope::decode(bytes));
            // Version 1 was pinned at enrolment; what is on our disk is ours.
            if (held_.empty()) {
                CLARITY_TRY(root_, verify_first_root(envelope));
            } else {
                CLARITY_TRY(root_, verify_next_root(root_, envelope));
            }
            hold("root", site_, root_.version, envelope);
            return {};
        }();
        return chain.has_value();
    }));
    if (!chain) return fail_within("stored root documents", std::move(chain));
    if (held_.empty()) return {};
    return load_documents();
}

Result<void> TrustStore::load_documents() {
    CLARITY_TRY(const auto roster_bytes, store_->get(roster_key));
    if (roster_bytes) {
        CLARITY_TRY(const auto envelope, Envelope::decode(*roster_bytes));
        CLARITY_TRY(roster_, Roster::decode(envelope.payload));
        hold("roster", site_, roster_.epoch, envelope);
    }
    // A plan that was accepted stays accepted: validity windows gate the first acceptance only.
    CLARITY_TRY(const auto plan_bytes, store_->get(plan_key));
    if (plan_bytes) {
        CLARITY_TRY(const auto envelope, Envelope::decode(*plan_bytes));
        CLARITY_TRY(auto plan, Plan::decode(envelope.payload));
        plan_digest_ = envelope.digest();
        plan_ = std::move(plan);
        hold("plan", site_, plan_->seq, envelope);
    }
    CLARITY_TRY(const auto previous, store_->get(previous_plan_key));
    if (previous) {
        CLARITY_TRY(const auto envelope, Envelope::decode(*previous));
        CLARITY_TRY(const auto plan, Plan::decode(envelope.payload));
        previous_manifests_ = plan.manifests;
    }
    CLARITY_TRY(const auto beacon_bytes, store_->get(beacon_key));
    if (beacon_bytes) {
        CLARITY_TRY(const auto envelope, Envelope::decode(*beacon_bytes));
        CLARITY_TRY(beacon_, Beacon::decode(envelope.payload));
        hold("beacon", site_, static_cast<std::uint64_t>(beacon_->at_unix_ms), envelope);
    }
    return store_->scan(manifest_prefix, [&](std::string_view, std::string_view bytes) {
        const auto envelope = Envelope::decode(bytes);
        if (!envelope) return true;
        if (auto manifest = Manifest::decode(envelope->payload)) {
            hold("manifest", manifest->artifact + "@" + manifest->version, 0, *envelope);
            manifests_[envelope->digest()] = *std::move(manifest);
        }
        return true;
    });
}

Result<void> TrustStore::begin(const std::vector<Envelope>& roots, const Envelope& roster) {
    if (roots.empty()) return fail(Errc::invalid, "no root document to begin with");
    if (held_.empty()) {
        CLARITY_TRY(root_, verify_first_root(roots.front()));
        CLARITY_CHECK(store_->put(key_of_root(root_.version), roots.front().encode(), Sync::yes));
        hold("root", site_, root_.version, roots.front());
    }
    for (const auto& envelope : roots) {
        CLARITY_TRY(const auto root, Root::decode(envelope.payload));
        if (root.version == root_.version + 1) CLARITY_CHECK(accept_root(envelope));
    }
    const auto accepted = accept_roster(roster);
    if (!accepted && accepted.error().code != Errc::exists) return accepted;
    return {};
}

Result<void> TrustStore::accept_root(const Envelope& envelope) {
    if (held_.contains(envelope.digest())) return fail(Errc::exists, "root is here already");
    CLARITY_TRY(auto next, verify_next_root(root_, envelope));
    CLARITY_CHECK(store_->put(key_of_root(next.version), envelope.encode(), Sync::yes));
    root_ = std::move(next);
    hold("root", site_, root_.version, envelope);
    return {};
}

Result<void> TrustStore::accept_roster(const Envelope& envelope) {
    if (held_.contains(envelope.digest())) return fail(Errc::exists, "roster is here already");
    CLARITY_TRY(auto next, verify_roster(root_, site_, envelope));
    if (next.epoch == roster_.epoch && roster_.epoch != 0) {
        CLARITY_CHECK(keep_evidence("roster", envelope.encode()));
        return fail(Errc::conflict, "equivocation: two different rosters with epoch {}",
                    next.epoch);
    }
    if (next.epoch < roster_.epoch) {
        return fail(Errc::conflict, "old roster: epoch {}, but {} is here already", next.epoch,
                    roster_.epoch);
    }
    CLARITY_CHECK(store_->put(roster_key, envelope.encode(), Sync::yes));
    roster_ = std::move(next);
    drop("roster");
    hold("roster", site_, roster_.epoch, envelope);
    return {};
}

Result<void> TrustStore::check_no_downgrade(const Plan& next) const {
    if (!plan_ || next.allow_downgrade) return {};
    for (const auto& server : next.servers) {
        const auto* before = plan_->find(server.server_id);
        if (before == nullptr) continue;
        for (const auto& service : server.services) {
            for (const auto& old : before->services) {
                if (old.name == service.name &&
                    compare_versions(service.version, old.version) < 0) {
                    return fail(Errc::bad_signature,
                                "policy: plan {} takes {} from {} back to {} without "
                                "allow_downgrade",
                                next.seq, service.name, old.version, service.version);
                }
            }
        }
    }
    return {};
}

Result<void> TrustStore::accept_plan(const Envelope& envelope, std::int64_t now_unix_s) {
    const PlanContext context{.site = site_,
                              .now_unix_s = now_unix_s,
                              .seq_seen = plan_seq(),
                              .digest_seen = plan_digest_,
                              .approvals = 0};
    auto next = verify_plan(root_, context, envelope);
    if (!next) {
        if (next.error().message.starts_with("equivocation")) {
            CLARITY_CHECK(keep_evidence("plan", envelope.encode()));
        }
        return tl::unexpected(std::move(next).error());
    }
    CLARITY_CHECK(check_no_downgrade(*next));
    Batch batch;
    const auto previous = plan_ ? plan_->manifests : previous_manifests_;
    const auto current = held_.find(plan_digest_);
    if (plan_ && current != held_.end()) batch.put(previous_plan_key, current->second.bytes);
    batch.put(plan_key, envelope.encode());
    const auto unneeded = manifests_beside(next->manifests, previous);
    for (const auto& digest : unneeded) batch.erase(key_of_manifest(digest));
    CLARITY_CHECK(store_->apply(batch, Sync::yes));  // before anything here believes in it
    previous_manifests_ = previous;
    plan_ = *std::move(next);
    plan_digest_ = envelope.digest();
    for (const auto& digest : unneeded) {
        manifests_.erase(digest);
        held_.erase(digest);
    }
    drop("plan");
    hold("plan", site_, plan_->seq, envelope);
    return {};
}

std::vector<Digest> TrustStore::manifests_beside(const std::vector<Digest>& current,
                                                 const std::vector<Digest>& previous) const {
    std::set<Digest> needed(current.begin(), current.end());
    needed.insert(previous.begin(), previous.end());
    needed.insert(also_wanted_.begin(), also_wanted_.end());
    std::vector<Digest> out;
    for (const auto& [digest, manifest] : manifests_) {
        if (!needed.contains(digest)) out.push_back(digest);
    }
    return out;
}

Result<void> TrustStore::accept_manifest(const Envelope& envelope) {
    const Digest digest = envelope.digest();
    if (manifests_.contains(digest)) return fail(Errc::exists, "manifest is here already");
    CLARITY_TRY(auto manifest, verify_manifest(root_, envelope));
    CLARITY_CHECK(store_->put(key_of_manifest(digest), envelope.encode(), Sync::yes));
    hold("manifest", manifest.artifact + "@" + manifest.version, 0, envelope);
    manifests_[digest] = std::move(manifest);
    return {};
}

Result<void> TrustStore::accept_beacon(const Envelope& envelope) {
    CLARITY_TRY(auto next, verify_beacon(root_, site_, envelope));
    if (beacon_ && next.at_unix_ms <= beacon_->at_unix_ms) {
        return fail(Errc::exists, "a newer beacon is here already");
    }
    CLARITY_CHECK(store_->put(beacon_key, envelope.encode(), Sync::no));
    beacon_ = std::move(next);
    drop("beacon");
    hold("beacon", site_, static_cast<std::uint64_t>(beacon_->at_unix_ms), envelope);
    return {};
}

std::set<Digest> TrustStore::planned_artifacts() const {
    auto named = previous_manifests_;
    if (plan_) named.insert(named.end(), plan_->manifests.begin(), plan_->manifests.end());
    std::set<Digest> out;
    for (const auto& digest : named) {
        const auto at = manifests_.find(digest);
        if (at != manifests_.end()) out.insert(at->second.sha256);
    }
    return out;
}

std::vector<Digest> TrustStore::missing_manifests() const {
    std::set<Digest> wanted = also_wanted_;
    if (plan_) wanted.insert(plan_->manifests.begin(), plan_->manifests.end());
    std::vector<Digest> out;
    for (const auto& digest : wanted) {
        if (!manifests_.contains(digest)) out.push_back(digest);
    }
    return out;
}

std::vector<HeldDocument> TrustStore::held() const {
    std::vector<HeldDocument> out;
    for (const auto& [digest, document] : held_) out.push_back(document);
    return out;
}

std::optional<HeldDocument> TrustStore::find(const Digest& digest) const {
    const auto found = held_.find(digest);
    if (found == held_.end()) return std::nullopt;
    return found->second;
}

Result<void> TrustStore::store_incarnation(std::uint64_t value) {
    if (value <= incarnation_) return {};
    // A node that must refute again and again is a busy one: it does not wait for the disk each
    // time.
    const auto reserved = value + incarnations_reserved;
    CLARITY_CHECK(store_->put(incarnation_key, std::to_string(reserved), Sync::yes));
    incarnation_ = reserved;
    return {};
}

Result<void> TrustStore::keep_evidence(std::string_view kind, std::string_view bytes) {
    std::size_t count = 0;
    CLARITY_CHECK(
        store_->scan(evidence_prefix, [&](auto, auto) { return ++count < evidence_max; }));
    if (count >= evidence_max) return {};  // enough to prove the case; no peer fills our disk
    const std::string key = fmt::format("{}{}/{}", evidence_prefix, kind, sha256(bytes).hex());
    return store_->put(key, bytes, Sync::yes);
}

void TrustStore::hold(std::string kind, std::string key, std::uint64_t version,
                      const Envelope& envelope) {
    const Digest digest = envelope.digest();
    held_[digest] = {std::move(kind), std::move(key), version, digest, envelope.encode()};
}

void TrustStore::drop(std::string_view kind) {
    std::erase_if(held_, [&](const auto& each) { return each.second.kind == kind; });
}

}  // namespace clarity
