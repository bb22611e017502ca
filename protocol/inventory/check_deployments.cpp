#include <algorithm>
#include <set>

#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

constexpr Environment environments[] = {Environment::dev, Environment::staging, Environment::prod,
                                        Environment::mock};

bool in_container(const Inventory& inventory, const Profile& profile) {
    const auto at = inventory.artifacts.find(profile.artifact);
    return at != inventory.artifacts.end() &&
           (at->second.type == ArtifactType::lxc || at->second.type == ArtifactType::docker);
}

/// Problems of texts, each with the servers that have it, so that a fleet gives one line.
class TextProblems {
  public:
    void add(const ReferenceProblem& problem, const std::string& server) {
        auto& servers = all_[{problem.place.file, problem.place.line, problem.message}];
        if (servers.empty() || servers.back() != server) servers.push_back(server);
    }

    void tell(yaml::Problems& problems) const {
        constexpr std::size_t shown_max = 3;
        for (const auto& [key, servers] : all_) {
            const auto& [file, line, message] = key;
            std::string who;
            for (std::size_t i = 0; i < std::min(servers.size(), shown_max); ++i) {
                who += (i == 0 ? "" : ", ") + servers[i];
            }
            if (servers.size() > shown_max) {
                who += fmt::format(" and {} more", servers.size() - shown_max);
            }
            problems.error(file, line, fmt::format("{} (server {})", message, who));
        }
    }

  private:
    std::map<std::tuple<std::string, int, std::string>, std::vector<std::string>> all_;
};

/// One server in one environment: its texts resolved, its ports and paths compared.
class ServerCheck {
  public:
    ServerCheck(Reading& in, TextProblems& texts, const Server& server, Environment environment)
        : in_(in),
          texts_(texts),
          server_(server),
          scope_(in.out.scope(server, environment)),
          assignments_(in.out.assignments(server, environment)) {}

    void run() {
        if (assignments_.empty()) return;
        std::map<std::string, const Profile*> seen;
        for (const auto& assignment : assignments_) {
            const auto& profile = *assignment.profile;
            const auto [at, fresh] = seen.emplace(profile.artifact, &profile);
            if (!fresh) {
                problem(profile.place,
                        fmt::format("\"{}\" is assigned twice (also at {}:{})", profile.artifact,
                                    at->second->place.file, at->second->place.line));
                continue;
            }
            check_settings(profile);
            check_ports(profile);
            check_dependencies(assignment);
        }
        for (const auto& [id, repository] : in_.out.repositories) {
            const auto url = resolve(repository.base_url);
            if (repository.type == "http" && !url.empty() && !url.starts_with("http://") &&
                !url.starts_with("https://")) {
                problem(
                    repository.base_url.place,
                    fmt::format("\"base_url\" \"{}\" must start with http:// or https://", url));
            }
            for (const auto& [name, text] : repository.settings) (void)resolve(text);
        }
    }

  private:
    void problem(const Place& place, std::string message) {
        texts_.add({place, std::move(message)}, server_.hostname);
    }

    std::string resolve(const Text& text) {
        auto out = interpolate(text, scope_);
        for (const auto& each : out.problems) texts_.add(each, server_.hostname);
        return std::move(out.text);
    }

    /// A text that travels in clear.
    std::string resolve_open(const Text& text, std::string_view what) {
        const auto out = interpolate(text, scope_);
        for (const auto& each : out.problems) texts_.add(each, server_.hostname);
        if (out.has_secret) {
            problem(text.place, fmt::format("${{SECRET:{}}} may not be in \"{}\", which is not "
                                            "sealed: use env_vars or config_files",
                                            out.secrets.front(), what));
        }
        return out.text;
    }

    void check_path(const Text& text, const std::string& path, std::string_view what) {
        if (path.empty()) return;
        if (const auto fault = path_fault(path)) {
            problem(text.place, fmt::format("\"{}\" \"{}\" {}", what, path, *fault));
        }
    }

    void claim(std::map<std::string, Place>& claims, const std::string& path, const Place& place,
               std::string_view what) {
        if (path.empty()) return;
        const auto [at, fresh] = claims.emplace(path, place);
        if (fresh || (at->second.file == place.file && at->second.line == place.line)) return;
        problem(place, fmt::format("{} {} is used at {}:{} too", what, path, at->second.file,
                                   at->second.line));
    }

    void check_settings(const Profile& profile) {
        const auto& settings = profile.settings;
        const bool container = in_container(in_.out, profile);
        for (const auto& [name, text] : settings.env) {
            if (resolve(text).find('\0') != std::string::npos) {
                problem(text.place, fmt::format("\"{}\" holds a zero byte", name));
            }
        }
        std::map<std::string, Place> inside;
        for (const auto& file : settings.files) {
            const auto path = resolve_open(file.path, "path");
            check_path(file.path, path, "path");
            if (!file.binary) (void)resolve(file.content);
            claim(container ? inside : files_, path, file.path.place, "path");
        }
        for (const auto& volume : settings.volumes) {
            const auto host = resolve_open(volume.host_path, "host_path");
            const auto within = resolve_open(volume.container_path, "container_path");
            check_path(volume.host_path, host, "host_path");
            check_path(volume.container_path, within, "container_path");
            if (!volume.read_only)
                claim(volumes_, host, volume.host_path.place, "writable host_path");
            claim(inside, within, volume.container_path.place, "container_path");
        }
        for (const auto& word : settings.command) (void)resolve_open(word, "command");
        (void)resolve_open(settings.user, "user");
        (void)resolve_open(settings.watch_http_path, "http_path");
        const auto address = resolve_open(settings.watch_address, "address");
        if (!address.empty() && !is_ip_address(address)) {
            problem(settings.watch_address.place,
                    fmt::format("\"address\" \"{}\" is no IP address", address));
        }
    }

