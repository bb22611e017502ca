#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace clarity::sim {

/// Future events by millisecond: a ring of buckets for the near future and a map for the rest.
/// Push and pop cost O(1); events of one millisecond come out in the order in which they went in,
/// so that a run depends on nothing but its seed.
/// Source: R. Brown, "Calendar queues", CACM 31(10), 1988.
template <class Event>
class CalendarQueue {
  public:
    explicit CalendarQueue(std::int64_t now_ms) : now_ms_(now_ms), ring_(horizon_ms) {}

    /// An event in the past is due now.
    void push(std::int64_t at_ms, Event event) {
        if (at_ms < now_ms_) at_ms = now_ms_;
        ++size_;
        if (at_ms - now_ms_ < horizon_ms) bucket(at_ms).push_back(std::move(event));
        else far_[at_ms].push_back(std::move(event));
    }

    /// The next event due up to `end_ms`, and when; false (and time stands at `end_ms`) if none.
    bool pop(std::int64_t end_ms, std::int64_t& at_ms, Event& out) {
        while (now_ms_ <= end_ms) {
            if (next_ == 0) fetch_far();
            auto& events = bucket(now_ms_);
            if (next_ < events.size()) {
                out = std::move(events[next_++]);
                at_ms = now_ms_;
                --size_;
                return true;
            }
            if (now_ms_ == end_ms) return false;
            if (events.capacity() > keep_events) std::vector<Event>().swap(events);
            else events.clear();
            next_ = 0;
            ++now_ms_;
        }
        return false;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    static constexpr std::int64_t horizon_ms = 8192;
    static constexpr std::size_t keep_events = 256;  ///< a larger bucket gives its memory back

    std::int64_t now_ms_;
    std::size_t next_ = 0;  // in the bucket of now_ms_
    std::size_t size_ = 0;
    std::vector<std::vector<Event>> ring_;
    std::map<std::int64_t, std::vector<Event>> far_;

    std::vector<Event>& bucket(std::int64_t at_ms) {
        return ring_[static_cast<std::size_t>(at_ms % horizon_ms)];
    }

    /// What was pushed long before its time goes ahead of what was pushed later.
    void fetch_far() {
        const auto found = far_.begin();
        if (found == far_.end() || found->first > now_ms_) return;
        auto& events = bucket(now_ms_);
        for (auto& event : events) found->second.push_back(std::move(event));
        events = std::move(found->second);
        far_.erase(found);
    }
};

}  // namespace clarity::sim
