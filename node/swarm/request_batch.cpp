#include "node/swarm/request_batch.hpp"

namespace clarity::swarm {

namespace {

constexpr char bt_request = 6;

void append_u32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFFU);
}

}  // namespace

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
        append_u32(out, 13);
        out += bt_request;
        append_u32(out, each.piece);
        append_u32(out, each.start);
        append_u32(out, each.length);
    }
    under_way_ += static_cast<std::uint32_t>(waiting_.size());
    waiting_.clear();
    return out;
}

}  // namespace clarity::swarm
