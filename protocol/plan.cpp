#include "protocol/plan.hpp"

#include <algorithm>
#include <set>

#include "protocol/codec.hpp"
#include "protocol/manifest_names.hpp"

namespace clarity {

template <>
struct codec::EnumNames<RestartPolicy> {
    using enum RestartPolicy;
    static constexpr std::pair<RestartPolicy, const char*> names[] = {
        {always, "always"},
        {on_failure, "on-failure"},
        {unless_stopped, "unless-stopped"},
        {never, "never"}};
};

template <>
struct codec::EnumNames<Environment> {
    using enum Environment;
    static constexpr std::pair<Environment, const char*> names[] = {
        {dev, "dev"}, {staging, "staging"}, {prod, "prod"}, {mock, "mock"}};
};

std::string_view name_of(RestartPolicy policy) {
    return codec::enum_name(policy);
}
std::optional<RestartPolicy> restart_policy_from(std::string_view name) {
    return codec::enum_from<RestartPolicy>(name);
}
std::string_view name_of(Environment environment) {
    return codec::enum_name(environment);
}
std::optional<Environment> environment_from(std::string_view name) {
    return codec::enum_from<Environment>(name);
}

template <class A>
void fields(A& a, PortMapping& p) {
    a.value("internal", p.internal);
    a.value("external", p.external);
}
template <class A>
void fields(A& a, VolumeMount& v) {
    a.text("host", v.host_path);
    a.text("container", v.container_path);
    a.value("read_only", v.read_only);
}
template <class A>
void fields(A& a, StartWatch& w) {
    a.value("stable_s", w.stable_s);
    a.value("timeout_s", w.timeout_s);
    a.optional("tcp_port", w.tcp_port);
    a.optional("address", w.address);
    a.optional("http_path", w.http_path);
}
template <class A>
void fields(A& a, ConfigFile& f) {
    a.text("path", f.path);
    a.bin("content", f.content);
    a.value("mode", f.mode);
}
template <class A>
void fields(A& a, ServiceConfig& c) {
    a.value("env", c.env);
    a.value("files", c.files);
}
template <class A>
void fields(A& a, Service& s) {
    a.text("name", s.name);
    a.text("version", s.version);
    a.value("type", s.type);
    a.value("manifest", s.manifest);
    a.value("priority", s.priority);
    a.value("after", s.after);
    a.value("command", s.command);
    a.value("ports", s.ports);
    a.value("volumes", s.volumes);
    a.optional("network", s.network);
    a.optional("user", s.user);
    a.value("autostart", s.autostart);
    a.value("restart", s.restart);
    a.optional("memory_max", s.memory_max_bytes);
    a.optional("cpu_percent_max", s.cpu_percent_max);
    a.value("watch", s.watch);
    a.bin("config", s.sealed_config);
    a.value("config_fingerprint", s.config_fingerprint);
}
template <class A>
void fields(A& a, ServerPlan& s) {
    a.text("server", s.server_id);
    a.value("services", s.services);
}
template <class A>
void fields(A& a, RolloutPolicy& r) {
    a.value("batch_size", r.batch_size);
    a.value("canary", r.canary);
    a.value("max_failed", r.max_failed);
    a.value("max_unreachable", r.max_unreachable);
    a.value("auto_rollback", r.auto_rollback);
}
/// A std::map<std::string, Bytes> of binary values travels as a list of pairs.
struct SealedFor {
    std::string server_id;
    Bytes sealed;
};
template <class A>
void fields(A& a, SealedFor& s) {
    a.text("server", s.server_id);
    a.bin("sealed", s.sealed);
}
template <class A>
void fields(A& a, Plan& p) {
    a.text("id", p.id);
    a.text("client", p.client);
    a.text("datacenter", p.datacenter);
    a.value("environment", p.environment);
    a.value("seq", p.seq);
    a.value("previous", p.previous);
    a.value("created", p.created_unix_s);
    a.value("not_before", p.not_before_unix_s);
    a.value("accept_until", p.accept_until_unix_s);
    a.optional("allow_downgrade", p.allow_downgrade);
    a.optional("correlation", p.correlation_id);
    a.value("manifests", p.manifests);
    a.value("servers", p.servers);
    a.value("rollout", p.rollout);
    std::vector<SealedFor> sealed;
    for (const auto& [server, bytes] : p.sealed_repositories) sealed.push_back({server, bytes});
    a.optional("repositories", sealed);
    p.sealed_repositories.clear();
    for (auto& each : sealed) p.sealed_repositories[each.server_id] = std::move(each.sealed);
}
template <class A>
void fields(A& a, RepositoryAccess& r) {
    a.text("id", r.id);
    a.text("type", r.type);
    a.text("base_url", r.base_url);
    a.value("settings", r.settings);
}
template <class A>
void fields(A& a, RepositorySet& r) {
    a.value("repositories", r.repositories);
}

Bytes ServiceConfig::encode() const {
    return codec::encode(*this);
}
Result<ServiceConfig> ServiceConfig::decode(std::string_view bytes) {
    return codec::decode<ServiceConfig>("service configuration", bytes);
}
Bytes RepositorySet::encode() const {
    return codec::encode(*this);
}
Result<RepositorySet> RepositorySet::decode(std::string_view bytes) {
    return codec::decode<RepositorySet>("repository set", bytes, 1U << 20);
}
const RepositoryAccess* RepositorySet::find(std::string_view id) const {
    for (const auto& each : repositories) {
        if (each.id == id) return &each;
    }
    return nullptr;
}

const ServerPlan* Plan::find(std::string_view server_id) const {
    for (const auto& server : servers) {
        if (server.server_id == server_id) return &server;
    }
    return nullptr;
}

Bytes Plan::encode() const {
    return codec::encode(*this);
}

Result<Plan> Plan::decode(std::string_view payload) {
    CLARITY_TRY(auto out, codec::decode<Plan>("plan", payload));
    if (out.client.empty() || out.datacenter.empty() || out.seq == 0) {
        return fail(Errc::invalid, "plan has no client, datacenter or seq");
    }
    std::set<std::string> servers;
    for (const auto& server : out.servers) {
        if (!servers.insert(server.server_id).second) {
            return fail(Errc::invalid, "plan names server {} twice", server.server_id);
        }
        std::set<std::string> names;
        for (const auto& service : server.services) {
            if (service.name.empty() || !names.insert(service.name).second) {
                return fail(Errc::invalid, "plan: server {} has service \"{}\" twice",
                            server.server_id, service.name);
            }
            if (std::find(out.manifests.begin(), out.manifests.end(), service.manifest) ==
                out.manifests.end()) {
                return fail(Errc::invalid, "plan: service {} names a manifest the plan lacks",
                            service.name);
            }
        }
    }
    return out;
}

Result<Plan> verify_plan(const Root& root, const PlanContext& context, const Envelope& envelope) {
    CLARITY_CHECK(envelope.verify(payload_type::plan, *root.find(role::coordinator)));
    if (context.approvals > 0) {
        const Role* approvers = root.find(role::approver);
        if (approvers == nullptr) {
            return fail(Errc::bad_signature, "approval is asked for, but root has no approvers");
        }
        Role wanted = *approvers;
        wanted.threshold = std::max(wanted.threshold, context.approvals);
        CLARITY_CHECK(envelope.verify(payload_type::plan, wanted));
    }
    CLARITY_TRY(auto out, Plan::decode(envelope.payload));
    if (out.site() != context.site) {
        return fail(Errc::bad_signature, "plan is for site {}, not {}", out.site(), context.site);
    }
    if (out.seq == context.seq_seen) {
        if (envelope.digest() == context.digest_seen) {
            return fail(Errc::exists, "plan {} is here already", out.seq);
        }
        return fail(Errc::conflict, "equivocation: two different plans with seq {}", out.seq);
    }
    if (out.seq < context.seq_seen) {
        return fail(Errc::conflict, "old plan: seq {}, but {} is here already", out.seq,
                    context.seq_seen);
    }
    if (out.accept_until_unix_s != 0 && context.now_unix_s > out.accept_until_unix_s) {
        return fail(Errc::timeout, "plan {} was to be accepted {} s ago at the latest", out.seq,
                    context.now_unix_s - out.accept_until_unix_s);
    }
    if (root.expires_unix_s != 0 && context.now_unix_s > root.expires_unix_s) {
        return fail(Errc::timeout, "the root document (version {}) has expired", root.version);
    }
    return out;
}

}  // namespace clarity
