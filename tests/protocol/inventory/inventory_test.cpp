#include "protocol/inventory/inventory.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

using namespace clarity;
using inventory::Files;

namespace {

std::string problems_of(const Files& files, bool warnings = true) {
    std::string out;
    for (const auto& each : inventory::load(files).problems) {
        if (warnings || each.severity == inventory::Severity::error) out += each.text() + "\n";
    }
    return out;
}

/// The scaffold with one text replaced by another in one file.
Files with(const std::string& path, const std::string& from, const std::string& to) {
    auto files = inventory::scaffold();
    auto& text = files.at(path);
    const auto at = text.find(from);
    INFO(path << " holds " << from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    return files;
}

Files read_sample(const std::string& name) {
    namespace fs = std::filesystem;
    Files out;
    const fs::path root = fs::path(SAMPLES_DIR) / name;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        std::ostringstream text;
        text << std::ifstream(entry.path()).rdbuf();
        out[fs::relative(entry.path(), root).generic_string()] = text.str();
    }
    return out;
}

const std::string profile_path = "profiles/prod/hello.yml";

}  // namespace

TEST_CASE("inventory: the scaffold and the telecom sample are valid without a warning") {
    CHECK(problems_of(inventory::scaffold()) == "");
    const auto files = read_sample("telecom");
    CHECK(problems_of(files) == "");
    const auto loaded = inventory::load(files);
    CHECK(loaded.inventory.servers.size() == 4);
    CHECK(
        loaded.inventory
            .assignments(*loaded.inventory.server("telecom-client-01", "edge-3"), Environment::prod)
            .size() == 3);
}

TEST_CASE("inventory: each broken rule is one line that names file, line and remedy") {
    struct Case {
        std::string path, from, to, expected;
    };
    const auto c = GENERATE(values<Case>({
        {"clients/acme/servers.yml", "datacenter_id: dc-1", "datacenter_id: dc-2",
         "clients/acme/servers.yml:3: \"datacenter_id\": \"dc-2\" is not in "
         "clients/acme/datacenters.yml: did you mean \"dc-1\"?"},
        {"clients/acme/servers.yml", "192.0.2.11", "192.0.2.300", "is no IP address"},
        {"clients/acme/servers.yml", "type: vm", "type: vn", "did you mean \"vm\"?"},
        {"clients/acme/servers.yml", "cpu_cores: 2", "cpu_cores: two", "must be a whole number"},
        {"clients/acme/servers.yml", "hypervisor: kvm",
         "hypervisor: kvm\n      host_server_id: nobody", "which is no server's id"},
        {"clients/acme/metadata.yml", "code: acme", "code: acne", "must be the folder's name"},
        {"clients/acme/metadata.yml", "ops@acme.example", "nobody", "is no e-mail address"},
        {"clients/acme/metadata.yml", "2026-01-31T12:00:00Z", "2026-13-31", "is no timestamp"},
        {"clients/acme/metadata.yml", "  name: Acme Telecom\n", "", "has no \"name\""},
        {"clients/acme/datacenters.yml", "lat: 39.8", "lat: 139.8", "must be from -90 to 90"},
        {"clients/acme/datacenters.yml", "type: edge", "type: huge", "primary|backup|edge"},
        {"artifacts/registry.yml", "type: binary", "type: exe", "jar|war|lxc|docker|binary|script"},
        {"artifacts/registry.yml", "repository: origin", "repository: orign",
         "is not in repositories/config.yml: did you mean \"origin\"?"},
        {"artifacts/registry.yml", "dependencies: []", "dependencies: [{artifact_id: helo}]",
         "which is not in artifacts/registry.yml: did you mean \"hello\"?"},
        {"artifacts/registry.yml", "dependencies: []", "dependencies: [{artifact_id: hello}]",
         "go round in a circle: hello -> hello"},
        {"artifacts/versions.yml", "version: 1.0.0", "version: \"1.0\"", "no semantic version"},
        {"repositories/config.yml", "type: http ", "type: htp ", "did you mean \"http\"?"},
        {"repositories/config.yml", "${CONFIG:repository.origin_url}", "gopher://x",
         "must start with http:// or https://"},
        {profile_path, "version: 1.0.0", "version: 1.0.1",
         "hello@1.0.1 is not in artifacts/versions"},
        {profile_path, "environment: prod", "environment: dev", "the folder is profiles/prod"},
        {profile_path, "client_id: acme", "client_id: acm", "did you mean \"acme\"?"},
        {profile_path, "artifact_id: hello", "artifact_id: hullo", "this file is for artifact"},
        {profile_path, "hostname: edge-1", "hostname: edge-7", "is no server of client acme"},
        {profile_path, "external: 8080", "external: 80800", "must be from 1 to 65535"},
        {profile_path, "external: 8080", "external: 8081", "must equal external 8081"},
        {profile_path, "path: /etc/hello/hello.conf", "path: etc/hello.conf", "is not absolute"},
        {profile_path, "path: /etc/hello/hello.conf", "path: /etc/../x", "holds \"..\""},
        {profile_path, "mode: \"0640\"", "mode: \"0999\"", "must be octal"},
        {profile_path, "timeout_s: 60", "timeout_s: 1", "no start could ever pass"},
        {profile_path, "${CONFIG:greeting}", "${CONFIG:greting}",
         "profiles/prod/hello.yml:11: ${CONFIG:greting} is in no config.yml that applies: did you "
         "mean \"greeting\"? (server edge-1)"},
        {profile_path, "${TEMPLATE:hello.conf}", "${TEMPLATE:helo.conf}", "did you mean"},
        {profile_path, "autostart: true", "command: [x, \"${SECRET:s}\"]", "is not sealed"},
        {"templates/hello.conf", "greeting = ${CONFIG:greeting}", "x = ${CONFIG:nothing.here}",
         "templates/hello.conf:3: ${CONFIG:nothing.here}"},
        {"templates/hello.conf", "greeting = ", "greeting = ${HOME}", "write $${HOME}"},
        {"config.yml", "origin_url:", "server: {hostname}\nserver.id: x\norigin_url:", ""},
    }));
    const auto found = problems_of(with(c.path, c.from, c.to));
    CAPTURE(c.path, c.from, c.to);
    CHECK_THAT(found, Catch::Contains(c.expected));
    CHECK(!found.empty());
}

