#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>

#include "protocol/wire/wire.hpp"

namespace clarity::wire {

/// Where frames come from: whose share of the queue they take, and what is done with them.
struct Origin {
    std::string user;
    std::function<void(Bytes frame)> deliver;
};

/// Hands frames to the owner's loop, no more than the limits allow to be pending: in all, in bytes,
/// and per user, so that one flooding peer starves nobody. Frames that wait together are handed
/// over together, in order. Thread-safe; outlives the Wire in the functions that were posted, which
/// do nothing once it is closed.
class Inbox : public std::enable_shared_from_this<Inbox> {
  public:
    Inbox(Post post, Limits limits) : post_(std::move(post)), limits_(limits) {}

    /// False when a limit is reached: the frame is dropped.
    bool offer(const std::shared_ptr<const Origin>& from, Bytes frame);
    /// For events, which are few: past the limits, in order with the frames.
    void event(std::function<void()> run);
    void close() { closed_ = true; }

  private:
    struct Item {
        std::shared_ptr<const Origin> from;  ///< none = an event
        Bytes frame;
        std::function<void()> event;
    };
    struct Share {
        std::size_t frames = 0;
        std::size_t bytes = 0;
    };
    Post post_;
    Limits limits_;
    std::atomic<bool> closed_ = false;
    std::mutex mutex_;
    std::deque<Item> items_;
    bool posted_ = false;
    std::size_t bytes_ = 0;
    std::map<std::string, Share> shares_;

    void post_run();
    void run();
    bool take(Item& out);
};

}  // namespace clarity::wire
