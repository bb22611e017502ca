#include "coordinator/deployments.hpp"

#include <algorithm>

#include "coordinator/numbers.hpp"
#include "protocol/log/log.hpp"

namespace clarity::coordinator {
namespace {

/// Changes exactly when a plan with the same services would still say something else to the site.
Result<Digest> basis_of(const planner::PlannerInput& input, const Plan& plan) {
    CLARITY_TRY(const auto repositories, planner::repositories_fingerprint(input));
    std::string text = repositories.hex();
    text += planner::terms_fingerprint(plan, input.fingerprint_key).hex();
    for (const auto& member : input.roster.members) {
        text += fmt::format(";{}={}", member.server_id, member.key.hex());
    }
    return keyed_hash(input.fingerprint_key, text);
}

std::map<std::string, std::string> hostnames_of(const Roster& roster) {
    std::map<std::string, std::string> out;
    for (const auto& member : roster.members) out[member.server_id] = member.hostname;
    return out;
}

std::vector<planner::KnownManifest> known_manifests(const Manifests& manifests) {
    std::vector<planner::KnownManifest> out;
    for (const auto& [digest, entry] : manifests.all()) out.push_back({entry.manifest, digest});
    return out;
}

}  // namespace

Result<Deployments> Deployments::load(Store& store) {
    Deployments out(store);
    CLARITY_TRY(const auto rows, store.rows(schema::deployment));
    for (const auto& [key, bytes] : rows) {
        CLARITY_TRY(const auto json, parse_json(bytes));
        auto row = row_from_store(json);
        if (!row) return fail_within("stored deployment", std::move(row));
        out.ids_[row->site][row->seq] = row->id;
        out.rows_[row->id] = *std::move(row);
    }
    for (const auto& [site, ids] : out.ids_) {
        const auto seq = schema::number(ids.rbegin()->first);
        CLARITY_TRY(auto bytes, store.get(schema::key(schema::plan, {site, seq})));
        if (!bytes) return fail(Errc::io, "site {}: its newest plan is missing in the store", site);
        CLARITY_TRY(const auto envelope, Envelope::decode(*bytes));
        CLARITY_TRY(auto plan, Plan::decode(envelope.payload));
        out.current_[site] = PublishedPlan{std::move(plan), envelope.digest(), *std::move(bytes)};
    }
    return out;
}

Result<DeploymentOutcome> Deployments::create(const PlanSources& sources,
                                              const DeploymentOrder& order,
                                              std::int64_t now_unix_s) {
    DeploymentOutcome out;
    out.site = order.client + "/" + order.datacenter;
    CLARITY_TRY(const auto inventory, order.inventory ? sources.inventory.find(*order.inventory)
                                                      : sources.inventory.current());
    const auto* roster = sources.rosters.find(out.site);
    if (roster == nullptr || roster->roster.members.empty()) {
        return fail(Errc::conflict,
                    "no server of {} is enrolled; \"clarity token create {}\" makes join tokens",
                    out.site, out.site);
    }
    const PublishedPlan* now = current(out.site);
    const std::uint64_t ours = now == nullptr ? 0 : now->plan.seq;

    const planner::PlannerInput input{
        .inventory = inventory->inventory,
        .roster = roster->roster,
        .client = order.client,
        .datacenter = order.datacenter,
        .environment = order.environment,
        .manifests = known_manifests(sources.manifests),
        .secret =
            [&](const std::string& name) { return sources.vault.resolve(order.client, name); },
        .previous = now == nullptr ? nullptr : &now->plan,
        .previous_digest = now == nullptr ? std::nullopt : std::optional(now->digest),
        .seq = number_after(ours, order.seq_seen),
        .now_unix_s = now_unix_s,
        .not_before_unix_s = order.not_before_unix_s,
        .accept_for_s = 0,
        .id = random_uuid(),
        .correlation_id = order.correlation_id,
        .fingerprint_key = sources.identity.fingerprint_key,
        .allow_downgrade = order.allow_downgrade};
    CLARITY_TRY(out.plan, planner::make_plan(input, &out.warnings));
    out.changes = planner::diff_plans(input.previous, out.plan, hostnames_of(roster->roster));

    CLARITY_TRY(const auto basis, basis_of(input, out.plan));
    const auto* last = newest(out.site);
    // A site that is ahead of us (an older backup was restored) runs what we do not know.
    const bool ahead = order.seq_seen > ours;
    out.activates = now != nullptr && now->plan.not_before_unix_s > now_unix_s &&
                    now->plan.not_before_unix_s != out.plan.not_before_unix_s;
    if (!ahead && !out.activates && out.changes.empty() && last != nullptr &&
        last->basis == basis) {
        out.unchanged = true;
        out.row = *last;
        return out;
    }
    if (order.dry_run) return out;
    CLARITY_CHECK(publish(sources, order, now_unix_s, inventory->digest, basis, out));
    return out;
}

Result<void> Deployments::publish(const PlanSources& sources, const DeploymentOrder& order,
                                  std::int64_t now_unix_s, const Digest& inventory,
                                  const Digest& basis, DeploymentOutcome& out) {
    auto envelope = Envelope::make(payload_type::plan, out.plan.encode());
    envelope.sign(sources.identity.signing);
    auto bytes = envelope.encode();

    DeploymentRow row;
    row.id = out.plan.id;
    row.seq = out.plan.seq;
    row.site = out.site;
    row.environment = name_of(out.plan.environment);
    row.digest = envelope.digest();
    row.inventory = inventory;
    row.basis = basis;
    row.created_unix_s = now_unix_s;
    row.by = order.by;
    row.correlation_id = order.correlation_id;
    row.rollback_of = order.rollback_of;
    for (const auto& server : out.plan.servers) row.servers.push_back(server.server_id);

    std::vector<KeyValue> writes{
        {schema::key(schema::plan, {row.site, schema::number(row.seq)}), bytes},
        {schema::key(schema::deployment, {row.id}), to_text(row_to_store(row))}};
    if (const auto back = rows_.find(order.rollback_of); back != rows_.end()) {
        back->second.state = DeploymentState::rolled_back;
        writes.emplace_back(schema::key(schema::deployment, {back->first}),
                            to_text(row_to_store(back->second)));
    }
    CLARITY_CHECK(store_->put_all(writes));
    ids_[row.site][row.seq] = row.id;
    current_[row.site] = PublishedPlan{out.plan, row.digest, std::move(bytes)};
    rows_[row.id] = row;
    log::info_for(row.correlation_id, "deployment {}: plan {} of {} ({}) published, {} changes",
                  row.id, row.seq, row.site, row.environment, out.changes.size());
    out.row = std::move(row);
    out.published = true;
    return {};
}

Result<DeploymentOrder> Deployments::rollback_order(const std::string& id) const {
    const auto* row = find(id);
    if (row == nullptr) return fail(Errc::not_found, "there is no deployment {}", id);
    const auto& ids = ids_.at(row->site);
    const auto at = ids.find(row->seq);
    if (at == ids.begin()) {
        return fail(Errc::conflict, "deployment {} is the first of {}: nothing was there before",
                    id, row->site);
    }
    const auto& before = rows_.at(std::prev(at)->second);
    DeploymentOrder out;
    const auto slash = row->site.find('/');
    out.client = row->site.substr(0, slash);
    out.datacenter = row->site.substr(slash + 1);
    out.environment = environment_from(before.environment).value_or(Environment::prod);
    out.inventory = before.inventory;
    out.allow_downgrade = true;
    out.rollback_of = id;
    return out;
}

const PublishedPlan* Deployments::current(const std::string& site) const {
    const auto at = current_.find(site);
    return at == current_.end() ? nullptr : &at->second;
}

const DeploymentRow* Deployments::find(const std::string& id) const {
    const auto at = rows_.find(id);
    return at == rows_.end() ? nullptr : &at->second;
}

Result<Bytes> Deployments::envelope(const std::string& id) const {
    const auto* row = find(id);
    if (row == nullptr) return fail(Errc::not_found, "there is no deployment {}", id);
    CLARITY_TRY(auto bytes,
                store_->get(schema::key(schema::plan, {row->site, schema::number(row->seq)})));
    if (!bytes) return fail(Errc::io, "deployment {}: its plan is missing in the store", id);
    return *std::move(bytes);
}

const DeploymentRow* Deployments::newest(const std::string& site) const {
    const auto at = ids_.find(site);
    return at == ids_.end() ? nullptr : &rows_.at(at->second.rbegin()->second);
}

std::vector<const DeploymentRow*> Deployments::list(const std::string& site) const {
    std::vector<const DeploymentRow*> out;
    for (const auto& [id, row] : rows_) {
        if (site.empty() || row.site == site) out.push_back(&row);
    }
    std::sort(out.begin(), out.end(), [](const DeploymentRow* a, const DeploymentRow* b) {
        return std::tie(a->created_unix_s, a->seq) > std::tie(b->created_unix_s, b->seq);
    });
    return out;
}

Result<std::vector<DeploymentRow>> Deployments::follow(const std::string& site,
                                                       const std::vector<ServerView>& views) {
    std::vector<DeploymentRow> ended;
    const auto at = ids_.find(site);
    if (at == ids_.end()) return ended;
    for (const auto& [seq, id] : at->second) {
        auto& row = rows_.at(id);
        if (is_final(row.state) && row.state != DeploymentState::failed) continue;
        const auto state = deployment_state(seq, row.servers, views);
        // A failed one may still come right, or be taken back; nothing goes back to running.
        if (state == row.state || (row.state == DeploymentState::failed && !is_final(state))) {
            continue;
        }
        row.state = state;
        CLARITY_CHECK(store_->put_json(schema::key(schema::deployment, {id}), row_to_store(row)));
        if (is_final(state)) ended.push_back(row);
    }
    return ended;
}

}  // namespace clarity::coordinator
