// Goal: the program and the real coordinator understand each other, from the first login on.
#include "tests/cli/real.hpp"

using namespace clarity;
using namespace clarity::test;

TEST_CASE("real coordinator: login, root, inventory, artifact, token and secret", "[cli]") {
    const RealCoordinator coordinator;
    const Person person;
    const auto expect = [&](int code, const std::vector<std::string>& arguments) {
        return test::expect(person, code, arguments);
    };
    expect(0, {"login", coordinator.url(), "--token-file", coordinator.token_file(), "--yes"});
    CHECK(has(expect(1, {"root", "show"}).err, "clarity root init"));
    expect(0, {"root", "init"});
    expect(1, {"root", "init"});
    CHECK(has(expect(0, {"root", "show"}).out, "root version 1"));
    const auto folder = person.home.path() + "/inventory";
    expect(0, {"init", folder});
    expect(0, {"apply", folder});
    const auto sites = expect(0, {"token", "create", "-o", "json"});
    CHECK(parse_json(sites.out).value().contains("token"));
    CHECK(has(expect(0, {"token", "list"}).out, "open"));

    const auto file = person.home.write("app.bin", std::string(100'000, 'z'));
    const std::vector<std::string> add = {"artifact", "add",    "app@1.0.0",    file,
                                          "--type",   "binary", "--repository", "origin",
                                          "--path",   "app.bin"};
    const auto sum = expect(0, add).out;
    CHECK(has(expect(0, {"artifact", "list"}).out, "app"));
    CHECK(has(expect(0, {"artifact", "show", "app@1.0.0"}).out, sum.substr(0, 64)));
    const auto other = person.home.write("other.bin", std::string(100'000, 'o'));
    auto again = add;
    again[3] = other;
    CHECK(has(expect(1, again).err, "new version"));
    auto foreign = add;
    foreign[2] = "app@1.0.1";
    foreign.insert(
        foreign.end(),
        {"--key", person.home.write("foreign.key", encode_key_file(SigningKey::generate(), ""))});
    expect(6, foreign);  // not the publisher's key

    expect(0, {"secret", "set", "greeting", "--value", "hello"});
    const auto secrets = expect(0, {"secret", "list"});
    CHECK(has(secrets.out, "greeting"));
    CHECK_FALSE(has(secrets.out, "hello"));
    expect(0, {"agents"});
    CHECK(has(expect(1, {"agents", "revoke", "edge-9", "--yes"}).err, "not enrolled"));
    expect(0, {"deployments", "list"});
    CHECK(has(expect(1, {"publish", "-e", "prod", "--yes"}).err, "enrolled"));
    expect(1, {"deployments", "show", "none-such"});
}
