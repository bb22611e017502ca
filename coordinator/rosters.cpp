#include "coordinator/rosters.hpp"

#include <algorithm>

#include "coordinator/numbers.hpp"

namespace clarity::coordinator {
namespace {

bool same(const CoordinatorAddress& a, const CoordinatorAddress& b) {
    return a.control_endpoint == b.control_endpoint && a.curve_key == b.curve_key &&
           a.rest_url == b.rest_url;
}

}  // namespace

Result<Rosters> Rosters::load(Store& store, const SigningKey& key) {
    Rosters out(store, key);
    CLARITY_TRY(const auto observers, store.rows(schema::observer));
    for (const auto& [name, row] : observers) {
        CLARITY_TRY(out.observers_.emplace_back(),
                    PublicKey::from_hex(name.substr(name.rfind('\0') + 1)));
    }
    CLARITY_TRY(const auto rosters, store.rows(schema::roster));
    for (const auto& [name, bytes] : rosters) {
        CLARITY_TRY(const auto envelope, Envelope::decode(bytes));
        CLARITY_TRY(auto roster, Roster::decode(envelope.payload));
        out.take(PublishedRoster{std::move(roster), envelope.digest(), bytes});
    }
    return out;
}

void Rosters::take(PublishedRoster published) {
    const auto site = published.roster.site;
    if (const auto* before = find(site)) {
        for (const auto& member : before->roster.members) site_of_.erase(member.server_id);
    }
    for (const auto& member : published.roster.members) site_of_[member.server_id] = site;
    sites_[site] = std::move(published);
}

Result<void> Rosters::publish(const std::string& site, std::vector<Member> members,
                              std::vector<KeyValue> also) {
    Roster next;
    next.site = site;
    const auto* now = find(site);
    const auto seen = epochs_seen_.find(site);
    next.epoch = number_after(now == nullptr ? 0 : now->roster.epoch,
                              seen == epochs_seen_.end() ? 0 : seen->second);
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return a.server_id < b.server_id; });
    next.members = std::move(members);
    next.coordinators = {common_.address};
    next.observers = observers_;
    next.ca_pem = common_.ca_pem;
    auto envelope = Envelope::make(payload_type::roster, next.encode());
    envelope.sign(*key_);
    auto bytes = envelope.encode();
    also.emplace_back(schema::key(schema::roster, {site}), bytes);
    CLARITY_CHECK(store_->put_all(also));
    take(PublishedRoster{std::move(next), envelope.digest(), std::move(bytes)});
    return {};
}

Result<void> Rosters::put_member(const std::string& site, const Member& member,
                                 std::vector<KeyValue> also) {
    std::vector<Member> members;
    if (const auto* now = find(site)) members = now->roster.members;
    std::erase_if(members, [&](const Member& m) { return m.server_id == member.server_id; });
    members.push_back(member);
    return publish(site, std::move(members), std::move(also));
}

Result<void> Rosters::remove_member(const std::string& server_id) {
    const auto at = locate(server_id);
    if (!at) return fail(Errc::not_found, "server {} is not enrolled", server_id);
    auto members = sites_.at(at->first).roster.members;
    std::erase_if(members, [&](const Member& m) { return m.server_id == server_id; });
    return publish(at->first, std::move(members), {});
}

Result<bool> Rosters::add_observer(const PublicKey& key, const std::string& by,
                                   std::int64_t now_unix_s) {
    if (std::find(observers_.begin(), observers_.end(), key) != observers_.end()) return false;
    CLARITY_CHECK(curve_public(key));  // a point that cannot be a CURVE key helps nobody
    constexpr std::size_t observers_max = 1000;
    if (observers_.size() >= observers_max) {
        return fail(Errc::no_space, "there are {} observers already", observers_.size());
    }
    CLARITY_CHECK(store_->put_json(schema::key(schema::observer, {key.hex()}),
                                   Json{{"at", now_unix_s}, {"by", by}}));
    observers_.push_back(key);
    CLARITY_CHECK(refresh());
    return true;
}

Result<std::vector<std::string>> Rosters::refresh() {
    std::vector<std::string> stale;
    for (const auto& [site, published] : sites_) {
        const Roster& roster = published.roster;
        const bool current = roster.coordinators.size() == 1 &&
                             same(roster.coordinators[0], common_.address) &&
                             roster.ca_pem == common_.ca_pem && roster.observers == observers_;
        if (!current) stale.push_back(site);
    }
    for (const auto& site : stale) {
        CLARITY_CHECK(publish(site, sites_.at(site).roster.members, {}));
    }
    return stale;
}

const PublishedRoster* Rosters::find(const std::string& site) const {
    const auto at = sites_.find(site);
    return at == sites_.end() ? nullptr : &at->second;
}

std::optional<std::pair<std::string, Member>> Rosters::locate(const std::string& server_id) const {
    const auto at = site_of_.find(server_id);
    if (at == site_of_.end()) return std::nullopt;
    return {{at->second, *sites_.at(at->second).roster.find(server_id)}};
}

std::optional<std::pair<std::string, Member>> Rosters::locate(const PublicKey& key) const {
    for (const auto& [site, published] : sites_) {
        for (const auto& member : published.roster.members) {
            if (member.key == key) return {{site, member}};
        }
    }
    return std::nullopt;
}

}  // namespace clarity::coordinator
