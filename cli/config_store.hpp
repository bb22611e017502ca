#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"

namespace clarity::cli {

/// What `clarity login` learnt: which coordinator, and what to believe.
struct Context {
    std::string url;              ///< "https://host:8470"
    std::string ca_pem;           ///< the coordinator's CA, pinned
    std::string token;            ///< bearer token; secret
    std::string coordinator_key;  ///< hex, for the first root
    Bytes root;  ///< the latest root envelope that was verified; empty until there is one
};

/// The folder where this person's contexts, keys and rosters live: CLARITY_CONFIG_DIR, or clarity
/// under XDG_CONFIG_HOME or ~/.config. Files are 0600, folders 0700. Main thread.
class ConfigStore {
  public:
    /// Fails when neither the variable nor a home folder is known.
    [[nodiscard]] static Result<ConfigStore> find();
    explicit ConfigStore(std::string folder) : folder_(std::move(folder)) {}

    [[nodiscard]] const std::string& folder() const { return folder_; }

    /// Errors: not_found when nobody has logged in yet.
    [[nodiscard]] Result<Context> context() const;
    [[nodiscard]] Result<void> save(const Context& context) const;

    [[nodiscard]] std::string key_path(std::string_view name) const;  ///< "publisher"
    [[nodiscard]] static bool exists(const std::string& path);
    /// Fails with denied when it needs a passphrase and this is not it.
    [[nodiscard]] static Result<SigningKey> read_key(const std::string& path,
                                                     std::string_view passphrase);
    /// Never overwrites: exists when there is a file already.
    [[nodiscard]] static Result<void> write_key(const std::string& path, const SigningKey& key,
                                                std::string_view passphrase);
    [[nodiscard]] static bool is_encrypted(const std::string& path);

    /// A site's roster, verified before by the caller.
    [[nodiscard]] Result<void> save_roster(std::string_view site, const Envelope& envelope) const;
    /// Every stored roster that `root` still vouches for.
    [[nodiscard]] std::vector<Roster> rosters(const Root& root) const;

  private:
    std::string folder_;
};

/// A small file of this person's, capped; permission errors come as io, not denied.
[[nodiscard]] Result<std::string> read_local(const std::string& path,
                                             std::size_t size_max = 16U << 20);
/// Standard input to its end, capped.
[[nodiscard]] Result<std::string> read_stdin(std::size_t size_max = 16U << 20);

}  // namespace clarity::cli
