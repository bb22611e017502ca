#pragma once

#include <map>
#include <optional>
#include <string>

#include "node/deploy/steps.hpp"
#include "protocol/manifest.hpp"
#include "protocol/plan.hpp"
#include "storage/kv.hpp"

namespace clarity {

/// One deployable version of a service, with its configuration still sealed.
struct ServiceVersion {
    Service service;
    Digest sha256;
    std::string key;  ///< instance_key()
};

/// What the journal keeps of one service: enough to go on, or back, after a kill.
struct JournalEntry {
    std::string name;
    Step step = Step::wait;
    std::optional<ServiceVersion> target;     ///< what the plan wants
    std::optional<ServiceVersion> good;       ///< ran well last: where a failure returns to
    std::optional<ServiceVersion> previous;   ///< the good one before it: for a site-wide return
    std::optional<ServiceVersion> installed;  ///< what was last set up on the host
    bool failed = false;                      ///< the target failed
    bool finished = false;                    ///< it ended as it should (a one-shot)
    std::string detail;
    std::int64_t since_unix_ms = 0;
    std::uint64_t plan_seq = 0;      ///< the plan it was last brought to
    std::uint64_t deployed_seq = 0;  ///< the plan in which it last changed
    std::string boot_id;             ///< of the host when it was last started

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<JournalEntry> decode(std::string_view bytes);
};

/// Names what makes a service a different thing to run: version, artifact bytes, configuration
/// fingerprint and every setting that its process sees. Order, autostart and watch are not in it.
[[nodiscard]] std::string instance_key(const Service& service, const Digest& sha256);

inline constexpr const char* journal_prefix = "deploy/service/";

/// Journal of all services; put() and erase() are synced: on a worker. Thread-safe as the store.
class Journal {
  public:
    explicit Journal(KeyValueStore& store) : store_(store) {}
    [[nodiscard]] Result<void> put(const JournalEntry& entry);
    [[nodiscard]] Result<void> erase(const std::string& name);
    /// Entries that cannot be read are left out and named in `problems`.
    [[nodiscard]] std::map<std::string, JournalEntry> load(std::vector<std::string>& problems);

  private:
    KeyValueStore& store_;
};

}  // namespace clarity
