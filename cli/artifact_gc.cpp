#include "cli/cache_orders.hpp"
#include "cli/commands.hpp"
#include "cli/view/table.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

std::string limit_text(const Json& result) {
    const auto limit = json_or<std::uint64_t>(result, "limit_bytes", 0);
    return limit == 0 ? "none" : format_bytes(limit);
}

std::string dropped_text(const Json& result) {
    std::string out;
    for (const auto& each : json_or<Json>(result, "dropped", Json::array())) {
        out += (out.empty() ? "" : ", ") + json_or<std::string>(each, "artifact", "") + "@" +
               json_or<std::string>(each, "version", "");
    }
    return out;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(auto request, cache_request(session, arguments, "gc"));
    const bool dry_run = arguments.has("dry-run");
    request.body["dry_run"] = dry_run;
    CLARITY_TRY(const auto answers, order_caches(session, request));
    session.emit(answers_json(request, answers), [&] {
        Table table({{"SERVER", Align::left, true},
                     {"CACHE", Align::right},
                     {"LIMIT", Align::right},
                     {"PINNED", Align::right},
                     {dry_run ? "WOULD FREE" : "FREED", Align::right},
                     {dry_run ? "WOULD GO" : "GONE", Align::left, true}});
        for (const auto& each : answers) {
            if (each.outcome != ServerAnswer::Outcome::done) continue;
            const auto bytes = [&](const char* key) {
                return format_bytes(json_or<std::uint64_t>(each.result, key, 0));
            };
            table.add({each.server, bytes("size_bytes"), limit_text(each.result),
                       bytes("pinned_bytes"), bytes("freed_bytes"), dropped_text(each.result)});
        }
        return table.text(session.terminal().out_width());
    });
    return report_answers(session, answers);
}

}  // namespace

Command artifact_gc_command() {
    return {
        .path = "artifact gc",
        .summary = "bring the caches of a site below their limit now",
        .arguments = {site_argument(), servers_option(), flag("dry-run", "only say what would go")},
        .run = run,
        .details =
            "Agents do this by themselves before a download and once a minute. Least recently\n"
            "used first; never what is pinned, nor one of the last copies that the site needs.\n"
            "Below the limit's high mark nothing goes, nor where a server has no limit\n"
            "(cache.size_max_bytes in its agent.yml).\n"
            "  clarity artifact gc acme/dc-1 --dry-run\n"
            "Exit codes: 0 done, 1 a server could not, 5 out of reach, 7 no answer in time."};
}

}  // namespace clarity::cli
