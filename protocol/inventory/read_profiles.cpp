#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

using yaml::Map;
using yaml::Need;

constexpr std::int64_t priority_max = 1'000'000;

RolloutWish read_rollout(Map& map) {
    RolloutWish out;
    map.child("rollout", [&](Map& rollout) {
        const auto count = [&](std::string_view key, std::optional<std::uint32_t>& into) {
            const auto value = static_cast<std::uint32_t>(rollout.integer(key, 0, 1'000'000));
            if (rollout.has(key)) into = value;
        };
        count("batch_size", out.batch_size);
        count("canary", out.canary);
        count("max_failed", out.max_failed);
        count("max_unreachable", out.max_unreachable);
        const bool back = rollout.boolean("auto_rollback", true);
        if (rollout.has("auto_rollback")) out.auto_rollback = back;
    });
    return out;
}

/// Code of the client named by id or code under `key`; "" where absent or unknown (a problem).
std::string client_in(Reading& in, Map& map, std::string_view key) {
    const auto name = map.text(key);
    if (name.empty()) return "";
    std::vector<std::string> known;
    for (const auto& [code, client] : in.out.clients) {
        if (code == name || client.id == name) return code;
        known.push_back(code);
    }
    map.error(map.line_of(key),
              fmt::format("client \"{}\" is not in clients/{}", name, yaml::hint(name, known)));
    return "?";
}

void read_targets(Map& map, Profile& out) {
    const auto fallback = map.integer("priority", -priority_max, priority_max);
    out.all_servers = !map.has("target_servers");
    if (out.all_servers) {
        out.targets.push_back({.server_id = {},
                               .hostname = {},
                               .datacenter = {},
                               .priority = static_cast<std::int32_t>(fallback),
                               .place = out.place});
    }
    map.each("target_servers", [&](Map& target) {
        Target one;
        one.place = {target.file(), target.line()};
        one.server_id = target.text("server_id");
        one.hostname = target.text("hostname");
        one.datacenter = target.text("datacenter");
        one.priority = static_cast<std::int32_t>(
            target.integer("priority", -priority_max, priority_max, fallback));
        const auto count = static_cast<int>(!one.server_id.empty()) +
                           static_cast<int>(!one.hostname.empty()) +
                           static_cast<int>(!one.datacenter.empty());
        if (count != 1) {
            target.error(target.line(),
                         "a target is one of \"server_id\", \"hostname\" and \"datacenter\"");
            return;
        }
        out.targets.push_back(std::move(one));
    });
}

void read_version(Map& map, Profile& out) {
    out.version = map.text("version", Need::required);
    out.version_line = map.line_of("version");
    if (!out.version.empty() && !is_semantic_version(out.version)) {
        map.error(out.version_line,
                  fmt::format("version \"{}\" is no semantic version: write 1.2.3 "
                              "or 1.2.3-rc.1",
                              out.version));
    }
}

/// What file, folder and contents say must agree.
void check_artifact(Map& map, std::string_view key, const std::string& written,
                    const std::string& artifact, const Profile& out) {
    if (written.empty() || written == artifact) return;
    map.error(map.line_of(key), fmt::format("this file is for artifact \"{}\": move \"{}\" to "
                                            "profiles/{}/{}.yml",
                                            artifact, written, name_of(out.environment), written));
}

void check_environment(Map& map, std::string_view key, const Profile& out) {
    const auto written = map.choice(key, {"dev", "staging", "prod", "mock"});
    if (!written.empty() && written != name_of(out.environment)) {
        map.error(map.line_of(key), fmt::format("\"{}\" is {}, but the folder is profiles/{}", key,
                                                written, name_of(out.environment)));
    }
}

void read_configuration(Map& map, Profile& out) {
    map.child("configuration", [&](Map& settings) { out.settings = read_settings(settings); });
}

/// The specification's deployment_profile.
void read_deployment_profile(Reading& in, Map& map, const Profile& basis) {
    Profile common = basis;
    common.id = map.text("id");
    common.client = client_in(in, map, "client_id");
    check_environment(map, "environment", basis);
    common.rollout = read_rollout(map);
    if (!map.has("artifacts")) {
        map.error(map.line(), "deployment_profile has no \"artifacts\": it would do nothing");
    }
    map.each("artifacts", [&](Map& artifact) {
        Profile out = common;
        out.place.line = artifact.line();
        check_artifact(artifact, "artifact_id", name_in(artifact, "artifact_id"), out.artifact,
                       out);
        read_version(artifact, out);
        read_configuration(artifact, out);
        read_targets(artifact, out);
        in.out.profiles.push_back(std::move(out));
    });
}

/// The specification's scenarios: artifact, then deployment.
void read_deployment(Reading& in, Map& map, const Profile& basis) {
    Profile out = basis;
    out.place.line = map.line();
    out.id = map.text("id");
    out.client = client_in(in, map, "client");
    check_environment(map, "profile", basis);
    if (map.has("version")) read_version(map, out);
    else (void)map.take("version");
    out.rollout = read_rollout(map);
    read_configuration(map, out);
    read_targets(map, out);
    in.out.profiles.push_back(std::move(out));
}

void read_scenario_artifact(Reading& in, Map& map, Profile& basis) {
    check_artifact(map, "id", name_in(map, "id"), basis.artifact, basis);
    map.text("name");
    map.text("description");
    const auto type = map.choice("type", {"jar", "war", "lxc", "docker", "binary", "script"});
    const auto known = in.out.artifacts.find(basis.artifact);
    if (!type.empty() && known != in.out.artifacts.end() && type != name_of(known->second.type)) {
        map.error(map.line_of("type"),
                  fmt::format("type \"{}\", but {}:{} says \"{}\"", type, known->second.place.file,
                              known->second.place.line, name_of(known->second.type)));
    }
    read_version(map, basis);
}

}  // namespace

void read_profile(Reading& in, const std::string& path, Environment environment,
                  const std::string& artifact) {
    const auto tree = parse_file(in, path);
    if (!tree) return;
    Map top(path, *tree, in.problems, "the file");
    Profile basis;
    basis.environment = environment;
    basis.artifact = artifact;
    basis.place = {path, 1};
    const bool scenario = top.has("artifact") || top.has("deployment") || top.has("deployments");
    const bool profile = top.has("deployment_profile") || top.has("deployment_profiles");
    if (tree->is_map() && scenario == profile) {
        top.error(1,
                  "holds neither \"deployment_profile:\" nor \"artifact:\" with \"deployment:\", "
                  "or both: write one of the two");
    }
    if (scenario && !top.has("artifact")) top.error(1, "has a deployment, but no \"artifact:\"");
    if (scenario && !top.has("deployment") && !top.has("deployments")) {
        top.error(1, "has an artifact, but no \"deployment:\"");
    }
    top.child("artifact", [&](Map& map) { read_scenario_artifact(in, map, basis); });
    top.child("deployment", [&](Map& map) { read_deployment(in, map, basis); });
    top.each("deployments", [&](Map& map) { read_deployment(in, map, basis); });
    top.child("deployment_profile", [&](Map& map) { read_deployment_profile(in, map, basis); });
    top.each("deployment_profiles", [&](Map& map) { read_deployment_profile(in, map, basis); });
    top.finish();
}

}  // namespace clarity::inventory
