#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/api.hpp"
#include "cli/config_store.hpp"
#include "cli/terminal.hpp"
#include "protocol/json.hpp"
#include "protocol/root.hpp"

namespace clarity::cli {

enum class Format { table, json, yaml };

/// What every command may be told.
struct GlobalOptions {
    Format format = Format::table;
    bool yes = false;
    bool no_input = false;
    std::optional<std::int64_t> timeout_s;
    std::string passphrase_file;
};

/// One run of the program: how to ask, answer and reach the coordinator. Main thread only.
class Session {
  public:
    Session(Terminal& terminal, GlobalOptions options, ConfigStore store)
        : terminal_(terminal), options_(std::move(options)), store_(std::move(store)) {}

    [[nodiscard]] Terminal& terminal() { return terminal_; }
    [[nodiscard]] const GlobalOptions& options() const { return options_; }
    [[nodiscard]] const ConfigStore& store() const { return store_; }

    /// The coordinator that this person logged in to.
    [[nodiscard]] Result<Api> api() const;
    /// --timeout, or the command's own.
    [[nodiscard]] std::int64_t timeout_ms(std::int64_t fallback_s) const;

    /// Data on standard output: JSON or YAML as asked, else what `table` makes of it.
    void emit(const Json& json, const std::function<std::string()>& table);
    /// A line on standard error.
    template <class... Args>
    void note(fmt::format_string<Args...> format, Args&&... args) {
        terminal_.note(fmt::format(format, std::forward<Args>(args)...));
    }

    /// Ok when --yes or the answer is yes; cancelled when it is no; invalid when nobody can be
    /// asked.
    [[nodiscard]] Result<void> confirm(const std::string& question);
    /// A value that must not be seen, from the terminal; `instead` says how else to give it.
    [[nodiscard]] Result<std::string> ask_secret(const std::string& question,
                                                 std::string_view instead);
    /// The passphrase of an encrypted key: CLARITY_PASSPHRASE, --passphrase-file, the terminal.
    [[nodiscard]] Result<std::string> passphrase(const std::string& what);
    /// The passphrase for a new key; empty = none is wanted or nobody can be asked.
    [[nodiscard]] Result<std::string> new_passphrase(const std::string& what);
    /// Reads a key file, asking for its passphrase where it has one.
    [[nodiscard]] Result<SigningKey> open_key(const std::string& path, const std::string& what);

    /// The newest root, every version since the stored one (without one: since the first) verified
    /// as its predecessor's successor; stored when newer.
    /// Errors: not_found while the coordinator has none, bad_signature when it does not follow.
    [[nodiscard]] Result<Root> root();
    /// Envelopes of the versions `from` to `to` of the coordinator's roots, not verified.
    [[nodiscard]] Result<std::vector<Envelope>> root_chain(std::uint64_t from,
                                                           std::uint64_t to) const;
    /// The last verified root on this machine, without asking anybody.
    [[nodiscard]] Result<Root> stored_root() const;

    /// The site named, or the only one there is.
    [[nodiscard]] Result<std::string> site_or_only(const std::string& named);
    /// Fetches, verifies and stores the roster of a site. For later, when only nodes answer.
    [[nodiscard]] Result<Roster> refresh_roster(const std::string& site);

  private:
    [[nodiscard]] bool may_ask() const { return !options_.no_input && Terminal::can_ask(); }
    [[nodiscard]] Result<std::optional<std::string>> given_passphrase() const;

    Terminal& terminal_;
    GlobalOptions options_;
    ConfigStore store_;
    std::optional<std::string> passphrase_;  ///< asked once, tried for every key
};

/// The "envelope" of an answer, decoded.
[[nodiscard]] Result<Envelope> envelope_from(const Json& answer);

/// "client/datacenter" for a path: both parts percent-encoded.
[[nodiscard]] Result<std::string> site_path(std::string_view site);

/// "/api/v1/sites" as names, whatever else each entry says.
[[nodiscard]] std::vector<std::string> site_names(const Json& sites);

}  // namespace clarity::cli
