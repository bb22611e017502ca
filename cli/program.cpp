#include "cli/program.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <list>
#include <memory>

#include "cli/command.hpp"
#include "cli/session.hpp"
#include "cli/view/units.hpp"

namespace clarity::cli {
namespace {

/// Where CLI11 puts one argument's values.
struct Slot {
    std::string name;
    std::string text;
    std::vector<std::string> list;
    bool given = false;
    CLI::Option* option = nullptr;
    bool repeated = false;
};

struct Bound {
    const Command* command = nullptr;
    CLI::App* app = nullptr;
    std::list<Slot> slots;
};

constexpr std::string_view groups[][2] = {
    {"artifact", "publish and look up artifact versions"},
    {"deployments", "what was published, and how it went"},
    {"root", "the root of trust: whose signatures count"},
    {"secret", "values that configurations refer to as ${SECRET:NAME}"},
    {"token", "join tokens for new servers"},
    {"wan", "what a site pulls over its WAN, and whether it may"},
};

std::string check_value(Argument::Check check, const std::string& value) {
    if (check == Argument::Check::duration) {
        const auto seconds = parse_duration(value);
        return seconds ? "" : seconds.error().message;
    }
    if (check == Argument::Check::number) {
        const bool digits = !value.empty() && value.size() <= 18 &&
                            value.find_first_not_of("0123456789") == std::string::npos;
        return digits ? "" : "\"" + value + "\" is not a whole number";
    }
    return "";
}

void bind_argument(Bound& bound, const Argument& argument) {
    auto& slot = bound.slots.emplace_back();
    slot.name = argument.name;
    slot.repeated = argument.repeated;
    const std::string help(argument.help);
    std::string name(argument.name);
    if (argument.kind != Argument::Kind::positional) name = "--" + name;
    if (!argument.letter.empty()) name = "-" + std::string(argument.letter) + "," + name;
    if (argument.kind == Argument::Kind::flag) {
        slot.option = bound.app->add_flag(name, slot.given, help);
        return;
    }
    if (argument.repeated) {
        const bool many = argument.kind == Argument::Kind::positional;
        slot.option = bound.app->add_option(name, slot.list, help)->allow_extra_args(many);
    } else {
        slot.option = bound.app->add_option(name, slot.text, help);
    }
    if (!argument.value.empty()) slot.option->option_text(std::string(argument.value));
    if (argument.kind == Argument::Kind::positional) slot.option->option_text(" ");
    if (argument.required) slot.option->required();
    const auto check = argument.check;
    if (check != Argument::Check::text) {
        slot.option->check([check](const std::string& value) { return check_value(check, value); });
    }
}

Arguments values_of(const Bound& bound) {
    std::map<std::string, std::vector<std::string>> values;
    for (const auto& slot : bound.slots) {
        if (slot.option->count() == 0) continue;
        values[slot.name] = slot.repeated ? slot.list : std::vector<std::string>{slot.text};
    }
    return Arguments(std::move(values));
}

/// The parser of the whole program. Lives as long as its slots are read.
class Parser {
  public:
    Parser();
    void parse(int argc, const char* const* argv) { app_.parse(argc, argv); }
    [[nodiscard]] CLI::App& app() { return app_; }
    [[nodiscard]] const Bound* chosen() const;
    [[nodiscard]] GlobalOptions options() const;

  private:
    void add(const Command& command);
    [[nodiscard]] CLI::App* group(const std::string& name);

