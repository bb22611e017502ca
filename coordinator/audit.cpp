#include "coordinator/audit.hpp"

#include "coordinator/clock.hpp"
#include "protocol/log/log.hpp"

namespace clarity::coordinator {

Result<std::unique_ptr<Audit>> Audit::open(Store& store) {
    CLARITY_TRY(auto chain, HashChain::open(store.kv(), "audit/"));
    return std::unique_ptr<Audit>(new Audit(std::move(chain)));
}

void Audit::write(std::int64_t now_unix_s, const AuditEntry& entry) {
    Json text{{"actor", entry.actor}, {"action", entry.action}, {"target", entry.target}};
    if (!entry.detail.empty()) text["detail"] = entry.detail;
    if (!entry.correlation_id.empty()) text["correlation_id"] = entry.correlation_id;
    if (!entry.remote.empty()) text["remote"] = entry.remote;
    const auto written = chain_->append(now_unix_s * 1000, to_text(text));
    if (!written) log::error("audit: {}", written.error().message);
}

Result<Json> Audit::tail(std::size_t count) const {
    CLARITY_TRY(const auto entries, chain_->tail(count));
    Json out = Json::array();
    for (const auto& entry : entries) {
        auto text = parse_json(entry.text);
        Json row{{"n", entry.index}, {"at", utc_text(entry.time_unix_ms / 1000)}};
        if (text && text->is_object()) row.update(*text);
        row["digest"] = entry.digest.hex();
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace clarity::coordinator
