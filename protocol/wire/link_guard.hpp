#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace clarity::wire {

/// Watches the TCP connections that libzmq holds for what libzmq does not bound:
/// - a peer that sends parts of a message that never ends (neither high-water marks nor
///   ZMQ_MAXMSGSIZE count them);
/// - one that takes nothing of what we send it (a high-water mark counts frames, not bytes);
/// - one that connects and says nothing; too many of these, or of all, or from one address.
///
/// Method: the monitor tells the file descriptors; TCP_INFO tells the bytes that came in and that
/// the other end acknowledged; delivered messages and our own sends are counted against them. A
/// connection over a limit is shut down, which libzmq takes for a cut by the peer. Connections that
/// are not TCP have no such counts and are watched for silence only. Belongs to the network thread.
class LinkGuard {
  public:
    using Time = std::chrono::steady_clock::time_point;
    struct Limits {
        std::uint64_t unfinished_bytes = 0;        ///< of one connection
        std::uint64_t unfinished_total_bytes = 0;  ///< of all; the largest is cut first
        std::uint64_t unread_bytes = 0;            ///< sent, not acknowledged; of one user
        std::uint64_t unread_total_bytes = 0;      ///< of all
        std::size_t connections = 0;               ///< that came in
        std::size_t unproven = 0;                  ///< of these, not heard yet; the oldest goes
        double accepts_per_s = 0;                  ///< from one address
        double accepts_burst = 0;
        std::chrono::milliseconds first_frame{0};  ///< heard by then, or cut
        std::chrono::milliseconds stalled{0};      ///< nothing taken for so long, or cut
    };
    /// `hasty`: too many connections from one address.
    enum class Why { endless, stalled, silent, crowded, hasty, condemned };
    struct Cut {
        std::string user;  ///< empty = its first frame never came
        std::string address;
        Why why;
    };
    explicit LinkGuard(const Limits& limits) : limits_(limits) {}

    /// A connection that came in, or that we opened.
    void accepted(int fd, Time now);
    void connected(int fd, const std::string& user, Time now);
    void closed(int fd);
    /// The first frame came: who is at the other end. False when there is no such connection now.
    bool proven(int fd, const std::string& user, Time now);
    /// A whole message came from there.
    void delivered(int fd);

    /// May this much be sent there without more than the limits waiting for the other end? An idle
    /// connection may be sent any one frame.
    [[nodiscard]] bool may_send(int fd, std::size_t bytes, Time now);
    void sent(int fd, std::size_t bytes, Time now);

    /// Looks at all connections; cuts what is over a limit.
    void sweep(Time now);
    /// When there is something to look at although nothing happens.
    [[nodiscard]] std::optional<Time> due() const;
    bool cut(int fd);
    /// Gives what was sent last a moment to arrive.
    void cut_at(int fd, Time when);
    /// What was cut since the last call, other than by cut().
    [[nodiscard]] std::vector<Cut> take_cuts();

    /// "10.0.0.7:51412", or empty.
    [[nodiscard]] std::string address_of(int fd) const;
    [[nodiscard]] std::size_t size() const { return links_.size(); }

  private:
    struct Link {
        std::string ends;  ///< both addresses: tells whether the descriptor is still this link
        std::string user;
        Time opened{};
        bool incoming = true;
        bool tcp = true;
        bool delivered = true;
        std::uint64_t baseline_bytes = 0;  ///< received when the last message was whole
        std::uint64_t sent_bytes = 0;      ///< comparable to what the kernel says is acknowledged
        std::uint64_t acked_bytes = 0;
        Time sent_at{};
        Time moved_at{};  ///< acknowledged something, or had nothing to
        std::optional<Time> cut_at;
        [[nodiscard]] std::uint64_t unread() const { return sent_bytes - acked_bytes; }
    };
    using Links = std::map<int, Link>;
    struct Budget {
        double left = 0;
        Time at{};
    };

    Limits limits_;
    Links links_;
    std::map<std::string, std::uint64_t> unread_;  ///< by user, when last looked
    std::uint64_t unread_total_ = 0;
    std::map<std::pair<Time, int>, int> unproven_;  ///< oldest first
    std::size_t incoming_ = 0;
    std::optional<Time> look_at_;
    std::vector<Cut> cuts_;
    std::map<std::string, Budget> budgets_;  ///< by address

    [[nodiscard]] bool within_budget(int fd, Time now);
    Link* open(int fd, bool incoming, Time now);
    static void look(std::optional<Time>& at, Time no_later);
    void refresh_sent(int fd, Link& link, Time now);
    void set_unread(Link& link, std::uint64_t sent, std::uint64_t acked);
    void forget(Links::iterator at);
    void cut(Links::iterator at, Why why);
};

}  // namespace clarity::wire
