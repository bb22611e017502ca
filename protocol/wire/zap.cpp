#include "protocol/wire/zap.hpp"

#include <vector>

namespace clarity::wire {

Zap::Zap(zmq::context_t& context, Allowed allowed)
    : socket_(context, zmq::socket_type::rep), allowed_(std::move(allowed)) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.bind("inproc://zeromq.zap.01");
}

void Zap::answer() {
    ready_.used();
    for (;;) {
        std::vector<Bytes> frames;
        zmq::message_t part;
        if (!socket_.recv(part, zmq::recv_flags::dontwait)) return;
        frames.push_back(part.to_string());
        while (part.more()) {
            if (!socket_.recv(part)) return;
            if (frames.size() < 16) frames.push_back(part.to_string());
        }
        // version, request id, domain, address, identity, mechanism, credentials
        auto verdict = Answer::no;
        std::string user;
        if (frames.size() == 7 && frames[5] == "CURVE") {
            if (const auto key = CurveKey::from(frames[6])) {
                user = key->hex();
                verdict = allowed_(frames[2], user);
            }
        }
        const bool ok = verdict == Answer::yes;
        const Bytes id = frames.size() > 1 ? frames[1] : Bytes();
        const Bytes reply[] = {"1.0",
                               id,
                               ok ? "200" : (verdict == Answer::later ? "300" : "400"),
                               ok ? "OK" : "not let in",
                               ok ? user : "",
                               ""};
        for (std::size_t i = 0; i < std::size(reply); ++i) {
            const bool last = i + 1 == std::size(reply);
            socket_.send(zmq::buffer(reply[i]),
                         last ? zmq::send_flags::none : zmq::send_flags::sndmore);
        }
    }
}

}  // namespace clarity::wire
