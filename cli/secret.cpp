#include "cli/commands.hpp"

#include <set>

#include "cli/session.hpp"
#include "cli/view/table.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

constexpr std::size_t secret_max_bytes = 64U << 10;

/// The client named, or the only one of all sites.
Result<std::string> client_or_only(Session& session, const std::string& named) {
    if (!named.empty()) return named;
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto sites, api.get("/api/v1/sites"));
    std::set<std::string> clients;
    for (const auto& site : site_names(sites)) clients.insert(site.substr(0, site.find('/')));
    if (clients.size() == 1) return *clients.begin();
    return fail(Errc::invalid, "there are {} clients: say whose it is with --client CODE",
                clients.size());
}

/// One line end at the end is the editor's or echo's, not the secret's.
std::string without_last_line_end(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

Result<std::string> value_of(Session& session, const Arguments& arguments,
                             const std::string& name) {
    if (arguments.has("value")) return arguments.text("value");
    if (arguments.has("file")) {
        const auto path = arguments.text("file");
        auto text = path == "-" ? read_stdin(secret_max_bytes) : read_local(path, secret_max_bytes);
        if (!text) return text;
        return without_last_line_end(*std::move(text));
    }
    if (arguments.has("stdin")) {
        CLARITY_TRY(auto text, read_stdin(secret_max_bytes));
        return without_last_line_end(std::move(text));
    }
    return session.ask_secret("Value of " + name + ":", "give --file FILE or --stdin");
}

Result<ExitCode> run_set(Session& session, const Arguments& arguments) {
    const auto name = arguments.text("NAME");
    CLARITY_TRY(const auto client, client_or_only(session, arguments.text("client")));
    CLARITY_TRY(const auto value, value_of(session, arguments, name));
    if (value.empty()) return fail(Errc::invalid, "{}: an empty secret is not stored", name);
    CLARITY_TRY(const auto api, session.api());
    CLARITY_CHECK(api.put("/api/v1/secrets/" + url_encode(client) + "/" + url_encode(name),
                          Json{{"value", value}}));
    session.note("stored secret {} of {}; it reaches servers with the next publish", name, client);
    return ExitCode::done;
}

Result<ExitCode> run_list(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto client, client_or_only(session, arguments.text("client")));
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto answer, api.get("/api/v1/secrets?client=" + url_encode(client)));
    session.emit(answer, [&] {
        const Json& list =
            answer.is_object() && answer.contains("secrets") ? answer.at("secrets") : answer;
        Table table({{"NAME"}, {"CLIENT"}});
        for (const auto& each : list) {
            table.add({each.is_string() ? each.get<std::string>()
                                        : json_or<std::string>(each, "name", ""),
                       client});
        }
        return table.text(session.terminal().out_width());
    });
    return ExitCode::done;
}

}  // namespace

Command secret_set_command() {
    return {.path = "secret set",
            .summary = "store a value for ${SECRET:NAME}",
            .arguments = {positional("NAME", "as configurations refer to it"),
                          option("client", "CODE", "whose it is; default: the only client"),
                          option("file", "FILE", "read the value from a file (- = standard input)"),
                          flag("stdin", "read the value from standard input"),
                          option("value", "TEXT",
                                 "the value itself; other users of this machine "
                                 "can see it while the command runs")},
            .run = run_set,
            .details = "Without --file, --stdin or --value it asks on the terminal."};
}

Command secret_list_command() {
    return {.path = "secret list",
            .summary = "names of a client's secrets, never values",
            .arguments = {option("client", "CODE", "whose; default: the only client")},
            .run = run_list};
}

}  // namespace clarity::cli
