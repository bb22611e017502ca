#pragma once

#include <map>
#include <vector>

#include "protocol/wire/door.hpp"
#include "protocol/wire/peer.hpp"
#include "protocol/wire/zap.hpp"

namespace clarity::wire {

/// Every socket of a Wire and what is done with them: the state of the network thread, touched by
/// no other. Commands from outside reach it as functions (see Wire::Impl). It sleeps until a socket
/// or somebody has something to say, or something is due: at rest, for ever.
class Network {
  public:
    /// `wake_fd` ends its sleep when readable.
    Network(const Settings& settings, std::shared_ptr<Inbox> inbox, Counters& counters,
            Complaints& complaints, int wake_fd);

    /// One turn: waits for a socket, `wake_fd`, or the next thing due; handles what came. True when
    /// `wake_fd` is readable. `beat` says that the process has worked since the last look at all
    /// connections (see Pulse); without pulse they are looked at by the clock.
    [[nodiscard]] bool turn(std::atomic<bool>& beat, bool pulse);

    [[nodiscard]] Result<Listener> listen(ListenSettings settings);
    void set_authorised(std::uint32_t listener, std::map<CurveKey, std::string> users);
    void connect(ConnectSettings settings);
    void disconnect(const std::string& peer);
    void set_keepalive(const std::string& peer, int keepalive_s);
    void send(const std::string& peer, Bytes frame);
    void reply(const Handle& to, Bytes frame);
    void cut(const Handle& handle);

  private:
    Common common_;
    std::map<std::uint32_t, Door> doors_;
    std::map<std::string, Peer> peers_;
    Zap zap_;
    SleeperEntry zap_entry_{common_.sleeper, zap_.ready()};
    std::uint32_t next_listener_ = 1;
    bool sockets_put_off_ = false;  ///< by the last turn, for what the owner said
    bool look_ = false;             ///< at all connections, once next_look_ is reached
    Clock::time_point next_look_{};
    /// A socket or its monitor, and what of it is waited for and found.
    struct Watched {
        Readiness* ready;
        int wanted;
        int found;
    };
    std::vector<Watched> watched_;
    std::vector<Peer*> polled_peers_;

    [[nodiscard]] Zap::Answer allowed(const std::string& domain, const Bytes& key);
    void collect();
    [[nodiscard]] bool wait(bool pulse);
    void look(Clock::time_point now);
    void report_cuts(Clock::time_point now);
    [[nodiscard]] long wait_ms(bool pulse) const;
};

}  // namespace clarity::wire
