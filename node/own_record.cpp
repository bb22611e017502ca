#include "node/own_record.hpp"

namespace clarity {
namespace {

/// Room for the signature and the envelope's own fields.
constexpr std::size_t payload_max_bytes = record_max_bytes - 512;

void shorten(std::string& text, std::size_t max_bytes) {
    if (text.size() > max_bytes) text.resize(max_bytes);
}

/// Cuts what is for people first, then whole entries, until the record fits its limit.
void fit(Record& record) {
    for (auto& service : record.services) {
        shorten(service.detail, 400);
        if (service.drift.size() > 8) service.drift.resize(8);
        for (auto& each : service.drift) shorten(each, 200);
    }
    for (auto& holding : record.holdings) shorten(holding.error, 400);
    for (auto& refusal : record.refusals) shorten(refusal.message, 300);
    if (record.encode().size() <= payload_max_bytes) return;
    record.refusals.clear();
    record.notices = {"this server's record was cut to its size limit"};
    for (auto& service : record.services) {
        shorten(service.detail, 80);
        service.drift.clear();
    }
    // Artifacts that are here and quiet say the least.
    while (record.encode().size() > payload_max_bytes && !record.holdings.empty()) {
        record.holdings.pop_back();
    }
    while (record.encode().size() > payload_max_bytes && !record.services.empty()) {
        record.services.pop_back();
    }
}

}  // namespace

std::optional<Bytes> OwnRecord::sign(Record facts, RecordVersion version,
                                     std::int64_t now_unix_ms) {
    facts.site = identity_->site;
    facts.server_id = identity_->server_id;
    facts.agent_version = CLARITY_VERSION;
    facts.started_unix_ms = started_unix_ms_;
    facts.updated_unix_ms = 0;
    facts.version = {};
    fit(facts);
    Bytes encoded = facts.encode();
    if (encoded == last_) return std::nullopt;
    last_ = std::move(encoded);
    facts.version = version;
    facts.updated_unix_ms = now_unix_ms;
    auto envelope = Envelope::make(payload_type::record, facts.encode());
    envelope.sign(identity_->key);
    return envelope.encode();
}

}  // namespace clarity
