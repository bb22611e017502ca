#include <catch2/catch.hpp>

#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "cli/view/width.hpp"
#include "cli/view/yaml_text.hpp"

using namespace clarity;
using namespace clarity::cli;

TEST_CASE("width: terminals give wide characters two columns and marks none", "[cli]") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("é") == 1);
    CHECK(display_width("e\u0301") == 1);
    CHECK(display_width("東京") == 4);
    CHECK(display_width("ঢাকা") >= 3);
    CHECK(display_width("\xff\xfe") == 2);
    CHECK(display_width("\xe6\x9d") == 2);  // cut in the middle
}

TEST_CASE("width: a cut never splits a character", "[cli]") {
    CHECK(fit("monitoring", 20) == "monitoring");
    CHECK(fit("monitoring", 4) == "mon…");
    CHECK(fit("東京都庁", 4) == "東…");
    CHECK(fit("東京都庁", 5) == "東京…");
    CHECK(fit("abc", 0).empty());
}

TEST_CASE("width: nothing that an agent says can drive the terminal", "[cli]") {
    CHECK(printable("a\x1b[2Jb\nc\td") == "a [2Jb c d");
    CHECK(printable("\u202Eevil") == " evil");
    CHECK(printable("ok\xff") == "ok\uFFFD");
    CHECK(printable("\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD");  // a surrogate
    CHECK(printable("\xc0\xaf") == "\uFFFD\uFFFD");            // overlong
}

TEST_CASE("width: lines break at blanks, and what is to be copied stays whole", "[cli]") {
    CHECK(wrapped("one two three", 0) == std::vector<std::string>{"one two three"});
    CHECK(wrapped("one two three", 9) == std::vector<std::string>{"one two", "  three"});
    CHECK(wrapped("say /a/very/long/path/indeed now", 10) ==
          std::vector<std::string>{"say", "  /a/very/long/path/indeed", "  now"});
    CHECK(wrapped("  A  B", 80) == std::vector<std::string>{"  A  B"});
    CHECK(wrapped("", 5) == std::vector<std::string>{""});
}

TEST_CASE("units: a time is shown by how long ago it was", "[cli]") {
    CHECK(seconds_since("1970-01-01T00:01:00Z", 90) == 30);
    CHECK(seconds_since("2026-11-23T13:19:37Z", 0) == 0);  // clocks differ
    CHECK(seconds_since("", 90) == -1);
    CHECK(seconds_since("yesterday", 90) == -1);
}

TEST_CASE("table: columns line up by display width and end without blanks", "[cli]") {
    Table table({{"SERVER", Align::left, true}, {"AGE", Align::right, false}, {"NOTE"}});
    table.add({"edge-1", "0.8 s", "ok"});
    table.add({"東京", "12 m 03 s", ""});
    CHECK(table.text() ==
          "SERVER        AGE  NOTE\n"
          "edge-1      0.8 s  ok\n"
          "東京    12 m 03 s  -\n");
}

TEST_CASE("table: the widest column that may shrink gives way to a narrow terminal", "[cli]") {
    Table table({{"NAME"}, {"DETAIL", Align::left, true}});
    table.add({"smsgateway", "port 2775 is in use by another process"});
    const auto text = table.text(30);
    CHECK(text == "NAME        DETAIL\nsmsgateway  port 2775 is in u…\n");
    // It never shrinks into nothing, and a column that must not shrink does not.
    CHECK(table.text(5) == "NAME        DETAIL\nsmsgateway  port 27…\n");
}

TEST_CASE("units: sizes and rates have three digits at most", "[cli]") {
    CHECK(format_bytes(0) == "0 B");
    CHECK(format_bytes(999) == "999 B");
    CHECK(format_bytes(1000) == "1.0 KiB");
    CHECK(format_bytes(1536) == "1.5 KiB");
    CHECK(format_bytes(1023 * 1024) == "1.0 MiB");
    CHECK(format_bytes(107'374'182'400ULL) == "100 GiB");
    CHECK(format_bytes(UINT64_MAX) == "16384 PiB");
    CHECK(format_rate(6.25e6) == "6.0 MiB/s");
    CHECK(format_rate(-1) == "0 B/s");
}

TEST_CASE("units: durations read at a glance and never heard is said", "[cli]") {
    CHECK(format_duration(0.84) == "0.8 s");
    CHECK(format_duration(9.96) == "10 s");
    CHECK(format_duration(59.4) == "59 s");
    CHECK(format_duration(125) == "2 m 05 s");
    CHECK(format_duration(7800) == "2 h 10 m");
    CHECK(format_duration(2 * 86400 + 7200) == "2 d 2 h");
    CHECK(format_duration(-1) == "never");
}

TEST_CASE("units: a duration that makes no sense is refused", "[cli]") {
    CHECK(parse_duration("90").value() == 90);
    CHECK(parse_duration("10m").value() == 600);
    CHECK(parse_duration("2h").value() == 7200);
    CHECK(parse_duration("7d").value() == 604800);
    for (const auto* bad : {"", "0", "-1", "m", "1w", "1 m", "99999999999999999999", "20000d"}) {
        CAPTURE(bad);
        REQUIRE_FALSE(parse_duration(bad));
        CHECK(parse_duration(bad).error().message.find("90s or 10m") != std::string::npos);
    }
}

TEST_CASE("yaml: a status answer becomes block text that keeps every type", "[cli]") {
    const auto json = parse_json(R"({"site":"acme/dc-1","plan":{"seq":41,"digest":""},
        "servers":[{"server":"edge-2","age_s":0.8,"drift":[],"ok":true,"ports":[1,2]},
                   {"server":"007","age_s":null,"note":"a: b"}],"none":{}})")
                          .value();
    CHECK(yaml_text(json) ==
          "site: acme/dc-1\n"
          "plan:\n"
          "  seq: 41\n"
          "  digest: \"\"\n"
          "servers:\n"
          "- server: edge-2\n"
          "  age_s: 0.8\n"
          "  drift: []\n"
          "  ok: true\n"
          "  ports:\n"
          "  - 1\n"
          "  - 2\n"
          "- server: \"007\"\n"
          "  age_s: null\n"
          "  note: \"a: b\"\n"
          "none: {}\n");
}

TEST_CASE("yaml: a string that YAML would read as something else is quoted", "[cli]") {
    for (const auto* text : {"yes", "Null", "1.5", "2026-01-01", "- a", "#x", "a: b", "*x", "",
                             "a ", "0x10", "~", "line\nbreak", "a #b"}) {
        CAPTURE(text);
        CHECK(yaml_text(Json(text)) == to_text(Json(text)) + "\n");
    }
    CHECK(yaml_text(Json("3.2.1 of smsgateway")) == "\"3.2.1 of smsgateway\"\n");
    CHECK(yaml_text(Json("edge-1")) == "edge-1\n");
    CHECK(yaml_text(Json::array()) == "[]\n");
}
