#pragma once

#include <memory>
#include <string>

#include "coordinator/store.hpp"
#include "storage/hash_chain.hpp"

namespace clarity::coordinator {

/// Who did what, from where. Never holds a secret: values are named, not written.
struct AuditEntry {
    std::string actor;   ///< "admin", or "server ID" for an enrolment
    std::string action;  ///< "deployment.create", "token.create", …
    std::string target;  ///< site, server, artifact@version, client/secret name
    std::string detail;
    std::string correlation_id;
    std::string remote;  ///< address it came from
};

/// The hash-chained audit log. Loop thread only.
class Audit {
  public:
    [[nodiscard]] static Result<std::unique_ptr<Audit>> open(Store& store);

    /// A failure to write is logged as an error: an action done must not seem to have failed.
    void write(std::int64_t now_unix_s, const AuditEntry& entry);
    /// The newest `count` entries as JSON, oldest first.
    [[nodiscard]] Result<Json> tail(std::size_t count) const;

  private:
    explicit Audit(std::unique_ptr<HashChain> chain) : chain_(std::move(chain)) {}
    std::unique_ptr<HashChain> chain_;
};

}  // namespace clarity::coordinator