TEST_CASE("inventory: all errors of all files come in one run") {
    auto files = with("clients/acme/servers.yml", "192.0.2.11", "nowhere");
    files["artifacts/versions.yml"] = "versions: {a\n";
    files.erase("repositories/config.yml");
    files["config.yml"] = "a: [1]\n";
    const auto found = problems_of(files);
    CHECK_THAT(found, Catch::Contains("is no IP address") && Catch::Contains("broken YAML") &&
                          Catch::Contains("repositories/config.yml: is missing") &&
                          Catch::Contains("config.yml:1: \"a\" is a list"));
}

TEST_CASE("inventory: unknown keys and stray files are warnings with the nearest known name") {
    auto files = with("clients/acme/servers.yml", "os:", "oss:");
    files["clients/acme/server.yml"] = "x: 1\n";
    const auto loaded = inventory::load(files);
    CHECK(loaded.ok());
    CHECK_THAT(problems_of(files), Catch::Contains("unknown key \"oss\" is ignored: did you mean "
                                                   "\"os\"?") &&
                                       Catch::Contains("did you mean \"servers.yml\"?"));
}

TEST_CASE("inventory: duplicate ids, hostnames and addresses name the first one's place") {
    auto files = inventory::scaffold();
    auto& servers = files["clients/acme/servers.yml"];
    servers += servers.substr(servers.find('\n') + 1);
    const auto found = problems_of(files);
    CHECK_THAT(found, Catch::Contains("server id") &&
                          Catch::Contains("server hostname \"edge-1\" is "
                                          "here twice (first at clients/acme/servers.yml:2)") &&
                          Catch::Contains("management address"));
}

