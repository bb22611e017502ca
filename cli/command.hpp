#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/view/outcome.hpp"
#include "protocol/error.hpp"

namespace clarity::cli {

class Session;

/// What a command takes. Commands are data: program.cpp turns this into a parser and help.
struct Argument {
    enum class Kind {
        positional,  ///< NAME
        option,      ///< --name VALUE
        flag,        ///< --name
    };
    enum class Check { text, number, duration };

    Kind kind = Kind::option;
    std::string_view name;   ///< "token" for --token; "FILE" for a positional
    std::string_view value;  ///< what an option takes, for the help: "T"
    std::string_view help;
    bool required = false;
    bool repeated = false;
    Check check = Check::text;
    std::string_view letter = {};  ///< "e": -e as well
};

/// The parsed arguments of one command, checked as its Arguments say.
class Arguments {
  public:
    explicit Arguments(std::map<std::string, std::vector<std::string>> values)
        : values_(std::move(values)) {}

    /// Whether it was given at all.
    [[nodiscard]] bool has(std::string_view name) const;
    /// Its value, or "" where it was not given.
    [[nodiscard]] std::string text(std::string_view name) const;
    [[nodiscard]] std::string text_or(std::string_view name, std::string_view fallback) const;
    [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
    [[nodiscard]] std::uint64_t number_or(std::string_view name, std::uint64_t fallback) const;
    [[nodiscard]] std::int64_t seconds_or(std::string_view name, std::int64_t fallback) const;

  private:
    std::map<std::string, std::vector<std::string>> values_;
};

/// One command of the program.
struct Command {
    std::string_view path;     ///< "artifact add": group and verb, or one word
    std::string_view summary;  ///< one line, for the list
    std::vector<Argument> arguments;
    Result<ExitCode> (*run)(Session&, const Arguments&);
    std::string_view details = {};  ///< paragraphs below the options: examples, what is written
    bool homeless = false;  ///< works without a configuration folder (no HOME: a unit, cron)
};

/// Short forms for the tables in the commands' files.
[[nodiscard]] Argument positional(std::string_view name, std::string_view help,
                                  bool required = true);
[[nodiscard]] Argument option(std::string_view name, std::string_view value, std::string_view help,
                              Argument::Check check = Argument::Check::text);
[[nodiscard]] Argument list_option(std::string_view name, std::string_view value,
                                   std::string_view help);
[[nodiscard]] Argument flag(std::string_view name, std::string_view help);
/// -e, --environment ENV: what plan, publish and others share.
[[nodiscard]] Argument environment_option();

/// Every command, in the order of the help.
[[nodiscard]] const std::vector<Command>& commands();

}  // namespace clarity::cli
