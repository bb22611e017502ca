#include "cli/commands.hpp"
#include "cli/documents.hpp"
#include "cli/node_query.hpp"
#include "cli/session.hpp"
#include "cli/view/table.hpp"

namespace clarity::cli {
namespace {

constexpr std::string_view default_socket = "/run/orchestrix/query.sock";
constexpr std::int64_t default_timeout_s = 30;
constexpr std::int64_t busy_wait_ms = 250;

/// Asks again while the agent answers that it has too many questions.
Result<Delivery> deliver(const std::string& socket, const DocumentFile& file,
                         std::int64_t deadline_ms) {
    while (true) {
        const auto left = std::max<std::int64_t>(1, deadline_ms - monotonic_ms());
        CLARITY_TRY(auto answer, deliver_to_socket(socket, file.path, static_cast<int>(left)));
        if (answer.outcome != Delivery::Outcome::busy) return answer;
        if (monotonic_ms() + busy_wait_ms >= deadline_ms) {
            return fail(Errc::timeout, "the agent is busy: {}", answer.line);
        }
        if (!Terminal::wait(busy_wait_ms)) return fail(Errc::cancelled, "stopped");
    }
}

std::string_view name_of(Delivery::Outcome outcome) {
    switch (outcome) {
        case Delivery::Outcome::accepted: return "accepted";
        case Delivery::Outcome::held: return "held already";
        case Delivery::Outcome::refused:
        case Delivery::Outcome::busy: break;
    }
    return "refused";
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto files, read_documents(arguments.list("FILE")));
    const auto socket = arguments.text_or("socket", default_socket);
    const auto deadline = monotonic_ms() + session.timeout_ms(default_timeout_s);
    Json rows = Json::array();
    bool refused = false;
    for (const auto& file : files) {
        auto answer = deliver(socket, file, deadline);
        if (!answer) return fail_within(file.path, std::move(answer));
        const bool no = answer->outcome == Delivery::Outcome::refused;
        refused = refused || no;
        if (no) session.note("{}: refused: {}", file.path, answer->line);
        rows.push_back(Json{{"file", file.path},
                            {"kind", file.kind},
                            {"outcome", name_of(answer->outcome)},
                            {"reason", no ? answer->line : ""}});
    }
    session.emit(rows, [&] {
        Table table({{"DOCUMENT"}, {"OUTCOME"}, {"FILE", Align::left, true}});
        for (const auto& row : rows) {
            table.add({json_or<std::string>(row, "kind", ""),
                       json_or<std::string>(row, "outcome", ""),
                       json_or<std::string>(row, "file", "")});
        }
        return table.text(session.terminal().out_width());
    });
    return refused ? ExitCode::refused : ExitCode::done;
}

}  // namespace

Command deliver_command() {
    auto file = positional("FILE", "a signed document, or a folder of them; repeated");
    file.repeated = true;
    return {.path = "deliver",
            .summary = "hand signed documents to the agent on this machine",
            .arguments = {file, option("socket", "PATH", "default: /run/orchestrix/query.sock")},
            .run = run,
            .details =
                "For a site that the coordinator does not reach: bring what clarity deployments\n"
                "export wrote, on whatever carries it, to one server; the others get it from\n"
                "there. The agent checks each document as if a peer had sent it: 6 where it\n"
                "refuses one. The agent reads the files itself, so it must be allowed to.",
            .homeless = true};
}

}  // namespace clarity::cli
