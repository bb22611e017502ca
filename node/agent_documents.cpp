#include <set>

#include "node/agent_impl.hpp"
#include "protocol/cache_order.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::size_t seen_ads_max = 1024;
constexpr std::size_t nonces_max = 4096;
constexpr std::size_t results_max = 16;
constexpr std::string_view nonce_prefix = "agent/nonce/";

}  // namespace

void Agent::Impl::apply_roster() {
    const auto& roster = trust.roster();
    std::map<CurveKey, std::string> users;
    for (const auto& observer : roster.observers) {
        if (const auto key = curve_keys.of(observer))
            users[*key] = "o:" + key_id_of(observer).hex();
    }
    for (const auto& member : roster.members) {
        if (const auto key = curve_keys.of(member.key)) users[*key] = "m:" + member.server_id;
    }
    net->set_authorised(mesh_listener, std::move(users));
    mesh->set_roster(roster);
    curve_keys.store();
    if (beacon) beacon->changed();
    tell_who_left(roster);
    const bool is_member = roster.find(identity.server_id) != nullptr;
    if (!is_member && was_member) {
        log::warning(
            "this server is not in roster {} of {}: it was revoked; what runs stays, "
            "nothing new comes; enrol again to rejoin",
            roster.epoch, identity.site);
    }
    was_member = is_member;
    workloads->set_site(snapshot());
    touch_record();
}

/// Says which servers the roster no longer has; from now on nothing of theirs is let in.
void Agent::Impl::tell_who_left(const Roster& roster) {
    for (const auto& [server_id, hostname] : known_members) {
        if (roster.find(server_id) != nullptr || server_id == identity.server_id) continue;
        log::warning("roster {}: {} was revoked: it is cut off from this site", roster.epoch,
                     hostname);
    }
    known_members.clear();
    for (const auto& member : roster.members) known_members[member.server_id] = member.hostname;
}

void Agent::Impl::apply_plan() {
    const auto* plan = trust.plan();
    if (plan == nullptr) return;
    if (!own_manifests_here(*plan, identity.server_id, trust.manifests())) return;
    workloads->apply(*plan, trust.manifests());
    touch_record();
}

/// Offers to the mesh exactly what is held.
void Agent::Impl::sync_offers() {
    std::set<Digest> held;
    for (auto& each : trust.held()) {
        held.insert(each.digest);
        const mesh::DocumentAd ad{each.kind, each.key, each.version, each.digest,
                                  each.bytes.size()};
        mesh->offer(ad, std::move(each.bytes));
    }
    for (const auto& ad : mesh->mesh().offered()) {
        if (ad.kind != "command" && !held.contains(ad.digest)) mesh->withdraw(ad.digest);
    }
}

bool Agent::Impl::wants(const std::string& kind, std::uint64_t version,
                        const Digest& digest) const {
    return policy.wants({kind, version, digest}, unix_ms());
}

void Agent::Impl::on_ad(const mesh::DocumentAd& ad) {
    if (policy.wants({ad.kind, ad.version, ad.digest, ad.size_bytes}, unix_ms())) {
        mesh->want(ad.digest);
        return;
    }
    if (ad.kind != "command" && seen_ads.size() < seen_ads_max) seen_ads[ad.digest] = ad;
}

/// After a change of trust: what was not wanted may be now.
void Agent::Impl::want_what_is_missing() {
    for (const auto& digest : trust.missing_manifests()) mesh->want(digest);
    std::erase_if(seen_ads, [&](const auto& row) {
        if (!wants(row.second.kind, row.second.version, row.first)) return true;
        mesh->want(row.first);
        return true;
    });
}

Result<std::string> Agent::Impl::take_document(const std::string& kind, const Bytes& body) {
    if (stopping) return fail(Errc::cancelled, "the agent is stopping");
    const auto effect = policy.take(kind, body, unix_ms());
    if (!effect) {
        if (effect.error().code != Errc::exists) touch_record();  // the refusal is to be seen
        return tl::unexpected(effect.error());
    }
    sync_offers();
    std::string taken = "beacon";
    switch (*effect) {
        case DocumentEffect::none:
        case DocumentEffect::beacon: return taken;
        case DocumentEffect::root:
            taken = "root";
            log::info("root version {} accepted", trust.root().version);
            break;
        case DocumentEffect::roster:
            taken = "roster";
            log::info("roster {}: {} servers", trust.roster().epoch, trust.roster().members.size());
            apply_roster();
            break;
        case DocumentEffect::plan:
            taken = "plan";
            log::info_for(trust.plan()->correlation_id, "plan {} for {} accepted", trust.plan_seq(),
                          name_of(trust.plan()->environment));
            apply_plan();
            break;
        case DocumentEffect::manifest:
            taken = "manifest";
            apply_plan();
            workloads->manifests_changed();
            break;
    }
    want_what_is_missing();
    uplink->trust_changed();
    touch_record();
    return taken;
}

