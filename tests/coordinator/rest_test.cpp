#include <algorithm>
#include <set>

#include "coordinator/rest_api.hpp"
#include "protocol/yaml/yaml.hpp"
#include "tests/coordinator/support.hpp"

using namespace clarity;
using namespace clarity::coordinator;

namespace {

/// Router with every route of the API, on a core in a folder of its own.
struct Fixture {
    test::TempDir dir;
    std::unique_ptr<Core> core;
    std::unique_ptr<Api> api;
    std::unique_ptr<Router> router;

    Fixture() {
        init_crypto();
        Config config;
        config.state_dir = dir.path;
        auto opened = Core::open(config, 1'790'000'000);
        if (!opened) FAIL(opened.error().message);
        core = std::move(*opened);
        Effects effects;
        effects.members_changed = [] {};
        effects.site_changed = [](const std::string&) {};
        effects.send_order = [](const std::string&, const Bytes&) { return std::size_t{0}; };
        effects.update_gauges = [] {};
        api = std::make_unique<Api>(Api{*core, std::move(effects)});
        router = std::make_unique<Router>(core->auth, core->metrics);
        api->add_routes(*router);
    }
    http::Response call(const std::string& method, const std::string& path,
                        const std::string& body = "") {
        http::Request request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.headers["authorization"] = "Bearer " + core->identity->admin_token;
        return router->handle(request, 1'790'000'000'000);
    }
};

}  // namespace

// Goal: what the document promises is what the program does, no more and no less.
TEST_CASE("rest: docs/openapi.yaml lists exactly the routes that exist") {
    const Fixture fixture;
    const auto text = read_file(CLARITY_SOURCE_DIR "/docs/openapi.yaml", 1U << 20).value();
    yaml::Problems problems;
    const auto tree = yaml::parse("openapi.yaml", text, problems);
    REQUIRE(tree);
    std::set<std::string> documented;
    for (const auto& path : tree->find("paths")->entries) {
        for (const auto& method : path.value.entries) {
            if (method.key == "parameters") continue;
            std::string name = method.key;
            std::transform(name.begin(), name.end(), name.begin(),
                           [](char c) { return static_cast<char>(std::toupper(c)); });
            documented.insert(name + " " + path.key);
        }
    }
    const auto names = fixture.router->names();
    CHECK(documented == std::set<std::string>(names.begin(), names.end()));
}

TEST_CASE("rest: hostile requests are answered with an error, each in one line") {
    Fixture fixture;
    CHECK(fixture.call("PUT", "/api/v1/inventory", "{").status == 400);
    CHECK(fixture.call("PUT", "/api/v1/inventory", "[]").status == 400);
    CHECK(fixture.call("PUT", "/api/v1/inventory", R"({"files":{"a":1}})").status == 400);
    CHECK(fixture.call("PUT", "/api/v1/inventory", "").status == 400);
    CHECK(fixture.call("PUT", "/api/v1/inventory", std::string(10'000, '[')).status == 400);
    CHECK(fixture.call("POST", "/api/v1/manifests", R"({"envelope":"AAAA"})").status == 409);
    CHECK(fixture.call("PUT", "/api/v1/root", R"({"envelope":"AAAA"})").status == 400);
    CHECK(fixture.call("POST", "/api/v1/observers", R"({"public_key":"00"})").status == 400);
    CHECK(fixture.call("POST", "/api/v1/deployments", R"({"client":1})").status == 400);
    CHECK(fixture.call("GET", std::string("/api/v1/secrets/a\0b", 19)).status == 400);
    CHECK(fixture.call("GET", "/api/v1/manifests/zz").status == 400);
    CHECK(fixture.call("GET", "/api/v1/deployments/none").status == 404);
    CHECK(fixture.call("PUT", "/api/v1/deployments/none/rollback").status == 404);
    CHECK(fixture.call("PUT", "/api/v1/profiles/prod/..", R"({"yaml":"a"})").status == 400);
    CHECK(fixture.call("PUT", "/api/v1/profiles/moon/web", R"({"yaml":"a"})").status == 400);
    CHECK(fixture.call("GET", "/api/v1/sites/a/b/status").status == 404);
    const auto answer = fixture.call("GET", "/api/v1/sites/a/b/roster");
    const auto json = parse_json(answer.body);
    REQUIRE(json);
    CHECK((*json)["error"]["code"] == "not_found");
    CHECK((*json)["error"]["message"].get<std::string>().find('\n') == std::string::npos);
}
