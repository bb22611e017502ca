#include <algorithm>

#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

using yaml::Map;
using yaml::Need;

const std::vector<std::string> repository_types{"google-drive", "ftp", "sftp",
                                                "http",         "s3",  "artifactory"};

std::string version_in(Map& map, Need need) {
    auto out = map.text("version", need);
    if (!out.empty() && !is_semantic_version(out)) {
        map.error(
            map.line_of("version"),
            fmt::format("version \"{}\" is no semantic version: write 1.2.3 or 1.2.3-rc.1", out));
    }
    return out;
}

void read_checksum(Map& map, std::string& out) {
    out = map.text("checksum");
    if (out.starts_with("sha256:")) out.erase(0, 7);
    if (!out.empty() && !is_sha256(out)) {
        map.error(map.line_of("checksum"), "\"checksum\" must be a SHA-256: 64 hexadecimal digits");
    }
}

/// `repository:` is an id of repositories/config.yml, or the specification's {type, location}.
void read_source(Map& map, std::string& repository, std::string& path) {
    const auto* value = map.take("repository");
    if (value == nullptr || !value->is_map()) {
        repository = map.text("repository");
        return;
    }
    map.child("repository", [&](Map& source) {
        repository = source.text("id");
        source.choice("type", repository_types, {},
                      repository.empty() ? Need::required : Need::optional);
        path = source.text("location", repository.empty() ? Need::required : Need::optional);
        if (const auto within = source.text("path"); !within.empty()) path = within;
    });
}

void settings_in(Map& map, Repository& out, const std::vector<std::string>& keys) {
    for (const auto& key : keys) {
        if (map.has(key)) out.settings[key] = text_of(map, key);
        else (void)map.take(key);
    }
}

void read_auth(Map& map, Repository& out) {
    map.child("auth", [&](Map& auth) {
        const auto type = auth.choice("type", {"none", "basic", "bearer", "oauth2"}, "none");
        out.settings["auth"] = {type, {auth.file(), auth.line_of("type")}};
        std::vector<std::string> wanted;
        if (type == "basic") wanted = {"username", "password"};
        if (type == "bearer") wanted = {"token"};
        if (type == "oauth2") wanted = {"token_url", "client_id", "client_secret"};
        if (!wanted.empty() && !auth.has("credentials")) {
            auth.error(auth.line(), fmt::format("auth \"{}\" has no \"credentials\"", type));
        }
        auth.child("credentials", [&](Map& credentials) {
            for (const auto& key : wanted) (void)credentials.text(key, Need::required);
            settings_in(credentials, out, wanted);
            if (type == "oauth2") settings_in(credentials, out, {"scope", "refresh_token"});
        });
    });
}

void read_ftp(Map& map, Repository& out) {
    auto host = text_of(map, "host", Need::required);
    const auto port = map.integer("port", 1, 65535, out.type == "ftp" ? 21 : 22);
    host.value = fmt::format("{}://{}:{}", out.type, host.value, port);
    if (auto path = map.text("path"); !path.empty()) {
        host.value += (path.starts_with('/') ? "" : "/") + path;
    }
    out.base_url = std::move(host);
    settings_in(map, out, {"username", "password"});
    if (out.type == "sftp") {
        const auto method = map.choice("auth_method", {"password", "key"}, "password");
        (void)map.text(method == "key" ? "private_key" : "password", Need::required);
        settings_in(map, out, {"auth_method", "private_key"});
    }
}

/// Credentials belong into the vault.
void warn_of_plain_secrets(Map& map, const Repository& repository) {
    for (const auto* key :
         {"password", "token", "client_secret", "refresh_token", "private_key", "secret_key"}) {
        const auto at = repository.settings.find(key);
        if (at == repository.settings.end() || at->second.value.find("${") != std::string::npos) {
            continue;
        }
        map.warning(at->second.place.line,
                    fmt::format("\"{}\" is written in clear: keep it in the vault and write "
                                "${{SECRET:name}}",
                                key));
    }
}

Repository read_repository(Map& map, const std::string& id) {
    Repository out;
    out.id = id;
    out.place = {map.file(), map.line()};
    out.type = map.choice("type", repository_types, {}, Need::required);
    if (out.type == "google-drive") {
        map.child("credentials", [&](Map& credentials) {
            settings_in(credentials, out, {"client_id", "client_secret", "refresh_token"});
        });
        (void)map.text("folder_id", Need::required);
        settings_in(map, out, {"folder_id"});
        settings_in(map, out, {"base_url"});
    } else if (out.type == "ftp" || out.type == "sftp") {
        read_ftp(map, out);
    } else if (out.type == "s3") {
        out.base_url = text_of(map, "endpoint");
        (void)map.text("bucket", Need::required);
        settings_in(map, out, {"bucket", "region", "access_key", "secret_key", "path"});
    } else if (!out.type.empty()) {
        out.base_url = text_of(map, "base_url", Need::required);
        if (out.type == "artifactory") settings_in(map, out, {"repository"});
        settings_in(map, out, {"ca_pem"});
        read_auth(map, out);
    } else {
        for (const auto* key :
             {"base_url", "auth", "host", "port", "username", "password", "path", "credentials",
              "folder_id", "auth_method", "private_key", "endpoint", "bucket", "region"}) {
            (void)map.take(key);
        }
    }
    if ((out.type == "http" || out.type == "artifactory") && !out.base_url.value.empty() &&
        out.base_url.value.find("${") == std::string::npos &&
        !out.base_url.value.starts_with("http://") && !out.base_url.value.starts_with("https://")) {
        map.error(map.line_of("base_url"),
                  fmt::format("\"base_url\" \"{}\" must start with http:// "
                              "or https://",
                              out.base_url.value));
    }
    warn_of_plain_secrets(map, out);
    return out;
}