void Agent::Impl::load_nonces() {
    const auto now_s = unix_ms() / 1000;
    Batch old;
    const auto scanned =
        store.scan(nonce_prefix, [&](std::string_view key, std::string_view value) {
            const auto expiry = std::strtoll(std::string(value).c_str(), nullptr, 10);
            if (expiry < now_s) old.erase(key);
            else nonces[std::string(key.substr(nonce_prefix.size()))] = expiry;
            return true;
        });
    if (!scanned) log::warning("commands seen: {}", scanned.error().message);
    if (!old.empty()) (void)store.apply(old);
}

void Agent::Impl::forget_old_commands() {
    const auto now_s = unix_ms() / 1000;
    std::erase_if(nonces, [&](const auto& row) { return row.second < now_s; });
    std::erase_if(passed_on, [&](const auto& row) {
        if (row.second >= now_s) return false;
        mesh->withdraw(row.first);
        return true;
    });
}

/// A signed command, from an uplink of ours or through the mesh. For another server it is offered
/// to the mesh; for us it is carried out once.
void Agent::Impl::take_order(const Bytes& bytes) {
    const auto envelope = Envelope::decode(bytes);
    if (!envelope) return;
    const auto now_s = unix_ms() / 1000;
    const auto command = verify_command(trust.root(), identity.site, now_s, *envelope);
    if (!command) {
        // An old one may be offered again by anybody at will.
        if (command.error().code == Errc::timeout) {
            policy.settle(envelope->digest());
        } else {
            policy.refuse("command", *envelope, command.error(), unix_ms());
            touch_record();
        }
        return;
    }
    policy.settle(envelope->digest());
    if (nonces.contains(command->nonce) || nonces.size() >= nonces_max) return;
    nonces[command->nonce] = command->expires_unix_s;
    expect_manifest(*command);
    if (command->server_id != identity.server_id) {
        passed_on[envelope->digest()] = command->expires_unix_s;
        mesh->offer({"command", command->nonce.substr(0, 64), 1, envelope->digest(), bytes.size()},
                    bytes);
        return;
    }
    const auto stored = store.put(std::string(nonce_prefix) + command->nonce,
                                  std::to_string(command->expires_unix_s), Sync::yes);
    if (!stored) {
        log::error("command {} not carried out: {}", command->action, stored.error().message);
        return;
    }
    log::info("command: {} {}", command->action, command->service);
    workloads->act(*command, [self = weak_from_this(), nonce = command->nonce,
                              action = command->action](Result<std::string> result) {
        const auto me = self.lock();
        if (!me || me->stopping) return;
        if (!result) log::warning("command {}: {}", action, result.error().message);
        auto text = result ? *result : result.error().message;
        constexpr std::size_t text_max = 64U << 10;
        if (text.size() > text_max) text = text.substr(text.size() - text_max);
        me->on_result({nonce, result.has_value(), std::move(text)});
    });
}

/// An artifact that some server is to fetch ahead of a plan: its manifest comes from the
/// coordinator through the uplinks, and every server wants it, for who has the bytes offers them.
void Agent::Impl::expect_manifest(const Command& command) {
    if (command.action != cache_order::prefetch) return;
    const auto order = CacheOrder::decode(command.argument);
    if (!order || order->manifest.is_zero()) return;
    workloads->expect_manifest(order->manifest);
    trust.also_want(workloads->wanted_manifests());
    workloads->manifests_changed();
    want_what_is_missing();
    uplink->trust_changed();
}

/// Through our own connection to the coordinator; decide_uplink() opens one for it if need be.
void Agent::Impl::on_result(control::OrderResult result) {
    if (results.size() >= results_max) results.erase(results.begin());
    results.push_back(std::move(result));
    results_since_ms = mesh->now_ms();
    send_results();
    decide_uplink();
}

void Agent::Impl::send_results() {
    if (!uplink->reaches_coordinator()) return;
    for (const auto& each : results) uplink->send_result(each);
    results.clear();
}

}  // namespace clarity
