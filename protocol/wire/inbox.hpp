#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "protocol/wire/wire.hpp"

namespace clarity::wire {

/// Hands frames to the owner's loop, no more than the limits allow to be pending: in all, in bytes,
/// and per user, so that one flooding peer starves nobody. Thread-safe; outlives the Wire in the
/// functions that were posted, which do nothing once it is closed.
class Inbox : public std::enable_shared_from_this<Inbox> {
  public:
    Inbox(Post post, Limits limits) : post_(std::move(post)), limits_(limits) {}

    /// False when a limit is reached: the frame is dropped.
    bool offer(const std::string& user, std::size_t bytes, std::function<void()> run) {
        {
            const std::lock_guard lock(mutex_);
            auto& of_user = per_user_[user];
            if (frames_ >= limits_.pending_frames || of_user >= limits_.pending_frames_per_user ||
                bytes_ + bytes > limits_.pending_bytes) {
                if (of_user == 0) per_user_.erase(user);
                return false;
            }
            ++frames_, ++of_user, bytes_ += bytes;
        }
        post_([self = shared_from_this(), user, bytes, run = std::move(run)] {
            self->done(user, bytes);
            if (!self->closed_) run();
        });
        return true;
    }
    /// For events, which are few: past the limits.
    void event(std::function<void()> run) {
        if (closed_) return;
        post_([self = shared_from_this(), run = std::move(run)] {
            if (!self->closed_) run();
        });
    }
    void close() { closed_ = true; }

  private:
    Post post_;
    Limits limits_;
    std::mutex mutex_;
    std::atomic<bool> closed_ = false;
    std::size_t frames_ = 0;
    std::size_t bytes_ = 0;
    std::map<std::string, std::size_t> per_user_;

    void done(const std::string& user, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        --frames_, bytes_ -= bytes;
        const auto at = per_user_.find(user);
        if (at != per_user_.end() && --at->second == 0) per_user_.erase(at);
    }
};

}  // namespace clarity::wire
