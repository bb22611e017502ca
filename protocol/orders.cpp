#include "protocol/orders.hpp"

#include "protocol/codec.hpp"

namespace clarity {

template <class A>
void fields(A& a, Beacon& b) {
    a.text("site", b.site);
    a.value("at", b.at_unix_ms);
    a.value("plan_seq", b.plan_seq);
    a.value("roster_epoch", b.roster_epoch);
}
template <class A>
void fields(A& a, Command& c) {
    a.text("site", c.site);
    a.text("server", c.server_id);
    a.text("action", c.action);
    a.text("service", c.service);
    a.text("argument", c.argument);
    a.text("nonce", c.nonce);
    a.value("expires", c.expires_unix_s);
}

Bytes Beacon::encode() const {
    return codec::encode(*this);
}
Result<Beacon> Beacon::decode(std::string_view payload) {
    return codec::decode<Beacon>("beacon", payload, 4096);
}
Bytes Command::encode() const {
    return codec::encode(*this);
}
Result<Command> Command::decode(std::string_view payload) {
    return codec::decode<Command>("command", payload, 64U << 10);
}

Result<Beacon> verify_beacon(const Root& root, std::string_view site, const Envelope& envelope) {
    CLARITY_CHECK(envelope.verify(payload_type::beacon, *root.find(role::coordinator)));
    CLARITY_TRY(auto out, Beacon::decode(envelope.payload));
    if (out.site != site) return fail(Errc::bad_signature, "beacon is for site {}", out.site);
    return out;
}

Result<Command> verify_command(const Root& root, std::string_view site, std::int64_t now_unix_s,
                               const Envelope& envelope) {
    CLARITY_CHECK(envelope.verify(payload_type::command, *root.find(role::coordinator)));
    CLARITY_TRY(auto out, Command::decode(envelope.payload));
    if (out.site != site) return fail(Errc::bad_signature, "command is for site {}", out.site);
    if (now_unix_s > out.expires_unix_s) return fail(Errc::timeout, "command has expired");
    return out;
}

}  // namespace clarity
