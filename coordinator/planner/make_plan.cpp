#include <algorithm>

#include "coordinator/planner/seal.hpp"
#include "protocol/version.hpp"

namespace clarity::planner {
namespace {

using inventory::Profile;
using inventory::Server;

/// One run of the planner.
class Planner {
  public:
    Planner(const PlannerInput& input, std::vector<std::string>* warnings)
        : input_(input), warnings_(warnings) {
        for (const auto& each : input.manifests) {
            by_name_[each.manifest.artifact + '@' + each.manifest.version] = &each;
        }
    }

    Result<Plan> run() {
        CLARITY_CHECK(check_site());
        head();
        const auto site = input_.inventory.servers_of(input_.client, input_.datacenter);
        for (const auto* server : site) {
            const auto* member = input_.roster.find(server->id);
            if (member == nullptr) {
                if (warnings_ != nullptr) {
                    warnings_->push_back(
                        fmt::format("server {} is not enrolled and is left out", server->hostname));
                }
                continue;
            }
            add_server(*server, *member);
        }
        if (plan_.servers.empty() && faults_.empty()) {
            return fail(Errc::not_found, "no server of {} in the inventory is enrolled",
                        plan_.site());
        }
        order_services(input_, decoded_, plan_.servers, faults_);
        check_downgrades();
        if (!faults_.empty()) return tl::unexpected<Error>(faults_.error());
        merge_rollouts();
        for (const auto& [digest, manifest] : decoded_) plan_.manifests.push_back(digest);
        return std::move(plan_);
    }

  private:
    Result<void> check_site() const {
        const auto client = input_.inventory.clients.find(input_.client);
        if (client == input_.inventory.clients.end()) {
            return fail(Errc::not_found, "client \"{}\" is not in the inventory", input_.client);
        }
        if (!client->second.active) {
            return fail(Errc::invalid, "client \"{}\" is inactive ({})", input_.client,
                        client->second.place.file);
        }
        if (input_.inventory.datacenter(input_.client, input_.datacenter) == nullptr) {
            return fail(Errc::not_found,
                        "datacenter \"{}\" of client \"{}\" is not in the inventory",
                        input_.datacenter, input_.client);
        }
        return {};
    }

    void head() {
        plan_.id = input_.id;
        plan_.client = input_.client;
        plan_.datacenter = input_.datacenter;
        plan_.environment = input_.environment;
        plan_.seq = input_.seq;
        plan_.previous = input_.previous_digest;
        plan_.created_unix_s = input_.now_unix_s;
        plan_.not_before_unix_s = std::max(input_.now_unix_s, input_.not_before_unix_s);
        plan_.accept_until_unix_s =
            input_.accept_for_s == 0 ? 0 : input_.now_unix_s + input_.accept_for_s;
        plan_.allow_downgrade = input_.allow_downgrade;
        plan_.correlation_id = input_.correlation_id;
    }

    Bytes seal(const Member& member, std::string_view plain) {
        auto sealed = seal_to(member.key, plain);
        if (sealed) return *std::move(sealed);
        faults_.add(Errc::invalid,
                    fmt::format("server {}: its key in the roster is broken", member.hostname));
        return {};
    }

    void add_server(const Server& server, const Member& member) {
        ServerPlan out{server.id, {}};
        for (const auto& assignment : input_.inventory.assignments(server, input_.environment)) {
            const auto& profile = *assignment.profile;
            profiles_.push_back(&profile);
            const auto* known = manifest_of(profile);
            if (known == nullptr) continue;
            auto open = resolve_service(input_, server, assignment, faults_);
            auto& service = open.service;
            service.manifest = known->digest;
            check_type(service, known->manifest);
            check_network(server, service);
            service.config_fingerprint = fingerprint(input_.fingerprint_key, service, open.config);
            service.sealed_config = seal(member, open.config.encode());
            decoded_[known->digest] = &known->manifest;
            out.services.push_back(std::move(service));
        }
        plan_.servers.push_back(std::move(out));
        plan_.sealed_repositories[server.id] =
            seal(member, resolve_repositories(input_, server, faults_).encode());
    }

    const KnownManifest* manifest_of(const Profile& profile) {
        const auto name = profile.artifact + '@' + profile.version;
        const auto at = by_name_.find(name);
        if (at != by_name_.end()) return at->second;
        faults_.add(Errc::not_found,
                    fmt::format("{}:{}: {} has no manifest: \"clarity artifact add {}\" makes one",
                                profile.place.file, profile.version_line, name, name));
        return nullptr;
    }

