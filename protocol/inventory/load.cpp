#include <set>

#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

constexpr std::size_t files_max = 20'000;
constexpr std::size_t total_max_bytes = 64U << 20;

std::vector<std::string> split_path(const std::string& path) {
    std::vector<std::string> out;
    for (std::size_t from = 0;;) {
        const auto end = path.find('/', from);
        out.push_back(path.substr(from, end == std::string::npos ? end : end - from));
        if (end == std::string::npos) return out;
        from = end + 1;
    }
}

/// Whether the caps and the paths themselves let the tree be read at all.
bool check_size(Reading& in) {
    std::size_t total = 0;
    bool ok = true;
    for (const auto& [path, text] : in.files) {
        total += text.size();
        for (const auto& part : split_path(path)) {
            if (part.empty() || part == "." || part == ".." || path.size() > 512) {
                in.problems.error(path.substr(0, 512), 0, "is no path inside an inventory");
                ok = false;
                break;
            }
        }
    }
    if (in.files.size() > files_max || total > total_max_bytes) {
        in.problems.error(
            ".", 0,
            fmt::format("an inventory has at most {} files and {} MiB, not {} "
                        "and {} MiB",
                        files_max, total_max_bytes >> 20, in.files.size(), total >> 20));
        ok = false;
    }
    return ok;
}

bool is_template_or_config(const std::vector<std::string>& parts, std::size_t depth) {
    if (parts.size() == depth + 1 && parts[depth] == "config.yml") return true;
    return parts.size() == depth + 2 && parts[depth] == "templates";
}

/// A file whose name means something to the loader.
bool has_a_place(const std::vector<std::string>& parts, const std::string& path) {
    if (path == "artifacts/registry.yml" || path == "artifacts/versions.yml" ||
        path == "repositories/config.yml" || is_template_or_config(parts, 0)) {
        return true;
    }
    if (parts[0] == "profiles") {
        return (parts.size() == 3 && environment_from(parts[1]) && path.ends_with(".yml")) ||
               (parts.size() > 2 && is_template_or_config(parts, 2));
    }
    if (parts[0] != "clients" || parts.size() < 3) return false;
    const auto& name = parts[2];
    if (parts.size() == 3 &&
        (name == "metadata.yml" || name == "datacenters.yml" || name == "servers.yml")) {
        return true;
    }
    if (is_template_or_config(parts, 2)) return true;
    return (name == "datacenters" || name == "servers") && parts.size() > 4 &&
           is_template_or_config(parts, 4);
}

void warn_of_strays(Reading& in) {
    for (const auto& [path, text] : in.files) {
        const auto parts = split_path(path);
        const auto& name = parts.back();
        if (name.starts_with('.') || has_a_place(parts, path)) continue;
        if (parts[0] == "profiles" && parts.size() >= 3 && !environment_from(parts[1])) {
            in.problems.error(
                path, 0,
                fmt::format("\"{}\" is no environment: dev, staging, prod or "
                            "mock{}",
                            parts[1], yaml::hint(parts[1], {"dev", "staging", "prod", "mock"})));
        } else if (name.ends_with(".yaml")) {
            in.problems.warning(path, 0, "is ignored: rename it to .yml");
        } else if (name.ends_with(".yml")) {
            const auto hint = yaml::hint(name, {"metadata.yml", "datacenters.yml", "servers.yml",
                                                "config.yml", "registry.yml", "versions.yml"});
            in.problems.warning(path, 0,
                                "is ignored: an inventory has no file of this name here" + hint);
        }
    }
}

/// Folders of configuration that belong to no datacenter or server.
void check_folders(Reading& in) {
    for (const auto& [folder, layer] : in.out.configuration.layers) {
        const auto parts = split_path(folder);
        if (parts.size() < 5 || parts[0] != "clients") continue;
        const auto at = folder + "config.yml";
        std::vector<std::string> known;
        if (parts[2] == "datacenters" && in.out.datacenter(parts[1], parts[3]) == nullptr) {
            for (const auto& each : in.out.datacenters) {
                if (each.client == parts[1]) known.push_back(each.code);
            }
        } else if (parts[2] == "servers" &&
                   (in.out.server(parts[1], parts[3]) == nullptr ||
                    in.out.server(parts[1], parts[3])->hostname != parts[3])) {
            for (const auto& each : in.out.servers) {
                if (each.client == parts[1]) known.push_back(each.hostname);
            }
        } else {
            continue;
        }
        in.problems.warning(at, 0,
                            fmt::format("applies to nothing: \"{}\" is not in clients/{}/{}"
                                        ".yml{}",
                                        parts[3], parts[1], parts[2], yaml::hint(parts[3], known)));
    }
}

void check_hosts(Reading& in) {
    for (const auto& server : in.out.servers) {
        if (server.host_server_id.empty()) continue;
        const auto* host = in.out.server(server.host_server_id);
        if (host == nullptr) {
            in.problems.error(
                server.place.file, server.place.line,
                fmt::format("server \"{}\" runs on host_server_id \"{}\", which is no "
                            "server's id",
                            server.hostname, server.host_server_id));
        } else if (host == &server) {
            in.problems.error(server.place.file, server.place.line,
                              fmt::format("server \"{}\" is its own host", server.hostname));
        }
    }
}

void read_clients(Reading& in) {
    std::set<std::string> codes;
    for (const auto& [path, text] : in.files) {
        const auto parts = split_path(path);
        if (parts.size() > 2 && parts[0] == "clients") codes.insert(parts[1]);
    }
    if (codes.empty()) {
        in.problems.error("clients", 0,
                          "is missing: no client, so nothing to deploy to; \"clarity "
                          "init\" shows one");
    }
    for (const auto& code : codes) read_client(in, code);
    for (const auto& code : codes) read_datacenters(in, code);
    for (const auto& code : codes) read_servers(in, code);
}

void read_profiles(Reading& in) {
    for (const auto& [path, text] : in.files) {
        const auto parts = split_path(path);
        if (parts.size() != 3 || parts[0] != "profiles" || parts[2] == "config.yml" ||
            !parts[2].ends_with(".yml")) {
            continue;
        }
        if (const auto environment = environment_from(parts[1])) {
            read_profile(in, path, *environment, parts[2].substr(0, parts[2].size() - 4));
        }
    }
}

}  // namespace

std::optional<yaml::Value> parse_file(Reading& in, const std::string& path) {
    return yaml::parse(path, in.files.at(path), in.problems);
}

std::string name_in(yaml::Map& map, std::string_view key, yaml::Need need) {
    auto out = map.text(key, need);
    if (!out.empty() && !is_name(out)) {
        map.error(map.line_of(key),
                  fmt::format("\"{}\" \"{}\" must be letters, digits and ._-, at most 64", key,
                              out.substr(0, 80)));
        out.clear();
    }
    return out;
}

std::string uuid_in(yaml::Map& map) {
    auto out = name_in(map, "id");
    if (!out.empty() && !is_uuid(out)) {
        map.warning(map.line_of("id"), fmt::format("id \"{}\" is no UUID", out));
    }
    return out;
}

Loaded load(const Files& files) {
    Loaded out;
    yaml::Problems problems;
    Reading in{files, problems, out.inventory};
    if (check_size(in)) {
        warn_of_strays(in);
        read_clients(in);
        read_registry(in);
        read_versions(in);
        read_repositories(in);
        read_layers(in);
        read_profiles(in);
        check_folders(in);
        check_hosts(in);
        check_artifacts(in);
        check_profiles(in);
        check_deployments(in);
    }
    out.problems = problems.sorted();
    return out;
}

}  // namespace clarity::inventory
