#include "cli/view/status_text.hpp"

#include <algorithm>

#include "cli/view/table.hpp"
#include "cli/view/units.hpp"
#include "cli/view/width.hpp"

namespace clarity::cli {
namespace {

std::string text_of(const Json& object, const char* key) {
    return json_or<std::string>(object, key, "");
}

Json list_of(const Json& object, const char* key) {
    auto list = json_or<Json>(object, key, Json::array());
    return list.is_array() ? list : Json::array();
}

std::string age_of(const Json& object, const char* key) {
    return format_duration(json_or<double>(object, key, -1));
}

std::string joined(const Json& list) {
    std::string out;
    for (const auto& each : list) {
        if (!each.is_string()) continue;
        out += (out.empty() ? "" : ", ") + each.get<std::string>();
    }
    return out;
}

std::string heading(const Json& status) {
    const auto plan = json_or<Json>(status, "plan", Json::object());
    auto line = "site " + text_of(status, "site");
    const auto seq = json_or<std::uint64_t>(plan, "seq", 0);
    if (seq == 0) {
        line += "  no plan yet";
    } else {
        line += fmt::format("  plan {}", seq);
        const auto environment = text_of(plan, "environment");
        if (!environment.empty()) line += " (" + environment + ")";
    }
    const auto by = text_of(status, "answered_by");
    const bool central = by == "coordinator";
    const auto freshness = json_or<double>(plan, "freshness_s", -1);
    const auto heard = freshness < 0 ? "never" : format_duration(freshness) + " ago";
    return printable(line) + "\n" +
           printable(fmt::format("answered by {}, which heard from the {} {}",
                                 central ? "the coordinator" : by, central ? "site" : "coordinator",
                                 heard)) +
           "\n";
}

std::string summary(const Json& status) {
    const auto counts = json_or<Json>(status, "summary", Json::object());
    const auto count = [&](const char* key) { return json_or<std::uint64_t>(counts, key, 0); };
    return fmt::format("servers: {} alive, {} healthy, {} failed, {} unreachable\n", count("alive"),
                       count("healthy"), count("failed"), count("unreachable"));
}

std::string server_condition(const Json& server) {
    if (json_or(server, "failed", false)) return "failed";
    return json_or(server, "settled", false) ? "settled" : "changing";
}

std::string servers_table(const Json& servers, std::size_t width) {
    Table table({{"SERVER", Align::left, true},
                 {"STATE"},
                 {"SEEN", Align::right},
                 {"BY", Align::left, true},
                 {"PLAN", Align::right},
                 {"CONDITION"},
                 {"SERVICES", Align::right},
                 {"AGENT"}});
    for (const auto& server : servers) {
        const auto services = list_of(server, "services");
        std::size_t up = 0;
        for (const auto& each : services) up += text_of(each, "state") == "running" ? 1U : 0U;
        const auto seq = json_or<std::uint64_t>(server, "plan_seq", 0);
        const bool known = server.contains("age_s") && server.at("age_s").is_number();
        table.add({text_of(server, "server"), text_of(server, "state"), age_of(server, "age_s"),
                   text_of(server, "witness"), seq == 0 ? "" : std::to_string(seq),
                   known && seq > 0 ? server_condition(server) : "",
                   fmt::format("{}/{}", up, services.size()), text_of(server, "agent_version")});
    }
    return table.text(width);
}

/// What services say of themselves, in full: a line for each thing said, with every server that
/// says it.
std::string details_text(const Json& servers, std::size_t width) {
    std::vector<std::pair<std::string, std::string>> lines;  // what, who
    for (const auto& server : servers) {
        auto name = text_of(server, "hostname");
        if (name.empty()) name = text_of(server, "server");
        for (const auto& each : list_of(server, "services")) {
            auto detail = text_of(each, "detail");
            const auto drift = joined(list_of(each, "drift"));
            if (!drift.empty()) detail += (detail.empty() ? "drift: " : "; drift: ") + drift;
            if (detail.empty()) continue;
            auto artifact = text_of(each, "artifact");
            if (artifact.empty()) artifact = text_of(each, "name");
            const auto what = artifact + " " + text_of(each, "state") + ": " + detail;
            const auto at = std::find_if(lines.begin(), lines.end(),
                                         [&](const auto& line) { return line.first == what; });
            if (at == lines.end()) lines.emplace_back(what, name);
            else at->second += ", " + name;
        }
    }
    std::string text;
    for (const auto& [what, who] : lines) {
        for (const auto& line : wrapped(printable(who + ": " + what), width)) text += line + "\n";
    }
    return text.empty() ? "" : "\n" + text;
}

/// Columns that would say nothing on every line are left out: a narrow terminal has no room.
std::string services_table(const Json& servers, std::size_t width, std::int64_t now_unix_s) {
    bool restarted = false;
    for (const auto& server : servers) {
        for (const auto& each : list_of(server, "services")) {
            restarted = restarted || json_or<std::uint64_t>(each, "restarts", 0) > 0;
        }
    }
    std::vector<Column> columns{{"SERVER", Align::left, true},
                                {"SERVICE", Align::left, true},
                                {"VERSION", Align::left, true},
                                {"STATE"},
                                {"HEALTH"},
                                {"FOR", Align::right}};
    if (restarted) columns.push_back({"RESTARTS", Align::right});
    Table table(std::move(columns));
    for (const auto& server : servers) {
        for (const auto& each : list_of(server, "services")) {
            const auto state = text_of(each, "state");
            const auto age = seconds_since(text_of(each, "since"), now_unix_s);
            // The last health check says nothing of what does not run.
            std::vector<std::string> row{text_of(server, "server"),
                                         text_of(each, "artifact"),
                                         text_of(each, "version"),
                                         state,
                                         state == "running" ? text_of(each, "health") : "",
                                         age < 0 ? "" : format_duration(age)};
            if (restarted) {
                row.push_back(std::to_string(json_or<std::uint64_t>(each, "restarts", 0)));
            }
            table.add(std::move(row));
        }
    }
    return table.empty() ? "" : "\n" + table.text(width) + details_text(servers, width);
}

/// "3 of 3", "1 of 3, 47%": who has all of it, of those that have any; and how far the last is.
std::string held_text(const Json& artifact) {
    const auto progress = json_or<Json>(artifact, "progress", Json::object());
    const auto holders = list_of(artifact, "holders").size();
    double least = 1;
    for (const auto& each : progress)
        least = std::min(least, each.is_number() ? each.get<double>() : 0.0);
    auto text = fmt::format("{} of {}", holders, std::max(progress.size(), holders));
    if (holders < progress.size()) text += fmt::format(", {}%", static_cast<int>(least * 100));
    return text;
}

std::string artifacts_table(const Json& artifacts, std::size_t width) {
    Table table({{"ARTIFACT", Align::left, true},
                 {"VERSION", Align::left, true},
                 {"SIZE", Align::right},
                 {"WAN", Align::right},
                 {"LAN", Align::right},
                 {"HELD BY"},
                 {"FETCHER", Align::left, true}});
    for (const auto& each : artifacts) {
        table.add({text_of(each, "artifact"), text_of(each, "version"),
                   format_bytes(json_or<std::uint64_t>(each, "size_bytes", 0)),
                   format_bytes(json_or<std::uint64_t>(each, "wan_bytes", 0)),
                   format_bytes(json_or<std::uint64_t>(each, "lan_bytes", 0)), held_text(each),
                   text_of(each, "fetcher")});
    }
    return table.empty() ? "" : "\n" + table.text(width);
}

/// Who leaves an artifact to others while nobody fetches it: a line for each reason.
std::vector<std::string> passing_lines(const Json& artifact) {
    std::vector<std::pair<std::string, std::string>> lines;  // why, who
    const auto fetcher = artifact.contains("fetcher") && artifact.at("fetcher").is_string();
    const auto passing = json_or<Json>(artifact, "passing", Json::object());
    for (const auto& [server, pass] : passing.items()) {
        auto why = text_of(pass, "reason");
        if (const auto until = text_of(pass, "until"); !until.empty()) why += " until " + until;
        const auto at = std::find_if(lines.begin(), lines.end(),
                                     [&](const auto& line) { return line.first == why; });
        if (at == lines.end()) lines.emplace_back(why, server);
        else at->second += ", " + server;
    }
    std::vector<std::string> out;
    for (const auto& [why, who] : lines) {
        out.push_back(fmt::format("{}@{} is not fetched by {}: {}", text_of(artifact, "artifact"),
                                  text_of(artifact, "version"), who, why));
    }
    return fetcher ? std::vector<std::string>() : out;
}

/// Refusals, notices and download errors, wrapped.
std::string remarks(const Json& status, std::size_t width) {
    std::string lines;
    const auto add = [&](const std::string& text) {
        for (const auto& line : wrapped(printable(text), width)) lines += line + "\n";
    };
    for (const auto& server : list_of(status, "servers")) {
        const auto name = text_of(server, "server");
        for (const auto& each : list_of(server, "refusals")) {
            const auto seq = json_or<std::uint64_t>(each, "seq", 0);
            add(fmt::format("{} refused {}{} at {}: {}", name, text_of(each, "document"),
                            seq == 0 ? "" : " " + std::to_string(seq), text_of(each, "at"),
                            text_of(each, "message")));
        }
        for (const auto& each : list_of(server, "notices")) {
            if (each.is_string()) add(name + ": " + each.get<std::string>());
        }
    }
    for (const auto& artifact : list_of(status, "artifacts")) {
        for (const auto& line : passing_lines(artifact)) add(line);
        for (const auto& each : list_of(artifact, "errors")) {
            if (each.is_string())
                add(text_of(artifact, "artifact") + ": " + each.get<std::string>());
        }
    }
    return lines.empty() ? "" : "\n" + lines;
}

}  // namespace

std::string status_text(const Json& status, std::size_t width_max, std::int64_t now_unix_s) {
    const auto servers = list_of(status, "servers");
    return heading(status) + summary(status) + "\n" + servers_table(servers, width_max) +
           services_table(servers, width_max, now_unix_s) +
           artifacts_table(list_of(status, "artifacts"), width_max) + remarks(status, width_max);
}

std::size_t change_count(const Json& answer) {
    std::size_t count = 0;
    for (const auto& each : list_of(answer, "changes")) {
        count += text_of(each, "action") == "none" ? 0U : 1U;
    }
    return count;
}

std::string changes_text(const Json& answer, std::size_t width_max) {
    Table table({{"SERVER", Align::left, true},
                 {"SERVICE", Align::left, true},
                 {"ACTION"},
                 {"FROM", Align::left, true},
                 {"TO", Align::left, true},
                 {"REASON", Align::left, true}});
    for (const auto& each : list_of(answer, "changes")) {
        if (text_of(each, "action") == "none") continue;
        table.add({text_of(each, "server"), text_of(each, "service"), text_of(each, "action"),
                   text_of(each, "from"), text_of(each, "to"), text_of(each, "reason")});
    }
    return table.empty() ? "" : table.text(width_max);
}

std::string download_text(const Json& answer) {
    std::string missing;
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    for (const auto& each : list_of(answer, "artifacts")) {
        if (json_or(each, "held", false)) continue;
        ++count;
        bytes += json_or<std::uint64_t>(each, "size_bytes", 0);
        missing += (missing.empty() ? "" : ", ") + text_of(each, "artifact") + "@" +
                   text_of(each, "version");
    }
    if (count == 0) return "";
    const auto expected = json_or(answer, "wan_bytes_expected", bytes);
    const auto of = expected < bytes ? " of " + format_bytes(bytes) : std::string();
    return printable(fmt::format("to fetch over the WAN: {}{} for {} ({})", format_bytes(expected),
                                 of, count_of(count, "artifact"), missing));
}

std::string deployment_text(const Json& deployment, std::size_t width_max) {
    auto out = printable("deployment " + text_of(deployment, "id")) + "\n" +
               printable(fmt::format("site {}  plan {}  {}", text_of(deployment, "site"),
                                     json_or<std::uint64_t>(deployment, "seq", 0),
                                     text_of(deployment, "state"))) +
               "\n";
    Table table({{"SERVER", Align::left, true},
                 {"PLAN", Align::right},
                 {"CONDITION"},
                 {"SERVICES", Align::left, true}});
    for (const auto& server : list_of(deployment, "servers")) {
        // Those that run are counted; the others are why somebody looks here.
        std::string services;
        std::size_t running = 0;
        for (const auto& each : list_of(server, "services")) {
            if (text_of(each, "state") == "running") {
                ++running;
                continue;
            }
            auto name = text_of(each, "artifact");
            if (name.empty()) name = text_of(each, "name");
            services += ", " + name + "@" + text_of(each, "version") + " " + text_of(each, "state");
        }
        services = fmt::format("{} running", running) + services;
        auto name = text_of(server, "hostname");
        if (name.empty()) name = text_of(server, "server");
        const auto seq = json_or<std::uint64_t>(server, "plan_seq", 0);
        table.add({name, seq == 0 ? "" : std::to_string(seq), server_condition(server), services});
    }
    const auto details = details_text(list_of(deployment, "servers"), width_max);
    return out + (table.empty() ? "" : "\n" + table.text(width_max)) + details;
}

}  // namespace clarity::cli
