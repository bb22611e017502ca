#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.hpp"

/// YAML as people write it: trees that remember file and line, and a typed reader over them that
/// collects every problem instead of stopping at the first. Pure; any thread.
namespace clarity::yaml {

enum class Severity { error, warning };

/// One thing wrong with one line of one file.
struct Problem {
    std::string file;
    int line = 0;  ///< from 1; 0 = the file as a whole
    Severity severity = Severity::error;
    std::string message;

    /// "clients/acme/servers.yml:14: message"; warnings say "warning: " after the place.
    [[nodiscard]] std::string text() const;
    bool operator==(const Problem&) const = default;
};

/// All problems of one run, each once, at most `problems_max`.
class Problems {
  public:
    static constexpr std::size_t problems_max = 1000;

    void error(std::string_view file, int line, std::string message);
    void warning(std::string_view file, int line, std::string message);
    [[nodiscard]] bool has_errors() const { return errors_ > 0; }
    /// By file, then line.
    [[nodiscard]] std::vector<Problem> sorted() const;

  private:
    void add(Problem problem);
    std::vector<Problem> all_;
    std::size_t errors_ = 0;
};

/// Caps on hostile input; `nodes_max` counts nodes after aliases are unfolded.
struct Limits {
    std::size_t size_max_bytes = 1U << 20;
    std::size_t depth_max = 32;
    std::size_t nodes_max = 100'000;
};

struct Entry;

/// A node of the tree. Aliases are unfolded copies.
struct Value {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    int line = 0;
    std::string scalar;
    bool quoted = false;  ///< a quoted or block scalar: text whatever it looks like
    bool block = false;   ///< a block scalar (| or >): its text starts on the next line
    std::vector<Value> items;
    std::vector<Entry> entries;  ///< in the order written, keys unique

    [[nodiscard]] const Value* find(std::string_view key) const;
    [[nodiscard]] bool is_map() const { return kind == Kind::map; }
    [[nodiscard]] bool is_list() const { return kind == Kind::list; }
};

struct Entry {
    std::string key;
    int line = 0;
    Value value;
};

/// The one document in `text`, or nothing when it is broken or over a limit, which is then in
/// `problems`. An empty text is a null value.
[[nodiscard]] std::optional<Value> parse(std::string_view file, std::string_view text,
                                         Problems& problems, const Limits& limits = {});

/// "smsgatway" → "smsgateway": the nearest of `known`, if it is near enough to be meant.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name,
                                                 const std::vector<std::string>& known);

/// `: did you mean "x"?`, or nothing.
[[nodiscard]] std::string hint(std::string_view name, const std::vector<std::string>& known);

enum class Need { optional, required };

/// Reads a map's keys by name and type. Wrong types and missing keys become problems and give the
/// fallback, so that a reader reads on. finish() warns of every key nobody asked for.
///
///     yaml::Map map(file, tree, problems, "agent.yml");
///     settings.state_dir = map.text("state_dir", Need::optional, settings.state_dir);
///     map.child("mesh", [&](yaml::Map& mesh) { settings.listen = mesh.text("listen"); });
///     map.finish();
class Map {
  public:
    /// `value` must outlive this. Anything but a map is a problem (null reads as an empty map).
    /// `what` names it in messages: "server \"edge-1\"".
    Map(std::string_view file, const Value& value, Problems& problems, std::string_view what);

    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] int line() const { return value_->line; }
    /// Of the key, or of the map where the key is absent.
    [[nodiscard]] int line_of(std::string_view key) const;
    [[nodiscard]] const std::string& file() const { return file_; }
    [[nodiscard]] Problems& problems() { return *problems_; }
    void error(int line, std::string message) { problems_->error(file_, line, std::move(message)); }
    void warning(int line, std::string message) {
        problems_->warning(file_, line, std::move(message));
    }

    /// Any scalar as text.
    std::string text(std::string_view key, Need need = Need::optional, std::string fallback = {});
    std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max,
                         std::int64_t fallback = 0, Need need = Need::optional);
    double number(std::string_view key, double min, double max, double fallback = 0);
    bool boolean(std::string_view key, bool fallback);
    /// One of `names`; returns the name or `fallback`.
    std::string choice(std::string_view key, const std::vector<std::string>& names,
                       std::string fallback = {}, Need need = Need::optional);
    std::vector<std::string> texts(std::string_view key);
    /// The value behind a key, null when absent; counts as asked for.
    const Value* take(std::string_view key);

    /// Calls `read(Map&)` for the map behind `key`, then finishes it.
    template <class Read>
    void child(std::string_view key, Read&& read) {
        if (const Value* value = take_map(key)) {
            Map map(file_, *value, *problems_, key);
            read(map);
            map.finish();
        }
    }
    /// Calls `read(Map&)` for each map of the list behind `key`, finishing each.
    template <class Read>
    void each(std::string_view key, Read&& read) {
        for (const Value* value : take_list(key)) {
            if (!value->is_map()) {
                error(value->line, fmt::format("\"{}\" wants a list of maps", key));
                continue;
            }
            Map map(file_, *value, *problems_, fmt::format("an entry of \"{}\"", key));
            read(map);
            map.finish();
        }
    }
    /// The scalars of the map behind `key`: their keys and values.
    std::vector<Entry> entries(std::string_view key);

    /// Warns of unknown keys, each with the nearest known one. Once, last.
    void finish();

  private:
    const Value* take_scalar(std::string_view key, Need need);
    const Value* take_map(std::string_view key);
    std::vector<const Value*> take_list(std::string_view key);

    std::string file_;
    const Value* value_;
    Problems* problems_;
    std::string what_;
    std::vector<std::string> asked_;
};

/// A settings file in one go: `read` takes its keys from the map. Gives the warnings (unknown keys,
/// each with the nearest known name); the error has a line per problem. `what` names the file's
/// kind in messages ("agent.yml").
[[nodiscard]] Result<std::vector<std::string>> read_settings(std::string_view file,
                                                             std::string_view text,
                                                             std::string_view what,
                                                             const std::function<void(Map&)>& read);

/// A scalar's reading as a whole number or a truth value; nothing when it is neither.
[[nodiscard]] std::optional<std::int64_t> to_integer(const Value& value);
[[nodiscard]] std::optional<bool> to_boolean(const Value& value);

}  // namespace clarity::yaml
