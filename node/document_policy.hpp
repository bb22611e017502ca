#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "node/trust_store.hpp"
#include "protocol/record.hpp"

namespace clarity {

/// Name and version of a document that somebody offers (mesh or coordinator).
struct DocumentName {
    std::string kind;
    std::uint64_t version = 0;
    Digest digest;
    std::uint64_t size_bytes = 0;  ///< as offered
};

/// What changed because of a document.
enum class DocumentEffect { none, root, roster, plan, manifest, beacon };

/// Decides which offered documents to pull and what to do with those that come, whoever brings
/// them: coordinator, peer or an operator's file. Keeps the refusals that status shows.
/// Owner: the agent, on its loop. Reads no clock.
class DocumentPolicy {
  public:
    explicit DocumentPolicy(TrustStore& trust) : trust_(&trust) {}

    /// Is this worth pulling now? A newer root is wanted in order, one after the other; a plan of
    /// our own `seq` with other bytes is wanted as evidence. What was refused is not wanted again
    /// until a new root may judge it otherwise; what failed here (disk full) or by the clock is
    /// wanted again a while later. A command is wanted once, when its size is one.
    [[nodiscard]] bool wants(const DocumentName& name, std::int64_t now_unix_ms) const;

    /// Checks and stores. Errors are as TrustStore's; a refusal (not `exists`) is remembered.
    [[nodiscard]] Result<DocumentEffect> take(std::string_view kind, std::string_view bytes,
                                              std::int64_t now_unix_ms);

    /// For commands, which the agent judges itself: not wanted again, logged and shown.
    void refuse(std::string_view kind, const Envelope& envelope, const Error& error,
                std::int64_t now_unix_ms);
    /// A command that was carried out or passed on: not wanted again.
    void settle(const Digest& digest);

    /// Newest last; at most refusals_max.
    [[nodiscard]] const std::deque<Refusal>& refusals() const { return refusals_; }

    static constexpr std::size_t refusals_max = 8;
    static constexpr std::int64_t retry_after_ms = 30'000;

  private:
    [[nodiscard]] Result<DocumentEffect> accept(std::string_view kind, const Envelope& envelope,
                                                std::int64_t now_unix_ms);
    void put_off(const Digest& digest, std::int64_t until_unix_ms);

    void note_accepted(std::string_view kind, const Digest& digest);
    [[nodiscard]] bool may_log(std::int64_t now_unix_ms);

    TrustStore* trust_;
    std::deque<Refusal> refusals_;
    std::map<Digest, std::int64_t> not_wanted_until_;  ///< unix ms
    std::int64_t log_window_ms_ = 0;
    std::size_t logged_ = 0;
};

}  // namespace clarity
