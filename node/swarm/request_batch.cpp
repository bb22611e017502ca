#include "node/swarm/request_batch.hpp"

#include "node/swarm/peer_wire.hpp"

namespace clarity::swarm {

std::string RequestBatch::add(Request request) {
    waiting_.push_back(request);
    return waiting_.size() >= batch || under_way_ < under_way_min ? take() : std::string();
}

std::string RequestBatch::answered() {
    answered_ = true;
    if (under_way_ > 0) --under_way_;
    return under_way_ < under_way_min ? take() : std::string();
}

std::string RequestBatch::on_second() {
    if (!answered_) under_way_ = 0;
    answered_ = false;
    return take();
}

std::string RequestBatch::take() {
    std::string out;
    out.reserve(waiting_.size() * 17);
    for (const auto& each : waiting_) {
        peer_wire::append_request(out, each.piece, each.start, each.length);
    }
    under_way_ += static_cast<std::uint32_t>(waiting_.size());
    waiting_.clear();
    return out;
}

}  // namespace clarity::swarm