    void check_type(const Service& service, const Manifest& manifest) {
        if (manifest.type == service.type) return;
        faults_.add(Errc::invalid,
                    fmt::format("{}@{} is of type {} in artifacts/registry.yml, but its manifest "
                                "says {}",
                                service.name, service.version, name_of(service.type),
                                name_of(manifest.type)));
    }

    void check_network(const Server& server, const Service& service) {
        const bool bridged = service.network == "bridge" ||
                             (service.network.empty() && service.type == ArtifactType::docker);
        if (bridged && service.type != ArtifactType::docker) {
            faults_.add(Errc::invalid,
                        fmt::format("{} on {}: network \"bridge\" is for docker, not {}",
                                    service.name, server.hostname, name_of(service.type)));
        }
        if (bridged) return;
        for (const auto& port : service.ports) {
            if (port.internal == port.external) continue;
            faults_.add(Errc::invalid,
                        fmt::format("{} on {}: internal port {} must equal external {} on the "
                                    "host's network",
                                    service.name, server.hostname, port.internal, port.external));
        }
    }

    void check_downgrades() {
        if (input_.previous == nullptr || input_.allow_downgrade) return;
        for (const auto& server : plan_.servers) {
            const auto* before = input_.previous->find(server.server_id);
            if (before == nullptr) continue;
            for (const auto& service : server.services) {
                for (const auto& old : before->services) {
                    if (old.name != service.name ||
                        compare_versions(service.version, old.version) >= 0) {
                        continue;
                    }
                    faults_.add(Errc::denied,
                                fmt::format("{} would go back from {} to {}: allow the downgrade, "
                                            "or roll back",
                                            service.name, old.version, service.version));
                }
            }
        }
    }

    /// One site, one rollout: the most careful of what its profiles wish.
    void merge_rollouts() {
        const auto least = [](std::optional<std::uint32_t>& into,
                              const std::optional<std::uint32_t>& wish) {
            if (wish) into = into ? std::min(*into, *wish) : *wish;
        };
        inventory::RolloutWish all;
        std::uint32_t canary = 0;
        for (const auto* profile : profiles_) {
            const auto& wish = profile->rollout;
            // 0 is all at once: the least careful of batch sizes.
            if (wish.batch_size && *wish.batch_size > 0) least(all.batch_size, wish.batch_size);
            canary = std::max(canary, wish.canary.value_or(0));
            least(all.max_failed, wish.max_failed);
            least(all.max_unreachable, wish.max_unreachable);
            if (wish.auto_rollback) {
                all.auto_rollback = all.auto_rollback.value_or(false) || *wish.auto_rollback;
            }
        }
        const RolloutPolicy defaults;
        plan_.rollout.batch_size = all.batch_size.value_or(defaults.batch_size);
        plan_.rollout.canary = canary;
        plan_.rollout.max_failed = all.max_failed.value_or(defaults.max_failed);
        plan_.rollout.max_unreachable = all.max_unreachable.value_or(defaults.max_unreachable);
        plan_.rollout.auto_rollback = all.auto_rollback.value_or(defaults.auto_rollback);
    }

    const PlannerInput& input_;
    std::vector<std::string>* warnings_;
    std::map<std::string, const KnownManifest*> by_name_;
    std::map<Digest, const Manifest*> decoded_;
    std::vector<const Profile*> profiles_;
    Faults faults_;
    Plan plan_;
};

}  // namespace

Result<Plan> make_plan(const PlannerInput& input, std::vector<std::string>* warnings) {
    return Planner(input, warnings).run();
}

Result<Digest> repositories_fingerprint(const PlannerInput& input) {
    Faults faults;
    Bytes all;
    for (const auto* server : input.inventory.servers_of(input.client, input.datacenter)) {
        if (input.roster.find(server->id) == nullptr) continue;
        const auto bytes = resolve_repositories(input, *server, faults).encode();
        all += fmt::format("{}:{}:", server->id, bytes.size()) + bytes;
    }
    if (!faults.empty()) return tl::unexpected<Error>(faults.error());
    return keyed_hash(input.fingerprint_key, all);
}

}  // namespace clarity::planner
