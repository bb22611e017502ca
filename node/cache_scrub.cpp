#include "node/cache_scrub.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <ctime>

#include "protocol/log/log.hpp"

namespace clarity {
namespace {

constexpr std::string_view next_key = "agent/scrub_next";
constexpr std::int64_t day_s = 86400;
constexpr std::int64_t idle_s = 3600;  ///< nothing to read: looks again

std::int64_t now_unix_s() {
    return std::time(nullptr);
}

/// This thread reads only when nobody else does, where the disk's scheduler knows of such.
void lower_priority() {
    constexpr int this_thread = 1;       // IOPRIO_WHO_PROCESS; the C library has no name for it
    constexpr int idle_class = 3 << 13;  // IOPRIO_CLASS_IDLE
    (void)::syscall(SYS_ioprio_set, this_thread, 0, idle_class);
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
}

std::string line_for(const Verified& found) {
    if (found.aside.dropped) {
        return fmt::format("{}@{} is damaged on this server's disk: all of it is to come again",
                           found.artifact, found.version);
    }
    return fmt::format(
        "{}@{} is damaged on this server's disk: {} of {} pieces are being fetched again",
        found.artifact, found.version, found.aside.bad_pieces, found.aside.pieces);
}

}  // namespace

std::int64_t scrub_pause_s(std::uint64_t size_bytes, std::uint64_t total_bytes,
                           std::uint32_t percent) {
    if (total_bytes == 0 || percent == 0) return idle_s;
    const auto share = static_cast<double>(total_bytes) * percent / 100;
    const auto pause = static_cast<double>(size_bytes) / share * static_cast<double>(day_s);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(pause), 1, 10 * day_s);
}

CacheScrub::CacheScrub(boost::asio::io_context& loop, ArtifactCache& cache, KeyValueStore& store,
                       CacheScrubSettings settings, CacheScrubHooks hooks)
    : loop_(loop),
      cache_(cache),
      store_(store),
      settings_(settings),
      hooks_(std::move(hooks)),
      timer_(loop) {}

void CacheScrub::start() {
    if (settings_.percent_a_day == 0) return;
    const auto stored = store_.get(next_key);
    if (stored && *stored) next_unix_s_ = std::strtoll((*stored)->c_str(), nullptr, 10);
    const auto now = now_unix_s();
    // A host that was off for weeks does not make up for them; a clock that jumped does not stop
    // it.
    next_unix_s_ = std::clamp(next_unix_s_, now + settings_.first_after_s, now + 10 * day_s);
    schedule();
}

void CacheScrub::end() {
    ended_ = true;
    timer_.cancel();
    stop_.request_stop();
    worker_.reset();
}

void CacheScrub::schedule() {
    const auto wait_s = std::max<std::int64_t>(1, next_unix_s_ - now_unix_s());
    timer_.expires_after(std::chrono::seconds(std::min(wait_s, idle_s)));
    timer_.async_wait([self = weak_from_this()](const auto& error) {
        const auto me = self.lock();
        if (error || !me || me->ended_) return;
        if (now_unix_s() < me->next_unix_s_) me->schedule();
        else me->step();
    });
}

void CacheScrub::step() {
    const auto next = cache_.next_to_verify();
    const auto wait_for = [this](std::int64_t seconds) {
        next_unix_s_ = now_unix_s() + seconds;
        (void)store_.put(next_key, std::to_string(next_unix_s_));  // lost: one is read too early
        schedule();
    };
    if (!next) return wait_for(idle_s);
    look(*next, settings_.rate_bytes_s, [this, wait_for](const Verified& found) {
        wait_for(scrub_pause_s(found.size_bytes, cache_.size_bytes(), settings_.percent_a_day));
    });
}

/// `then` is called on the loop, after everything that follows from the verdict was done.
void CacheScrub::look(const Digest& sha256, std::uint64_t rate_bytes_s,
                      std::function<void(Verified)> then) {
    if (ended_) return;
    Verified found;
    found.sha256 = sha256;
    if (const auto known = cache_.describe(sha256)) {
        found.artifact = known->artifact;
        found.version = known->version;
        found.size_bytes = known->size_bytes;
    }
    worker_->post([this, self = weak_from_this(), found, rate_bytes_s, stop = stop_.get_token(),
                   manifest = hooks_.manifest(sha256), then = std::move(then)]() mutable {
        // `this` outlives its worker.
        lower_priority();
        const auto verdict = cache_.verify(found.sha256, now_unix_s(), rate_bytes_s, stop);
        if (verdict) found.verdict = *verdict;
        else found.error = verdict.error().message;
        if (verdict && *verdict == ArtifactCache::Verdict::damaged) {
            const auto aside = cache_.set_aside(found.sha256, manifest ? &*manifest : nullptr);
            if (aside) found.aside = *aside;
            else found.error = aside.error().message;
        }
        boost::asio::post(loop_, [self, found = std::move(found), manifest = std::move(manifest),
                                  then = std::move(then)]() mutable {
            const auto me = self.lock();
            if (!me || me->ended_) return;
            me->judged(found, manifest);
            then(std::move(found));
        });
    });
}

void CacheScrub::judged(const Verified& found, const std::optional<Manifest>& manifest) {
    using Verdict = ArtifactCache::Verdict;
    if (!found.error.empty()) log::warning("cache: verification: {}", found.error);
    if (found.verdict == Verdict::good) totals_.verified_bytes += found.size_bytes;
    if (found.verdict != Verdict::damaged) return;
    ++totals_.damaged;
    const auto line = line_for(found);
    log::error("cache: {}", line);
    if (manifest) {
        damaged_[found.sha256] = line;
        hooks_.repair(*manifest);
    } else {
        hooks_.dropped(found.sha256);
    }
    hooks_.changed();
}

void CacheScrub::completed(const Digest& sha256) {
    if (damaged_.erase(sha256) == 0) return;
    ++totals_.repaired;
    if (const auto known = cache_.describe(sha256)) {
        log::info("cache: {}@{} is whole again", known->artifact, known->version);
    }
    hooks_.changed();
}

void CacheScrub::verify(std::vector<Digest> artifacts, Done done) {
    verify_next(std::make_shared<std::deque<Digest>>(artifacts.begin(), artifacts.end()),
                std::make_shared<std::vector<Verified>>(), std::move(done));
}

void CacheScrub::verify_next(std::shared_ptr<std::deque<Digest>> left,
                             std::shared_ptr<std::vector<Verified>> found, Done done) {
    if (left->empty()) return done(std::move(*found));
    const auto next = left->front();
    left->pop_front();
    look(next, 0, [this, left, found, done = std::move(done)](Verified each) mutable {
        found->push_back(std::move(each));
        verify_next(std::move(left), std::move(found), std::move(done));
    });
}

std::vector<std::string> CacheScrub::notices() const {
    std::vector<std::string> out;
    for (const auto& [sha256, line] : damaged_) out.push_back(line);
    return out;
}

}  // namespace clarity