Artifact read_artifact(Map& map) {
    Artifact out;
    out.place = {map.file(), map.line()};
    out.id = name_in(map, "id");
    if (out.id == "config") {
        map.error(map.line_of("id"),
                  "an artifact may not be called \"config\": "
                  "profiles/<env>/config.yml is configuration");
    }
    out.name = map.text("name");
    const auto type =
        map.choice("type", {"jar", "war", "lxc", "docker", "binary", "script"}, {}, Need::required);
    out.type = artifact_type_from(type).value_or(ArtifactType::binary);
    out.version = version_in(map, Need::optional);
    out.description = map.text("description");
    out.dependencies = dependencies_in(map);
    read_source(map, out.repository, out.location);
    map.number("size_mb", 0, 1e9);
    std::string checksum;
    read_checksum(map, checksum);
    return out;
}

}  // namespace

std::vector<Dependency> dependencies_in(Map& map) {
    std::vector<Dependency> out;
    map.each("dependencies", [&](Map& each) {
        Dependency one;
        one.artifact = name_in(each, "artifact_id");
        one.version = each.text("version");
        if (!one.version.empty() && !is_version_range(one.version)) {
            each.error(each.line_of("version"),
                       fmt::format("version \"{}\" is no semantic version, nor a range such as "
                                   ">=1.2.3, ^1.2.3 or ~1.2.3",
                                   one.version));
        }
        out.push_back(std::move(one));
    });
    return out;
}

void read_registry(Reading& in) {
    const std::string path = "artifacts/registry.yml";
    if (!in.files.contains(path)) {
        in.problems.error(path, 0,
                          "is missing: it lists the artifacts; \"clarity init\" shows one");
        return;
    }
    const auto tree = parse_file(in, path);
    if (!tree) return;
    Map top(path, *tree, in.problems, "the file");
    top.each("artifacts", [&](Map& map) {
        auto out = read_artifact(map);
        if (out.id.empty()) return;
        const auto [at, fresh] = in.out.artifacts.emplace(out.id, out);
        if (!fresh) {
            map.error(map.line(), fmt::format("artifact id \"{}\" is here twice (first in line {})",
                                              out.id, at->second.place.line));
        }
    });
    top.finish();
}

void read_versions(Reading& in) {
    const std::string path = "artifacts/versions.yml";
    if (!in.files.contains(path)) {
        in.problems.error(path, 0,
                          "is missing: it lists the artifacts' versions; \"clarity init\" "
                          "shows one");
        return;
    }
    const auto tree = parse_file(in, path);
    if (!tree) return;
    Map top(path, *tree, in.problems, "the file");
    top.each("versions", [&](Map& map) {
        ArtifactVersion out;
        out.place = {path, map.line()};
        out.artifact = name_in(map, "artifact_id");
        out.version = version_in(map, Need::required);
        read_source(map, out.repository, out.path);
        if (const auto within = map.text("path"); !within.empty()) out.path = within;
        read_checksum(map, out.checksum);
        map.number("size_mb", 0, 1e9);
        map.text("description");
        out.dependencies = dependencies_in(map);
        for (const auto& each : in.out.versions) {
            if (each.artifact == out.artifact && each.version == out.version) {
                map.error(map.line(), fmt::format("{}@{} is here twice (first in line {})",
                                                  out.artifact, out.version, each.place.line));
            }
        }
        in.out.versions.push_back(std::move(out));
    });
    top.finish();
}

void read_repositories(Reading& in) {
    const std::string path = "repositories/config.yml";
    if (!in.files.contains(path)) {
        in.problems.error(path, 0,
                          "is missing: it says where artifacts come from; \"clarity init\" "
                          "shows one");
        return;
    }
    const auto tree = parse_file(in, path);
    if (!tree) return;
    Map top(path, *tree, in.problems, "the file");
    top.child("repository_config", [&](Map& all) {
        const auto* map = tree->find("repository_config");
        for (const auto& entry : map->entries) {
            (void)all.take(entry.key);
            if (!is_name(entry.key)) {
                all.error(entry.line, fmt::format("repository \"{}\": an id is made of letters, "
                                                  "digits and ._-",
                                                  entry.key));
            }
            Map one(path, entry.value, in.problems, fmt::format("repository \"{}\"", entry.key));
            auto out = read_repository(one, entry.key);
            one.finish();
            in.out.repositories[entry.key] = std::move(out);
        }
    });
    top.finish();
}

}  // namespace clarity::inventory
