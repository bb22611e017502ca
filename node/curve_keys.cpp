#include "node/curve_keys.hpp"

#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::string_view curve_keys_key = "agent/curve_keys";
constexpr std::size_t key_bytes = sizeof(PublicKey::data);
constexpr std::size_t row_bytes = key_bytes + sizeof(CurveKey::data);

}  // namespace

CurveKeys::CurveKeys(KeyValueStore& store) : store_(&store) {
    const auto stored = store_->get(curve_keys_key);
    if (!stored) log::warning("keys of the members: {}", stored.error().message);
    if (!stored || !*stored || (*stored)->size() % row_bytes != 0) return;
    for (std::string_view rest = **stored; !rest.empty(); rest.remove_prefix(row_bytes)) {
        const auto key = PublicKey::from(rest.substr(0, key_bytes));
        const auto curve = CurveKey::from(rest.substr(key_bytes, row_bytes - key_bytes));
        if (key && curve) known_[*key].curve = *curve;
    }
}

Result<CurveKey> CurveKeys::of(const PublicKey& key) {
    auto at = known_.find(key);
    if (at == known_.end()) {
        CLARITY_TRY(const auto curve, curve_public(key));
        at = known_.emplace(key, Known{curve, true}).first;
        changed_ = true;
    }
    at->second.used = true;
    return at->second.curve;
}

void CurveKeys::store() {
    const auto gone = std::erase_if(known_, [](const auto& each) { return !each.second.used; });
    const bool write = changed_ || gone != 0;
    Bytes rows;
    for (auto& [key, known] : known_) {
        known.used = false;
        if (write) rows.append(key.view()).append(known.curve.view());
    }
    changed_ = false;
    if (!write) return;
    // Lost with the power, it is made again.
    if (const auto done = store_->put(curve_keys_key, rows); !done) {
        log::warning("keys of the members not stored: {}", done.error().message);
    }
}

}  // namespace clarity