    void check_ports(const Profile& profile) {
        const auto type = in_.out.artifacts.contains(profile.artifact)
                              ? in_.out.artifacts.at(profile.artifact).type
                              : ArtifactType::docker;
        const auto& network = profile.settings.network;
        const bool bridged =
            network == "bridge" || (network.empty() && type == ArtifactType::docker);
        if (bridged && type != ArtifactType::docker) {
            problem(profile.place, fmt::format("\"network: bridge\" is for docker: {} shares the "
                                               "host's network",
                                               name_of(type)));
        }
        for (const auto& port : profile.settings.ports) {
            if (!bridged && port.internal != port.external) {
                problem(port.place, fmt::format("internal port {} must equal external {}: {} is on "
                                                "the host's network",
                                                port.internal, port.external, name_of(type)));
            }
            const auto [at, fresh] = ports_.emplace(port.external, port.place);
            if (!fresh) {
                problem(port.place, fmt::format("port {} is used at {}:{} too", port.external,
                                                at->second.file, at->second.line));
            }
        }
    }

    /// Who provides an artifact: this server, else another of the site.
    const Profile* find_at_site(const std::string& artifact, Environment environment) const {
        const auto in_list = [&](const std::vector<Assignment>& list) -> const Profile* {
            for (const auto& each : list) {
                if (each.profile->artifact == artifact) return each.profile;
            }
            return nullptr;
        };
        if (const auto* here = in_list(assignments_)) return here;
        for (const auto* server : in_.out.servers_of(server_.client, server_.datacenter)) {
            if (const auto* there = in_list(in_.out.assignments(*server, environment)))
                return there;
        }
        return nullptr;
    }

    void check_dependencies(const Assignment& assignment) {
        const auto& profile = *assignment.profile;
        for (const auto& wanted : in_.out.dependencies_of(profile.artifact, profile.version)) {
            const Profile* found = find_at_site(wanted.artifact, profile.environment);
            if (found == nullptr) {
                problem(profile.place,
                        fmt::format("\"{}\" depends on \"{}\", which no server of {} "
                                    "runs in {}",
                                    profile.artifact, wanted.artifact, server_.site(),
                                    name_of(profile.environment)));
            } else if (!wanted.version.empty() && is_version_range(wanted.version) &&
                       !satisfies(found->version, wanted.version)) {
                problem(profile.place,
                        fmt::format("\"{}\" depends on \"{}\" {}, but {}:{} says {}",
                                    profile.artifact, wanted.artifact, wanted.version,
                                    found->place.file, found->version_line, found->version));
            }
        }
    }

    Reading& in_;
    TextProblems& texts_;
    const Server& server_;
    Scope scope_;
    std::vector<Assignment> assignments_;
    std::map<std::uint16_t, Place> ports_;
    std::map<std::string, Place> files_;
    std::map<std::string, Place> volumes_;
};

std::string nearest_server(const Inventory& inventory, const Profile& profile,
                           const std::string& name) {
    std::vector<std::string> known;
    for (const auto& each : inventory.servers) {
        if (!profile.client.empty() && each.client != profile.client) continue;
        known.push_back(each.hostname);
        known.push_back(each.id);
    }
    return yaml::hint(name, known);
}

void check_targets(Reading& in, const Profile& profile) {
    std::set<std::string> seen;
    for (const auto& target : profile.targets) {
        if (profile.all_servers) return;
        const auto name = target.server_id + target.hostname + target.datacenter;
        const auto wrong = [&](const std::string& message) {
            in.problems.error(target.place.file, target.place.line, message);
        };
        if (!seen.insert(name).second) wrong(fmt::format("target \"{}\" is here twice", name));
        const bool found =
            std::any_of(in.out.servers.begin(), in.out.servers.end(), [&](const Server& server) {
                return (profile.client.empty() || profile.client == server.client) &&
                       (target.server_id.empty() || target.server_id == server.id) &&
                       (target.hostname.empty() || target.hostname == server.hostname) &&
                       (target.datacenter.empty() || target.datacenter == server.datacenter);
            });
        if (found || profile.client == "?") continue;
        const auto whose = profile.client.empty() ? "any client" : "client " + profile.client;
        if (!target.datacenter.empty()) {
            wrong(fmt::format("datacenter \"{}\" of {} has no servers", name, whose));
        } else {
            wrong(fmt::format("\"{}\" is no server of {}{}", name, whose,
                              nearest_server(in.out, profile, name)));
        }
    }
}

}  // namespace

void check_deployments(Reading& in) {
    for (const auto& profile : in.out.profiles) check_targets(in, profile);
    TextProblems texts;
    for (const auto& server : in.out.servers) {
        for (const auto environment : environments) {
            ServerCheck(in, texts, server, environment).run();
        }
    }
    texts.tell(in.problems);
}

}  // namespace clarity::inventory
