#include "protocol/wire/admission.hpp"

#include <algorithm>

namespace clarity::wire {
namespace {

constexpr std::size_t rows_before_tidying = 64;

}  // namespace

Admission::Row& Admission::row(const Bytes& key, Time now) {
    auto at = rows_.find(key);
    if (at == rows_.end()) {
        if (rows_.size() >= rows_before_tidying) forget_idle(now);
        at = rows_.emplace(key, Row{limits_.handshakes_burst, now, {}, {}}).first;
    }
    auto& out = at->second;
    const auto passed = std::chrono::duration<double>(now - out.at).count();
    out.tokens = std::min(limits_.handshakes_burst, out.tokens + passed * limits_.handshakes_per_s);
    out.at = now;
    while (!out.silent.empty() && now - out.silent.front() > limits_.silent_for) {
        out.silent.pop_front();
    }
    return out;
}

bool Admission::admit(const Bytes& key, Time now) {
    auto& of_key = row(key, now);
    if (now < of_key.barred_until || of_key.tokens < 1 ||
        of_key.silent.size() >= limits_.silent_max) {
        return false;
    }
    of_key.tokens -= 1;
    of_key.silent.push_back(now);
    return true;
}

void Admission::heard(const Bytes& key) {
    const auto at = rows_.find(key);
    if (at != rows_.end() && !at->second.silent.empty()) at->second.silent.pop_front();
}

void Admission::bar(const Bytes& key, Time until) {
    rows_[key].barred_until = until;
}

/// A row that would be the same if it were made anew.
void Admission::forget_idle(Time now) {
    std::erase_if(rows_, [&](const auto& each) {
        const auto& row = each.second;
        const auto passed = std::chrono::duration<double>(now - row.at).count();
        const bool full =
            row.tokens + passed * limits_.handshakes_per_s >= limits_.handshakes_burst;
        const bool quiet = row.silent.empty() || now - row.silent.back() > limits_.silent_for;
        return full && quiet && now >= row.barred_until;
    });
}

}  // namespace clarity::wire
