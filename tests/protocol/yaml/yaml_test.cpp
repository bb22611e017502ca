#include "protocol/yaml/yaml.hpp"

#include <catch2/catch.hpp>
#include <chrono>

using namespace clarity;
using yaml::Need;
using yaml::Problems;

namespace {

std::vector<std::string> problems_of(const std::string& text, const yaml::Limits& limits = {}) {
    Problems problems;
    (void)yaml::parse("f.yml", text, problems, limits);
    std::vector<std::string> out;
    for (const auto& each : problems.sorted()) out.push_back(each.text());
    return out;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += line + "\n";
    return out;
}

}  // namespace

TEST_CASE("yaml: a tree remembers the line of every key and value") {
    Problems problems;
    const auto tree = yaml::parse("f.yml", "a: 1\nb:\n  - x\n  - c: y\n", problems);
    REQUIRE(tree);
    CHECK_FALSE(problems.has_errors());
    CHECK(tree->find("a")->line == 1);
    CHECK(tree->find("b")->items.at(0).line == 3);
    CHECK(tree->find("b")->items.at(1).find("c")->scalar == "y");
    CHECK(tree->find("b")->items.at(1).entries.at(0).line == 4);
}

TEST_CASE("yaml: broken text is one problem with its line") {
    const auto found = problems_of("a: 1\nb: [1, 2\nc: {\n");
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Catch::StartsWith("f.yml:") && Catch::Contains("broken YAML"));
    // yaml-cpp 0.7 closes these by itself and swallows the rest of the file.
    CHECK(problems_of("x: 1\na: \"open\nb: 2\n") ==
          std::vector<std::string>{"f.yml:2: a quote that opens here is never closed"});
    CHECK(problems_of("a: 'it''s open\n").size() == 1);
    CHECK(problems_of("a: \"it\\\"s\"\nb: 'it''s'\nc: ''\nd: \"x\n  y\"\n# it's\n").empty());
    CHECK(problems_of("a: \xff\n") == std::vector<std::string>{"f.yml:1: is not UTF-8 text"});
    CHECK(problems_of("\xef\xbb\xbf"
                      "a: \"\xc3\xa9\"\nb: \"\xe2\x82\xac'\"\n")
              .empty());
    CHECK(problems_of(std::string("a\0b", 3)).size() == 1);
    CHECK(problems_of("a: 1\n---\nb: 2\n").size() == 1);
    CHECK(problems_of("? [a, b]\n: 1\n").size() == 1);
    CHECK(problems_of("a: *nobody\n").size() == 1);
}

TEST_CASE("yaml: a key written twice is named with both lines, at every depth") {
    CHECK(problems_of("a: 1\nb: 2\na: 3\n") ==
          std::vector<std::string>{"f.yml:3: key \"a\" is here twice (first in line 1): keep one"});
    CHECK(problems_of("t:\n  x: {y: 1}\n  z: 1\n  x: 2\nu:\n  x: 1\n").size() == 1);
    CHECK(problems_of("- {a: 1}\n- {a: 2}\n").empty());
}

TEST_CASE("yaml: an alias bomb is refused before it unfolds") {
    std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
    char last = 'a';
    for (char c = 'b'; c <= 'k'; ++c) {
        bomb += fmt::format("{0}: &{0} [", c);
        for (int i = 0; i < 10; ++i) bomb += fmt::format("{}*{}", i == 0 ? "" : ", ", last);
        bomb += "]\n";
        last = c;
    }
    const auto began = std::chrono::steady_clock::now();
    const auto found = problems_of(bomb);
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Catch::Contains("aliases"));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    CHECK(problems_of("a: &a [*a]\n").size() == 1);
}

TEST_CASE("yaml: size and depth are capped, in time that a megabyte of brackets cannot stretch") {
    CHECK(problems_of(std::string(2U << 20, 'a')).size() == 1);
    const auto began = std::chrono::steady_clock::now();
    CHECK(problems_of(std::string(1U << 20, '[')).size() == 1);
    CHECK(problems_of(std::string(1U << 20, '{')).size() == 1);
    CHECK(problems_of(std::string(40, '[') + std::string(40, ']')).size() == 1);
    std::string dashes;
    for (int i = 0; i < 5000; ++i) dashes += "- ";
    CHECK(problems_of(dashes).size() == 1);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
    CHECK(problems_of(std::string(20, '[') + std::string(20, ']')).empty());
}

TEST_CASE("yaml: the reader collects wrong types, missing keys and unknown keys in one run") {
    Problems problems;
    const auto tree = yaml::parse("f.yml",
                                  "port: many\nlevel: [a]\nflag: maybe\nhostnam: x\nkind: vn\n"
                                  "big: 70000\nzzz: 1\n",
                                  problems);
    REQUIRE(tree);
    yaml::Map map("f.yml", *tree, problems, "the file");
    CHECK(map.integer("port", 1, 65535, 7) == 7);
    CHECK(map.integer("big", 1, 65535, 8) == 8);
    CHECK(map.text("level") == "");
    CHECK(map.boolean("flag", true));
    CHECK(map.choice("kind", {"vm", "host"}, "host") == "host");
    CHECK(map.text("hostname", Need::required) == "");
    map.finish();
    std::vector<std::string> found;
    for (const auto& each : problems.sorted()) found.push_back(each.text());
    CAPTURE(joined(found));
    REQUIRE(found.size() == 8);
    CHECK(found[0] == "f.yml:1: \"port\" must be a whole number, not \"many\"");
    CHECK_THAT(joined(found), Catch::Contains("the file has no \"hostname\"") &&
                                  Catch::Contains("did you mean \"vm\"?") &&
                                  Catch::Contains("f.yml:4: warning: unknown key \"hostnam\" is "
                                                  "ignored: did you mean \"hostname\"?") &&
                                  Catch::Contains("f.yml:7: warning: unknown key \"zzz\"") &&
                                  Catch::Contains("from 1 to 65535, not 70000"));
}

TEST_CASE("yaml: a top that is no map is one problem, not one per key") {
    Problems problems;
    const auto tree = yaml::parse("f.yml", "- a\n", problems);
    yaml::Map map("f.yml", *tree, problems, "the file");
    (void)map.text("a", Need::required);
    (void)map.text("b", Need::required);
    map.finish();
    CHECK(problems.sorted().size() == 1);
}

TEST_CASE("yaml: nearest finds swaps and slips and nothing far away") {
    CHECK(yaml::nearest("smsgatway", {"smsgateway", "monitoring"}) == "smsgateway");
    CHECK(yaml::nearest("artifcats", {"artifacts"}) == "artifacts");
    CHECK_FALSE(yaml::nearest("hello", {"monitoring"}));
}
