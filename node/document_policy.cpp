#include "node/document_policy.hpp"

#include <algorithm>
#include <limits>

#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::size_t not_wanted_max = 1024;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t command_max_bytes = 96U << 10;  ///< its envelope with signatures
constexpr std::int64_t log_window_ms = 60'000;
constexpr std::size_t logged_max = 20;  ///< a window

/// Says nothing about the document itself: this host could not, or not now.
bool is_passing(Errc code) {
    return code == Errc::io || code == Errc::no_space || code == Errc::timeout;
}

/// The kind that an envelope claims to be, or nothing we know.
std::string_view kind_of(std::string_view type) {
    if (type == payload_type::root) return "root";
    if (type == payload_type::roster) return "roster";
    if (type == payload_type::plan) return "plan";
    if (type == payload_type::manifest) return "manifest";
    if (type == payload_type::beacon) return "beacon";
    return "document of unknown type";
}

}  // namespace

bool DocumentPolicy::wants(const DocumentName& name, std::int64_t now_unix_ms) const {
    if (trust_->find(name.digest)) return false;
    const auto until = not_wanted_until_.find(name.digest);
    if (until != not_wanted_until_.end() && now_unix_ms < until->second) return false;
    if (name.kind == "command") return name.size_bytes <= command_max_bytes;
    if (name.kind == "root") return name.version == trust_->root().version + 1;
    if (name.kind == "roster") return name.version >= trust_->roster().epoch;
    if (name.kind == "plan") return name.version >= trust_->plan_seq();
    if (name.kind == "beacon") {
        const auto* beacon = trust_->beacon();
        return beacon == nullptr || name.version > static_cast<std::uint64_t>(beacon->at_unix_ms);
    }
    if (name.kind == "manifest") {
        const auto missing = trust_->missing_manifests();
        return std::find(missing.begin(), missing.end(), name.digest) != missing.end();
    }
    return false;
}

Result<DocumentEffect> DocumentPolicy::take(std::string_view kind, std::string_view bytes,
                                            std::int64_t now_unix_ms) {
    CLARITY_TRY(const auto envelope, Envelope::decode(bytes));
    const std::string_view actual = kind_of(envelope.type);
    Result<DocumentEffect> result =
        kind.empty() || kind == actual
            ? accept(actual, envelope, now_unix_ms)
            : fail(Errc::bad_signature, "offered as {}, but it is a {}", kind, actual);
    if (result) {
        note_accepted(actual, envelope.digest());
    } else if (result.error().code != Errc::exists) {
        refuse(actual, envelope, result.error(), now_unix_ms);
    }
    return result;
}

void DocumentPolicy::note_accepted(std::string_view kind, const Digest& digest) {
    std::erase_if(refusals_, [&](const auto& each) { return each.digest == digest.hex(); });
    if (kind == "root") not_wanted_until_.clear();  // other keys: other judgements
    else not_wanted_until_.erase(digest);
}

bool DocumentPolicy::may_log(std::int64_t now_unix_ms) {
    if (now_unix_ms - log_window_ms_ >= log_window_ms || now_unix_ms < log_window_ms_) {
        log_window_ms_ = now_unix_ms;
        logged_ = 0;
    }
    return logged_++ < logged_max;
}

Result<DocumentEffect> DocumentPolicy::accept(std::string_view kind, const Envelope& envelope,
                                              std::int64_t now_unix_ms) {
    if (kind == "root") {
        CLARITY_CHECK(trust_->accept_root(envelope));
        return DocumentEffect::root;
    }
    if (kind == "roster") {
        CLARITY_CHECK(trust_->accept_roster(envelope));
        return DocumentEffect::roster;
    }
    if (kind == "plan") {
        CLARITY_CHECK(trust_->accept_plan(envelope, now_unix_ms / 1000));
        return DocumentEffect::plan;
    }
    if (kind == "manifest") {
        CLARITY_CHECK(trust_->accept_manifest(envelope));
        return DocumentEffect::manifest;
    }
    if (kind == "beacon") {
        CLARITY_CHECK(trust_->accept_beacon(envelope));
        return DocumentEffect::beacon;
    }
    return fail(Errc::bad_signature, "no role may sign \"{}\"", envelope.type.substr(0, 80));
}

void DocumentPolicy::put_off(const Digest& digest, std::int64_t until_unix_ms) {
    if (not_wanted_until_.size() >= not_wanted_max) not_wanted_until_.clear();
    not_wanted_until_[digest] = until_unix_ms;
}

void DocumentPolicy::settle(const Digest& digest) {
    put_off(digest, never);
}

void DocumentPolicy::refuse(std::string_view kind, const Envelope& envelope, const Error& error,
                            std::int64_t now_unix_ms) {
    const Digest digest = envelope.digest();
    put_off(digest, is_passing(error.code) ? now_unix_ms + retry_after_ms : never);
    const std::string hex = digest.hex();
    for (const auto& refusal : refusals_) {
        if (refusal.digest == hex) return;  // said once: no peer may flood log or record
    }
    Refusal refusal{std::string(kind), hex,        0, std::string(name_of(error.code)),
                    error.message,     now_unix_ms};
    if (kind == "plan") {
        // Unverified: shown as what the document claims, never acted on.
        if (const auto plan = Plan::decode(envelope.payload)) refusal.seq = plan->seq;
    }
    refusals_.push_back(std::move(refusal));
    if (refusals_.size() > refusals_max) refusals_.pop_front();
    if (!may_log(now_unix_ms)) return;
    log::warning("refused a {} ({}): {}", kind, hex.substr(0, 12), error.message);
}

}  // namespace clarity
