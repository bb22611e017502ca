#include "node/prefetches.hpp"

#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::string_view prefix = "agent/prefetch/";

std::string key_of(const Digest& sha256) {
    return std::string(prefix) + sha256.hex();
}

}  // namespace

Result<Prefetches> Prefetches::load(KeyValueStore& store) {
    Prefetches out(store);
    CLARITY_CHECK(store.scan(prefix, [&](std::string_view, std::string_view value) {
        auto order = CacheOrder::decode(value);
        if (order) out.orders_[order->sha256] = *std::move(order);
        else log::warning("a prefetch is forgotten: {}", order.error().message);
        return true;
    }));
    return out;
}

Result<void> Prefetches::add(const CacheOrder& order) {
    if (order.sha256.is_zero() || order.manifest.is_zero()) {
        return fail(Errc::invalid, "the order names no artifact");
    }
    if (!orders_.contains(order.sha256) && orders_.size() >= held_max) {
        return fail(Errc::unavailable, "{} prefetches are held here already; unpin some",
                    orders_.size());
    }
    CLARITY_CHECK(store_->put(key_of(order.sha256), order.encode(), Sync::yes));
    orders_[order.sha256] = order;
    return {};
}

Result<void> Prefetches::remove(const Digest& sha256) {
    if (orders_.erase(sha256) == 0) return {};
    return store_->erase(key_of(sha256), Sync::yes);
}

std::vector<Digest> Prefetches::expired(std::int64_t now_unix_s) const {
    std::vector<Digest> out;
    for (const auto& [sha256, order] : orders_) {
        if (order.until_unix_s != 0 && order.until_unix_s <= now_unix_s) out.push_back(sha256);
    }
    return out;
}

std::set<Digest> Prefetches::manifests() const {
    std::set<Digest> out;
    for (const auto& [sha256, order] : orders_) out.insert(order.manifest);
    return out;
}

}  // namespace clarity