TEST_CASE("inventory: ports and paths of two services on one server may not meet") {
    auto files = inventory::scaffold();
    files["artifacts/registry.yml"] += "  - {id: other, type: binary, version: 1.0.0}\n";
    files["profiles/prod/other.yml"] =
        "artifact: {id: other, version: 1.0.0}\n"
        "deployment:\n"
        "  profile: prod\n"
        "  client: acme\n"
        "  configuration:\n"
        "    ports:\n"
        "      - {internal: 8080}\n"
        "    config_files:\n"
        "      - {path: /etc/hello/hello.conf, content: \"plain text\"}\n";
    const auto found = problems_of(files);
    CHECK_THAT(found, Catch::Contains("profiles/prod/other.yml:7: port 8080 is used at "
                                      "profiles/prod/hello.yml:17 too") &&
                          Catch::Contains("path /etc/hello/hello.conf is used at"));
}

TEST_CASE("inventory: longer dependency circles are found and told once") {
    auto files = inventory::scaffold();
    files["artifacts/registry.yml"] +=
        "  - {id: a, type: binary, dependencies: [{artifact_id: b}]}\n"
        "  - {id: b, type: binary, dependencies: [{artifact_id: c}]}\n"
        "  - {id: c, type: binary, dependencies: [{artifact_id: a}]}\n";
    const auto found = problems_of(files);
    CHECK_THAT(found, Catch::Contains("a -> b -> c -> a"));
    CHECK(std::count(found.begin(), found.end(), '\n') == 1);
}

TEST_CASE("inventory: configuration is looked up server, datacenter, environment, client, global") {
    auto files = inventory::scaffold();
    const std::vector<std::string> folders{"", "clients/acme/", "profiles/prod/",
                                           "clients/acme/datacenters/dc-1/",
                                           "clients/acme/servers/edge-1/"};
    for (const auto& folder : folders) {
        files[folder + "config.yml"] += "\nlayered:\n  key: from " + folder + "\n";
        const auto loaded = inventory::load(files);
        CAPTURE(folder);
        REQUIRE(loaded.ok());
        const auto& server = *loaded.inventory.server("acme", "edge-1");
        const auto out = inventory::interpolate({"${CONFIG:layered.key}", {"f", 1}},
                                                loaded.inventory.scope(server, Environment::prod));
        CHECK(out.text == (folder.empty() ? "from" : "from " + folder));
    }
}

TEST_CASE("inventory: references, escapes, circles and bombs in texts") {
    inventory::Layer layer;
    layer.config["a"] = {"${CONFIG:b}", {"c.yml", 1}};
    layer.config["b"] = {"${CONFIG:a}", {"c.yml", 2}};
    layer.config["ok"] = {"<${CONFIG:server.id}>", {"c.yml", 3}};
    layer.config["x0"] = {"0123456789", {"c.yml", 4}};
    for (int i = 1; i < 10; ++i) {
        std::string text;
        for (int n = 0; n < 10; ++n) text += fmt::format("${{CONFIG:x{}}}", i - 1);
        layer.config[fmt::format("x{}", i)] = {text, {"c.yml", 4 + i}};
    }
    layer.templates["t.conf"] = {"one\n${SECRET:pw}\n${CONFIG:none}\n", {"t.conf", 0}, true};
    inventory::Scope scope{{&layer}, {{"server.id", "s1"}}};
    const auto secret = [](const std::string& name) -> Result<std::string> {
        return "${CONFIG:ok} of " + name;  // a secret is taken as it is
    };
    const auto run = [&](const std::string& text) {
        return inventory::interpolate({text, {"f.yml", 7}}, scope, secret);
    };
    CHECK(run("a $${CONFIG:ok} $ {} ${CONFIG:ok}").text == "a ${CONFIG:ok} $ {} <s1>");
    CHECK(run("${SECRET:pw}").text == "${CONFIG:ok} of pw");
    CHECK(run("${SECRET:pw}").has_secret);
    const auto of_template = run("${TEMPLATE:t}");
    REQUIRE(of_template.problems.size() == 1);
    CHECK(of_template.problems[0].place.file == "t.conf");
    CHECK(of_template.problems[0].place.line == 3);
    CHECK_THAT(run("${CONFIG:a}").problems.at(0).message, Catch::Contains("leads back to itself"));
    CHECK(run("${CONFIG:x9}").problems.size() == 1);
    CHECK(run("${CONFIG:x9}").text.size() <= 1U << 20);
    CHECK(run("${CONFIG:").problems.size() == 1);
    CHECK(run("${}").problems.size() == 1);
    CHECK(run("$").text == "$");
}