    CLI::App app_{"Clarity: deploys what is signed to sites that run on their own.", "clarity"};
    std::list<Bound> bound_;
    std::map<std::string, CLI::App*> groups_;
    GlobalOptions options_;
    std::string format_ = "table";
    std::string timeout_;
};

Parser::Parser() {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.set_version_flag("--version", "clarity " CLARITY_VERSION);
    app_.get_formatter()->column_width(34);
    app_.add_option("-o,--output", format_, "table, json or yaml")
        ->option_text("FORMAT")
        ->check(CLI::IsMember({"table", "json", "yaml"}));
    app_.add_flag("-y,--yes", options_.yes, "answer yes to every question");
    app_.add_flag("--no-input", options_.no_input, "never ask; fail where something is missing");
    app_.add_option("--timeout", timeout_, "give up after so long, such as 90s, 10m, 2h")
        ->option_text("DURATION")
        ->check([](const std::string& v) { return check_value(Argument::Check::duration, v); });
    app_.add_option("--passphrase-file", options_.passphrase_file,
                    "file with the passphrase of this person's keys (or CLARITY_PASSPHRASE)")
        ->option_text("FILE");
    app_.footer(
        "Exit codes: 0 done, 1 error, 2 usage, 3 changes pending, 4 deployment failed or rolled\n"
        "back, 5 partial or unreachable, 6 signature or policy refused, 7 timed out.");
    for (const auto& command : commands()) add(command);
}

CLI::App* Parser::group(const std::string& name) {
    auto& app = groups_[name];
    if (app != nullptr) return app;
    std::string help;
    for (const auto& each : groups) {
        if (each[0] == name) help = each[1];
    }
    app = app_.add_subcommand(name, help);
    app->require_subcommand(1);
    return app;
}

void Parser::add(const Command& command) {
    auto& bound = bound_.emplace_back();
    bound.command = &command;
    const auto space = command.path.find(' ');
    CLI::App* parent = &app_;
    std::string name(command.path);
    if (space != std::string_view::npos) {
        parent = group(std::string(command.path.substr(0, space)));
        name = command.path.substr(space + 1);
    }
    bound.app = parent->add_subcommand(name, std::string(command.summary));
    if (parent == &app_) groups_[name] = bound.app;  // "agents" works without a verb, too
    if (!command.details.empty()) bound.app->footer(std::string(command.details));
    for (const auto& argument : command.arguments) bind_argument(bound, argument);
}

const Bound* Parser::chosen() const {
    for (const auto& bound : bound_) {
        if (bound.app->parsed() && bound.app->get_subcommands().empty()) return &bound;
    }
    return nullptr;
}

GlobalOptions Parser::options() const {
    auto options = options_;
    options.format = format_ == "json"   ? Format::json
                     : format_ == "yaml" ? Format::yaml
                                         : Format::table;
    if (!timeout_.empty()) {
        if (const auto seconds = parse_duration(timeout_)) options.timeout_s = *seconds;
    }
    return options;
}

int usage(Terminal& terminal, const std::string& message, const std::string& help) {
    terminal.note("clarity: " + message + " (see " + help + " --help)");
    return static_cast<int>(ExitCode::usage);
}

/// What was wrong, and the command that argv names so far ("clarity artifact").
int usage_of(Terminal& terminal, Parser& parser, const CLI::ParseError& error) {
    std::string name = "clarity";
    const CLI::App* app = &parser.app();
    while (!app->get_subcommands().empty()) {
        app = app->get_subcommands().front();
        name += " " + app->get_name();
    }
    const auto rest = parser.app().remaining(true);
    if (app->get_require_subcommand_min() > 0 && !rest.empty() && !rest.front().starts_with("-")) {
        return usage(terminal, "there is no command \"" + rest.front() + "\"", name);
    }
    return usage(terminal, error.what(), name);
}

int run_command(Terminal& terminal, const Parser& parser, const Bound& bound) {
    auto store = ConfigStore::find();
    if (!store && bound.command->homeless) store = ConfigStore("");
    if (!store) {
        terminal.note("clarity: " + store.error().message);
        return static_cast<int>(ExitCode::error);
    }
    Session session(terminal, parser.options(), *std::move(store));
    terminal.catch_interrupts();
    const auto result = bound.command->run(session, values_of(bound));
    if (result) return static_cast<int>(*result);
    terminal.note("clarity: " + result.error().message);
    const bool stopped = result.error().code == Errc::cancelled && Terminal::interrupted();
    return static_cast<int>(stopped ? ExitCode::interrupted : exit_of(result.error().code));
}

}  // namespace

int run_program(int argc, const char* const* argv) {
    init_crypto();
    Terminal terminal;
    Parser parser;
    if (argc < 2) {
        std::cerr << parser.app().help();
        return static_cast<int>(ExitCode::usage);
    }
    try {
        parser.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
        return parser.app().exit(asked, std::cout, std::cerr);
    } catch (const CLI::ParseError& error) {
        return usage_of(terminal, parser, error);
    }
    const auto* bound = parser.chosen();
    if (bound == nullptr) return usage(terminal, "no command given", "clarity");
    return run_command(terminal, parser, *bound);
}

}  // namespace clarity::cli
