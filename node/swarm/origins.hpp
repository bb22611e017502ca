#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/swarm/fetch_types.hpp"
#include "storage/repositories/repository.hpp"

namespace clarity::swarm {

/// The repositories that a fetch may read from: which one is in use, what is known of it, and what
/// follows from its failures. Any of the fetch's threads.
class Origins {
  public:
    /// `what` names the artifact in errors; `seed` is of the jitter.
    Origins(std::string what, const FetchSettings& settings, std::uint64_t seed)
        : what_(std::move(what)), settings_(settings), seed_(seed) {}

    /// Fails where none can be used.
    [[nodiscard]] Result<void> open(const std::vector<FetchSource>& sources);

    struct Reading {
        Repository* repository = nullptr;
        std::string path;
        std::string etag;        ///< of the file as it was first met
        std::size_t source = 0;  ///< its number
    };
    /// What the next request should read.
    [[nodiscard]] Reading current() const;
    [[nodiscard]] bool is_current(std::size_t source) const;

    void bytes_came();  ///< the row of failures is over
    /// `etag`: of the version that answers, or what stands for it.
    void answered(const Reading& reading, const std::string& etag);

    /// `what_bytes` of the file were not what the publisher signed: remembered, and another source
    /// is next where there is one. Returns what to tell.
    [[nodiscard]] Error blame(const Reading& reading, const std::string& what_bytes);
    /// So much was wrong that it is no use to go on.
    [[nodiscard]] std::optional<Error> spoilt() const;

    /// How long a repository may send nothing: shorter where there is another one.
    [[nodiscard]] std::uint32_t stall_s() const;

    struct Verdict {
        std::optional<Error> error;  ///< there is nothing left to try
        /// None of them is in reach from here: somebody else had better try.
        bool out_of_reach = false;
        std::int64_t wait_ms = 0;  ///< else: how long to wait before the next request
    };
    /// A read failed.
    [[nodiscard]] Verdict failed(const Error& error);

    /// The server in use sends all from the start whatever is asked for.
    [[nodiscard]] bool ranges_ignored() const;
    /// It does: another one is used where there is one that has not done so too.
    void set_ranges_ignored();

  private:
    std::string what_;
    const FetchSettings& settings_;
    std::uint64_t seed_;
    std::vector<std::unique_ptr<Repository>> repositories_;
    std::vector<std::string> paths_;
    mutable std::mutex mutex_;  ///< guards what follows
    std::size_t source_ = 0;
    std::string etag_;
    std::set<std::size_t> ranges_ignored_;  ///< sources
    std::uint32_t wrong_ = 0;
    std::optional<Error> wrong_error_;
    std::uint32_t failures_ = 0;  ///< in a row, without a byte
    bool bytes_came_ = false;     ///< since the last failure

    void turn();
};

}  // namespace clarity::swarm
