#include "node/cache_orders.hpp"

#include "protocol/json.hpp"
#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::size_t listed_max = 200;  ///< of an answer: it has to fit into a frame

Json artifact_json(const CachedArtifact& each) {
    return Json{{"artifact", each.artifact},
                {"version", each.version},
                {"sha256", each.sha256.hex()},
                {"size_bytes", each.size_bytes},
                {"held_bytes", each.held_bytes}};
}

}  // namespace

void CacheOrders::act(const Command& command, Done done) {
    const auto order = CacheOrder::decode(command.argument);
    if (!order) return done(tl::unexpected<Error>(order.error()));
    if (command.action == cache_order::gc) return collect(*order, std::move(done));
    if (command.action == cache_order::verify) return verify(*order, std::move(done));
    if (order->sha256.is_zero()) return done(fail(Errc::invalid, "the order names no artifact"));
    if (command.action == cache_order::prefetch) return prefetch(*order, done);
    set_pin(*order, command.action == cache_order::pin, done);
}

void CacheOrders::set_pin(const CacheOrder& order, bool pinned, const Done& done) {
    const std::string owner(operator_pin);
    const auto stored =
        pinned ? cache_.pin(order.sha256, owner) : cache_.unpin(order.sha256, owner);
    if (!stored) return done(tl::unexpected<Error>(stored.error()));
    const auto ended = pinned ? Result<void>() : hooks_.end_prefetch(order.sha256);
    if (!ended) return done(tl::unexpected<Error>(ended.error()));
    hooks_.changed();
    const auto held = cache_.describe(order.sha256);
    const auto pins = cache_.pinned();
    const auto at = pins.find(order.sha256);
    done(to_text(Json{{"artifact", order.artifact},
                      {"version", order.version},
                      {"sha256", order.sha256.hex()},
                      {"held", held && held->complete},
                      {"pins", at == pins.end() ? std::set<std::string>{} : at->second}}));
}

void CacheOrders::prefetch(const CacheOrder& order, const Done& done) {
    const auto begun = hooks_.prefetch(order);
    if (!begun) return done(tl::unexpected<Error>(begun.error()));
    const auto held = cache_.describe(order.sha256);
    done(to_text(Json{{"artifact", order.artifact},
                      {"version", order.version},
                      {"sha256", order.sha256.hex()},
                      {"held", held && held->complete}}));
}

void CacheOrders::collect(const CacheOrder& order, Done done) {
    keeper_.collect(order.dry_run, [dry_run = order.dry_run, totals = keeper_.totals(),
                                    done = std::move(done)](const Result<Collection>& result) {
        if (!result) return done(tl::unexpected<Error>(result.error()));
        Json dropped = Json::array();
        for (const auto& each : result->dropped) {
            if (dropped.size() < listed_max) dropped.push_back(artifact_json(each));
        }
        done(to_text(Json{{"dry_run", dry_run},
                          {"size_bytes", result->size_bytes},
                          {"limit_bytes", totals.limit_bytes},
                          {"pinned_bytes", totals.pinned_bytes},
                          {"freed_bytes", result->freed_bytes()},
                          {"dropped_count", result->dropped.size()},
                          {"dropped", std::move(dropped)}}));
    });
}

/// Answers when all of it has been read.
void CacheOrders::verify(const CacheOrder& order, Done done) {
    std::vector<Digest> which;
    if (!order.sha256.is_zero()) which.push_back(order.sha256);
    for (const auto& each : cache_.whole()) {
        if (order.sha256.is_zero()) which.push_back(each.sha256);
    }
    scrub_.verify(std::move(which), [done = std::move(done)](const std::vector<Verified>& found) {
        using Verdict = ArtifactCache::Verdict;
        Json damaged = Json::array();
        Json errors = Json::array();
        std::uint64_t bytes = 0;
        std::size_t verified = 0;
        for (const auto& each : found) {
            if (!each.error.empty() && errors.size() < listed_max) errors.push_back(each.error);
            if (each.verdict == Verdict::absent || !each.error.empty()) continue;
            ++verified;
            bytes += each.size_bytes;
            if (each.verdict != Verdict::damaged || damaged.size() == listed_max) continue;
            damaged.push_back(Json{{"artifact", each.artifact},
                                   {"version", each.version},
                                   {"sha256", each.sha256.hex()},
                                   {"pieces", each.aside.pieces},
                                   {"bad_pieces", each.aside.bad_pieces},
                                   {"dropped", each.aside.dropped}});
        }
        done(to_text(Json{{"verified", verified},
                          {"verified_bytes", bytes},
                          {"damaged", std::move(damaged)},
                          {"errors", std::move(errors)}}));
    });
}

}  // namespace clarity
