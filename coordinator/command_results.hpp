#pragma once

#include <deque>
#include <string>

#include "protocol/control.hpp"

namespace clarity::coordinator {

/// What nodes answered to the last commands, for a short while and in memory only: the output of
/// "logs" may hold anything. Loop thread only.
class CommandResults {
  public:
    static constexpr std::size_t kept_max = 256;

    struct Entry {
        std::string server_id;  ///< the uplink that brought it
        control::OrderResult result;
    };
    void add(const std::string& server_id, const control::OrderResult& result) {
        if (entries_.size() >= kept_max) entries_.pop_front();
        entries_.push_back({server_id, result});
    }
    [[nodiscard]] const Entry* find(const std::string& nonce) const {
        for (const auto& entry : entries_) {
            if (entry.result.nonce == nonce) return &entry;
        }
        return nullptr;
    }

  private:
    std::deque<Entry> entries_;
};

}  // namespace clarity::coordinator
