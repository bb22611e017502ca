#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/orders.hpp"
#include "protocol/plan.hpp"
#include "protocol/roster.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// A document as it is held and offered to others.
struct HeldDocument {
    std::string kind;  ///< "root" | "roster" | "plan" | "manifest" | "beacon"
    std::string key;
    std::uint64_t version = 0;
    Digest digest;
    Bytes bytes;  ///< Envelope::encode(), as it came
};

/// What this node believes, and may act on: the root chain, the newest roster, plan and beacon, the
/// manifests of the current and previous plan, its incarnation. Everything is checked here and on
/// disk (synced) before accept_…() returns, so before anything is done because of it.
///
/// Owner: the agent, on its loop. Writes are rare and small; they block for a disk sync.
class TrustStore {
  public:
    /// Loads and checks what `store` holds. `store` outlives this object.
    [[nodiscard]] static Result<TrustStore> open(KeyValueStore& store, std::string site);

    /// Takes over what enrolment gave (all checked there already).
    [[nodiscard]] Result<void> begin(const std::vector<Envelope>& roots, const Envelope& roster);

    /// Each fails as the verify_… function of its document does; `exists` = held already. A plan
    /// whose `seq` we hold with other bytes is kept as evidence. A plan that would take a service
    /// to an older version without allow_downgrade is refused (bad_signature: policy).
    [[nodiscard]] Result<void> accept_root(const Envelope& envelope);
    [[nodiscard]] Result<void> accept_roster(const Envelope& envelope);
    [[nodiscard]] Result<void> accept_plan(const Envelope& envelope, std::int64_t now_unix_s);
    [[nodiscard]] Result<void> accept_manifest(const Envelope& envelope);
    [[nodiscard]] Result<void> accept_beacon(const Envelope& envelope);

    [[nodiscard]] const Root& root() const { return root_; }
    [[nodiscard]] const Roster& roster() const { return roster_; }
    [[nodiscard]] const Plan* plan() const { return plan_ ? &*plan_ : nullptr; }
    [[nodiscard]] const Digest& plan_digest() const { return plan_digest_; }
    [[nodiscard]] std::uint64_t plan_seq() const { return plan_ ? plan_->seq : 0; }
    [[nodiscard]] const Beacon* beacon() const { return beacon_ ? &*beacon_ : nullptr; }
    [[nodiscard]] const std::map<Digest, Manifest>& manifests() const { return manifests_; }
    /// Manifests that are wanted beside the plans': of artifacts to fetch ahead. Replaces the list.
    void also_want(std::set<Digest> manifests) { also_wanted_ = std::move(manifests); }
    [[nodiscard]] const std::set<Digest>& also_wanted() const { return also_wanted_; }
    /// Artifacts of the plan and of the one before it, as far as their manifests are held.
    [[nodiscard]] std::set<Digest> planned_artifacts() const;
    /// Manifests that the plan names, or that are wanted beside it, and we lack.
    [[nodiscard]] std::vector<Digest> missing_manifests() const;

    /// Everything that peers may ask for.
    [[nodiscard]] std::vector<HeldDocument> held() const;
    [[nodiscard]] std::optional<HeldDocument> find(const Digest& digest) const;

    /// No incarnation above this one was ever used; 0 = none was.
    [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
    /// To be called before an incarnation is used. Syncs to disk once for some dozens of them,
    /// which are skipped when the process ends before it used them.
    [[nodiscard]] Result<void> store_incarnation(std::uint64_t value);

    /// Keeps a document that contradicts another of its owner, for whoever investigates.
    [[nodiscard]] Result<void> keep_evidence(std::string_view kind, std::string_view bytes);

  private:
    TrustStore(KeyValueStore& store, std::string site) : store_(&store), site_(std::move(site)) {}

    [[nodiscard]] Result<void> load();
    [[nodiscard]] Result<void> load_documents();
    [[nodiscard]] Result<void> check_no_downgrade(const Plan& next) const;
    /// Held manifests that neither list names, nor are wanted beside them.
    [[nodiscard]] std::vector<Digest> manifests_beside(const std::vector<Digest>& current,
                                                       const std::vector<Digest>& previous) const;
    void hold(std::string kind, std::string key, std::uint64_t version, const Envelope& envelope);
    void drop(std::string_view kind);

    KeyValueStore* store_;
    std::string site_;
    Root root_;
    Roster roster_;
    std::optional<Plan> plan_;
    Digest plan_digest_;
    std::vector<Digest> previous_manifests_;
    std::set<Digest> also_wanted_;
    std::optional<Beacon> beacon_;
    std::map<Digest, Manifest> manifests_;
    std::map<Digest, HeldDocument> held_;
    std::uint64_t incarnation_ = 0;
};

}  // namespace clarity