TEST_CASE("inventory: file contents are base64, plain text or a template") {
    const auto content = [](const std::string& text) {
        const auto loaded = inventory::load(
            with(profile_path, "content: ${TEMPLATE:hello.conf}", "content: " + text));
        return loaded.inventory.profiles.at(0).settings.files.at(0).content.value;
    };
    CHECK(content("aGVsbG8gd29ybGQK") == "hello world\n");
    CHECK(content("\"hello, world\"") == "hello, world");
    CHECK(content("abcd\n            encoding: text") == "abcd");
    CHECK(content("|\n              a\n              b\n") == "a\nb\n");
}

TEST_CASE("inventory: a client's own profile wins over the general one") {
    auto files = inventory::scaffold();
    files["profiles/prod/hello.yml"] =
        "deployment_profiles:\n"
        "  - artifacts: [{artifact_id: hello, version: 1.0.0, priority: 5}]\n"
        "  - client_id: acme\n"
        "    artifacts:\n"
        "      - artifact_id: hello\n"
        "        version: 1.0.0\n"
        "        target_servers: [{datacenter: dc-1, priority: 1}, {hostname: edge-1, priority: "
        "2}]\n";
    const auto loaded = inventory::load(files);
    CHECK(problems_of(files) == "");
    const auto found =
        loaded.inventory.assignments(*loaded.inventory.server("acme", "edge-1"), Environment::prod);
    REQUIRE(found.size() == 1);
    CHECK(found[0].profile->client == "acme");
    CHECK(found[0].priority == 2);
}

TEST_CASE("inventory: any bytes in any file give problems, never a crash") {
    std::mt19937 random(20240601);
    const auto base = inventory::scaffold();
    for (int round = 0; round < 400; ++round) {
        CAPTURE(round);
        auto files = base;
        auto at = std::next(files.begin(), static_cast<long>(random() % files.size()));
        auto& text = at->second;
        for (int edits = 0; edits < 4 && !text.empty(); ++edits) {
            const auto where = random() % text.size();
            switch (random() % 4) {
                case 0: text[where] = static_cast<char>(random() & 0xff); break;
                case 1: text.erase(where, random() % 40); break;
                case 2: text.insert(where, text.substr(random() % text.size(), 60)); break;
                default: text.insert(where, 1, "[]{}:*&!|>-?$\n\t\""[random() % 16]); break;
            }
        }
        (void)inventory::load(files);
    }
    CHECK_THAT(problems_of({{"../x", ""}}), Catch::Contains("no path inside"));
    CHECK_THAT(problems_of({}), Catch::Contains("clients: is missing"));
}

TEST_CASE("inventory: a thousand servers with one mistake give one line, fast") {
    auto files = with(profile_path, "${CONFIG:greeting}", "${CONFIG:greting}");
    auto& profile = files[profile_path];
    profile.erase(profile.find("      target_servers:"));
    auto& servers = files["clients/acme/servers.yml"];
    for (int i = 2; i <= 1000; ++i) {
        servers += fmt::format(
            "  - id: 5f0c4a4e-6a51-4f0b-9f8e-{:012}\n    datacenter_id: dc-1\n"
            "    hostname: edge-{}\n    ip_addresses: {{management: 10.0.{}.{}}}\n",
            i, i, i / 250, i % 250);
    }
    const auto began = std::chrono::steady_clock::now();
    const auto found = problems_of(files);
    CHECK_THAT(found, Catch::Contains("and 997 more"));
    CHECK(std::count(found.begin(), found.end(), '\n') == 1);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
}
