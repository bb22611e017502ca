#include "protocol/wire/inbox.hpp"

namespace clarity::wire {
namespace {

/// Handed over before the owner's loop gets its turn with everything else.
constexpr int batch = 64;

}  // namespace

bool Inbox::offer(const std::shared_ptr<const Origin>& from, Bytes frame) {
    {
        const std::lock_guard lock(mutex_);
        const auto size = frame.size();
        auto at = shares_.find(from->user);
        if (items_.size() >= limits_.pending_frames || bytes_ + size > limits_.pending_bytes) {
            return false;
        }
        if (at == shares_.end()) at = shares_.emplace(from->user, Share{}).first;
        auto& share = at->second;
        // A frame of any size gets in alone.
        if (share.frames >= limits_.pending_frames_per_user ||
            (share.frames != 0 && share.bytes + size > limits_.pending_bytes_per_user)) {
            return false;
        }
        ++share.frames, share.bytes += size, bytes_ += size;
        items_.push_back({from, std::move(frame), {}});
        if (posted_) return true;
        posted_ = true;
    }
    post_run();
    return true;
}

void Inbox::event(std::function<void()> run) {
    if (closed_) return;
    {
        const std::lock_guard lock(mutex_);
        items_.push_back({nullptr, {}, std::move(run)});
        if (posted_) return;
        posted_ = true;
    }
    post_run();
}

void Inbox::post_run() {
    post_([self = shared_from_this()] { self->run(); });
}

bool Inbox::take(Item& out) {
    const std::lock_guard lock(mutex_);
    if (items_.empty() || closed_) {
        posted_ = false;
        return false;
    }
    out = std::move(items_.front());
    items_.pop_front();
    if (out.from) {
        bytes_ -= out.frame.size();
        const auto at = shares_.find(out.from->user);
        at->second.bytes -= out.frame.size();
        if (--at->second.frames == 0) shares_.erase(at);
    }
    return true;
}

void Inbox::run() {
    Item next;
    for (int i = 0; i < batch; ++i) {
        if (!take(next)) return;
        if (next.from) next.from->deliver(std::move(next.frame));
        else next.event();
        next = {};
    }
    post_run();
}

}  // namespace clarity::wire
