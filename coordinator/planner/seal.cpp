#include "coordinator/planner/seal.hpp"

#include <algorithm>

namespace clarity::planner {
namespace {

/// Length-prefixed fields: no two different lists of fields give the same bytes.
class Canonical {
  public:
    Canonical& text(std::string_view value) {
        number(value.size());
        bytes_ += value;
        return *this;
    }
    Canonical& number(std::uint64_t value) {
        for (int shift = 0; shift < 64; shift += 8) {
            bytes_ += static_cast<char>((value >> shift) & 0xffU);
        }
        return *this;
    }
    [[nodiscard]] const Bytes& bytes() const { return bytes_; }

  private:
    Bytes bytes_;
};

class Resolver {
  public:
    Resolver(const PlannerInput& input, const inventory::Server& server, Faults& faults)
        : scope_(input.inventory.scope(server, input.environment)),
          input_(input),
          server_(server),
          faults_(faults) {}

    std::string sealed(const inventory::Text& text) { return run(text, input_.secret); }

    /// A text that travels in clear: validation refuses secrets in it, and so do we.
    std::string open(const inventory::Text& text) {
        if (inventory::interpolate(text, scope_).has_secret) {
            add(text.place, "a secret may only be in env_vars and config_files", Errc::invalid);
            return {};
        }
        return run(text, nullptr);
    }

  private:
    std::string run(const inventory::Text& text, const inventory::SecretLookup& secret) {
        auto out = inventory::interpolate(text, scope_, secret);
        for (const auto& each : out.problems) add(each.place, each.message, Errc::not_found);
        return std::move(out.text);
    }
    void add(const inventory::Place& place, const std::string& message, Errc code) {
        faults_.add(code, fmt::format("{}:{}: {} (server {})", place.file, place.line, message,
                                      server_.hostname));
    }

    inventory::Scope scope_;
    const PlannerInput& input_;
    const inventory::Server& server_;
    Faults& faults_;
};

}  // namespace

void Faults::add(Errc code, std::string message) {
    if (messages_.empty()) code_ = code;
    if (std::find(messages_.begin(), messages_.end(), message) == messages_.end()) {
        messages_.push_back(std::move(message));
    }
}

Error Faults::error() const {
    constexpr std::size_t shown_max = 50;
    Error out{code_, {}};
    for (std::size_t i = 0; i < std::min(messages_.size(), shown_max); ++i) {
        out.message += (i == 0 ? "" : "\n") + messages_[i];
    }
    if (messages_.size() > shown_max) {
        out.message += fmt::format("\nand {} more", messages_.size() - shown_max);
    }
    return out;
}

OpenService resolve_service(const PlannerInput& input, const inventory::Server& server,
                            const inventory::Assignment& assignment, Faults& faults) {
    Resolver resolve(input, server, faults);
    const auto& profile = *assignment.profile;
    const auto& settings = profile.settings;
    OpenService out;
    auto& service = out.service;
    service.name = profile.artifact;
    service.version = profile.version;
    service.type = input.inventory.artifacts.at(profile.artifact).type;
    service.priority = assignment.priority;
    for (const auto& word : settings.command) service.command.push_back(resolve.open(word));
    for (const auto& port : settings.ports) service.ports.push_back({port.internal, port.external});
    for (const auto& volume : settings.volumes) {
        service.volumes.push_back({resolve.open(volume.host_path),
                                   resolve.open(volume.container_path), volume.read_only});
    }
    service.network = settings.network;
    service.user = resolve.open(settings.user);
    service.autostart = settings.autostart;
    service.restart = settings.restart;
    service.memory_max_bytes = settings.memory_max_bytes;
    service.cpu_percent_max = settings.cpu_percent_max;
    service.watch = settings.watch;
    service.watch.address = resolve.open(settings.watch_address);
    service.watch.http_path = resolve.open(settings.watch_http_path);
    for (const auto& [name, text] : settings.env) out.config.env[name] = resolve.sealed(text);
    for (const auto& file : settings.files) {
        out.config.files.push_back({resolve.open(file.path),
                                    file.binary ? file.content.value : resolve.sealed(file.content),
                                    file.mode});
    }
    return out;
}

RepositorySet resolve_repositories(const PlannerInput& input, const inventory::Server& server,
                                   Faults& faults) {
    Resolver resolve(input, server, faults);
    RepositorySet out;
    for (const auto& [id, repository] : input.inventory.repositories) {
        RepositoryAccess access{id, repository.type, resolve.sealed(repository.base_url), {}};
        for (const auto& [name, text] : repository.settings) {
            access.settings[name] = resolve.sealed(text);
        }
        out.repositories.push_back(std::move(access));
    }
    return out;
}

Result<Bytes> sealed_repositories(const PlannerInput& input, const std::string& server_id) {
    const auto* member = input.roster.find(server_id);
    for (const auto* server : input.inventory.servers_of(input.client, input.datacenter)) {
        if (server->id != server_id || member == nullptr) continue;
        Faults faults;
        const auto open = resolve_repositories(input, *server, faults);
        if (!faults.empty()) return tl::unexpected<Error>(faults.error());
        return seal_to(member->key, open.encode());
    }
    return fail(Errc::not_found, "server {} is not in the inventory in force", server_id);
}

Digest fingerprint(std::string_view key, const Service& service, const ServiceConfig& config) {
    Canonical out;
    out.text(service.name).text(service.version).text(name_of(service.type));
    out.text(service.manifest.view()).number(service.command.size());
    for (const auto& word : service.command) out.text(word);
    out.number(service.ports.size());
    for (const auto& port : service.ports) out.number(port.internal).number(port.external);
    out.number(service.volumes.size());
    for (const auto& volume : service.volumes) {
        out.text(volume.host_path).text(volume.container_path).number(volume.read_only ? 1 : 0);
    }
    out.text(service.network).text(service.user).number(service.autostart ? 1 : 0);
    out.text(name_of(service.restart)).number(service.memory_max_bytes);
    out.number(service.cpu_percent_max).text(config.encode());
    return keyed_hash(key, out.bytes());
}

Digest terms_fingerprint(const Plan& plan, std::string_view key) {
    Canonical out;
    const auto& rollout = plan.rollout;
    out.number(rollout.batch_size).number(rollout.canary).number(rollout.max_failed);
    out.number(rollout.max_unreachable).number(rollout.auto_rollback ? 1 : 0);
    out.text(name_of(plan.environment)).number(plan.servers.size());
    for (const auto& server : plan.servers) {
        out.text(server.server_id).number(server.services.size());
        for (const auto& service : server.services) {
            const auto& watch = service.watch;
            out.text(service.name).number(static_cast<std::uint32_t>(service.priority));
            out.number(service.after.size());
            for (const auto& name : service.after) out.text(name);
            out.number(watch.stable_s).number(watch.timeout_s).number(watch.tcp_port);
            out.text(watch.address).text(watch.http_path);
        }
    }
    return keyed_hash(key, out.bytes());
}

}  // namespace clarity::planner
