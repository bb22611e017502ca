#include "protocol/wire/wire.hpp"

#include <csignal>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <variant>

#include "protocol/wire/descriptors.hpp"
#include "protocol/wire/network.hpp"
#include "protocol/wire/pulse.hpp"

namespace clarity::wire {

/// The queue that joins the callers' threads to the network thread.
struct Wire::Impl {
    struct ToPeer {
        std::string peer;
        Bytes frame;
    };
    struct Reply {
        Handle to;
        Bytes frame;
    };
    using Command = std::function<void(Network&)>;
    using Task = std::variant<ToPeer, Reply, Command>;

    explicit Impl(Settings given)
        : settings(std::move(given)),
          inbox(std::make_shared<Inbox>(settings.post, settings.limits)),
          wake_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    ~Impl() {
        if (wake_fd >= 0) close(wake_fd);
    }

    Settings settings;
    Counters counters;
    Complaints complaints;
    std::shared_ptr<Inbox> inbox;
    int wake_fd;
    std::atomic<bool> beat = false;
    std::mutex mutex;
    std::deque<Task> queue;
    std::size_t queued_bytes = 0;
    bool stopping = false;
    std::thread thread;

    /// False when the queue is full; commands always go in.
    bool push(std::size_t bytes, Task task) {
        bool first = false;
        {
            const std::lock_guard lock(mutex);
            const bool full =
                queue.size() >= settings.limits.outgoing_frames ||
                (queued_bytes != 0 && queued_bytes + bytes > settings.limits.outgoing_bytes);
            if (stopping || (bytes != 0 && full)) {
                ++counters.dropped_full;
                return false;
            }
            queued_bytes += bytes;
            first = queue.empty();
            queue.push_back(std::move(task));
        }
        if (first) wake();  // else it is awake, or about to be
        return true;
    }
    void wake() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = write(wake_fd, &one, sizeof one);
    }
    /// Runs what waits; false when it is time to stop.
    bool run_tasks(Network& network) {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto got = read(wake_fd, &drained, sizeof drained);
        std::deque<Task> taken;
        bool stop = false;
        {
            const std::lock_guard lock(mutex);
            taken.swap(queue);
            queued_bytes = 0;
            stop = stopping;
        }
        for (auto& task : taken) {
            if (auto* frame = std::get_if<ToPeer>(&task)) {
                network.send(frame->peer, std::move(frame->frame));
            } else if (auto* reply = std::get_if<Reply>(&task)) {
                network.reply(reply->to, std::move(reply->frame));
            } else {
                std::get<Command>(task)(network);
            }
        }
        return !stop;
    }
    void run(Network& network) {
        const Pulse pulse(wake_fd, beat);
        for (bool more = true; more;) {
            try {
                if (network.turn(beat, pulse.works())) more = run_tasks(network);
            } catch (const zmq::error_t&) {
                ++counters.dropped_malformed;  // of one socket, which libzmq mends itself
            }
        }
    }
};

Wire::Wire(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Wire>> Wire::start(Settings settings) {
    CLARITY_TRY(settings.limits.connections, room_for(settings.limits.connections));
    auto impl = std::make_unique<Impl>(std::move(settings));
    if (impl->wake_fd < 0) return fail(Errc::io, "eventfd: no descriptors left");
    std::promise<Result<void>> started;
    auto ready = started.get_future();
    impl->thread = std::thread([impl = impl.get(), started = std::move(started)]() mutable {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's
        std::unique_ptr<Network> network;
        try {
            network = std::make_unique<Network>(impl->settings, impl->inbox, impl->counters,
                                                impl->complaints, impl->wake_fd);
            started.set_value({});
        } catch (const zmq::error_t& error) {
            started.set_value(fail(Errc::network, "ZeroMQ cannot start: {}", error.what()));
            return;
        }
        impl->run(*network);
    });
    auto outcome = ready.get();
    if (!outcome) {
        impl->thread.join();
        return tl::unexpected<Error>(std::move(outcome).error());
    }
    return std::unique_ptr<Wire>(new Wire(std::move(impl)));
}

Wire::~Wire() {
    impl_->inbox->close();
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->wake();
    if (impl_->thread.joinable()) impl_->thread.join();
}

namespace {

/// libzmq takes the low 16 bits of whatever stands behind the last colon.
Result<void> check_port(const ListenSettings& settings) {
    const std::string_view endpoint = settings.endpoint;
    if (!endpoint.starts_with("tcp://")) return {};
    const auto colon = endpoint.rfind(':');
    const auto digits = endpoint.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), port);
    const bool any = digits == "*";
    if (any || (error == std::errc() && end == digits.end() && colon > 5)) return {};
    return fail(Errc::invalid, "{}: \"{}\" is not ADDRESS:PORT, such as 127.0.0.1:8472",
                settings.setting, endpoint.substr(6));
}

}  // namespace

Result<Listener> Wire::listen(ListenSettings settings) {
    CLARITY_CHECK(check_port(settings));
    auto promise = std::make_shared<std::promise<Result<Listener>>>();
    auto answer = promise->get_future();
    Impl::Command bind = [promise, settings = std::move(settings)](Network& network) mutable {
        promise->set_value(network.listen(std::move(settings)));
    };
    if (!impl_->push(0, std::move(bind))) return fail(Errc::cancelled, "the wire is stopping");
    return answer.get();
}

void Wire::set_authorised(std::uint32_t listener, std::map<CurveKey, std::string> users) {
    impl_->push(0, [listener, users = std::move(users)](Network& network) mutable {
        network.set_authorised(listener, std::move(users));
    });
}

void Wire::connect(ConnectSettings settings) {
    impl_->push(0, [settings = std::move(settings)](Network& network) mutable {
        network.connect(std::move(settings));
    });
}

void Wire::set_keepalive(const std::string& peer, int keepalive_s) {
    impl_->push(
        0, [peer, keepalive_s](Network& network) { network.set_keepalive(peer, keepalive_s); });
}

void Wire::disconnect(const std::string& peer) {
    impl_->push(0, [peer](Network& network) { network.disconnect(peer); });
}

bool Wire::send(const std::string& peer, Bytes frame) {
    const auto size = frame.size() + 1;
    return impl_->push(size, Impl::ToPeer{peer, std::move(frame)});
}

bool Wire::reply(const Handle& to, Bytes frame) {
    const auto size = frame.size() + 1;
    return impl_->push(size, Impl::Reply{to, std::move(frame)});
}

void Wire::cut(const Handle& handle) {
    impl_->push(0, [handle](Network& network) { network.cut(handle); });
}

const Counters& Wire::counters() const {
    return impl_->counters;
}

std::map<std::string, Offences> Wire::offences() const {
    return impl_->complaints.offences();
}

}  // namespace clarity::wire
