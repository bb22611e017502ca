#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/wire/common.hpp"
#include "protocol/wire/sockets.hpp"

namespace clarity::wire {

/// One listener: its socket, who may come in, and the connections that are there (sessions).
/// A connection is known by ZeroMQ's routing id, made by our own socket and never reused; one that
/// claims an id of its own is refused. Belongs to the network thread.
class Door {
  public:
    Door(Common& common, std::uint32_t id, ListenSettings settings);

    /// The endpoint with its real port, or why it cannot be bound.
    [[nodiscard]] Result<std::string> open();
    void set_authorised(std::map<CurveKey, std::string> users);
    /// The name of a key (in hex) that may come in, or none.
    [[nodiscard]] const std::string* user_of(const Bytes& key) const;

    void read(Clock::time_point now);
    void watch(Clock::time_point now);
    void reply(const Handle& to, Bytes frame, Clock::time_point now);
    void cut(const Handle& handle);

    [[nodiscard]] MonitoredSocket& socket() { return *socket_; }
    [[nodiscard]] const std::string& setting() const { return settings_->setting; }

  private:
    enum class Kind {
        plain,    ///< this listener greets nobody
        greeted,  ///< of our site
        asking,   ///< sends what needs no greeting, and nothing else
        refused,  ///< on its way out: its frames are dropped
    };
    struct Session {
        Kind kind = Kind::refused;
        int fd = -1;  ///< -1 = closed; what it sent before may still come
        Bytes key;    ///< hex; empty without CURVE
        Handle handle;
        std::shared_ptr<const Origin> origin;
        Clock::time_point heard{};
    };
    struct Keyed {
        std::vector<Bytes> routes;  ///< of its open sessions
        std::size_t drops = 0;
        Clock::time_point drops_since{};
    };
    using Sessions = std::map<Bytes, Session, std::less<>>;

    Common& common_;
    std::uint32_t id_;
    std::shared_ptr<const ListenSettings> settings_;
    Bytes greeting_;  ///< encoded; empty = none
    std::unique_ptr<MonitoredSocket> socket_;
    std::map<Bytes, std::string> users_;  ///< hex of key → user
    Sessions sessions_;
    std::map<int, Bytes> routes_;   ///< by descriptor, of open sessions
    std::map<Bytes, Keyed> keyed_;  ///< of keys with open sessions
    std::deque<std::pair<Clock::time_point, Bytes>> closed_;

    void take(const zmq::message_t& route, zmq::message_t& body, bool whole, Clock::time_point now);
    Session& admit(const zmq::message_t& route, zmq::message_t& body, bool whole,
                   Clock::time_point now);
    void judge(Session& session, std::string_view first_frame, Clock::time_point now);
    void greet(Session& session, std::string_view frame, Clock::time_point now);
    void deliver(Session& session, Bytes frame, Clock::time_point now);
    [[nodiscard]] bool give(const Session& session, const Bytes& frame, Clock::time_point now);
    /// Its frames are dropped from now on, and it is cut.
    void refuse(Session& session);
    void flooded(const Session& session, Clock::time_point now);
    void keep_to_limits(const Session& newest);
    void left(Session& session, Clock::time_point now);
    void closed(int fd, Clock::time_point now);
    void complain(const Session& session, std::string_view kind, std::string_view what,
                  Clock::time_point now);
};

}  // namespace clarity::wire
