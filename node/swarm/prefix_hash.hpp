#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "protocol/sha256.hpp"
#include "storage/files.hpp"

namespace clarity::swarm {

/// SHA-256 of a file that grows from its start, taken as it comes in: when the last bytes are
/// there, only they are left to hash. What was hashed is sent on its way to the disk as well, so
/// that the sync at the end finds little to do. For one worker thread; every call reads the file.
class PrefixHash {
  public:
    PrefixHash(std::string path, std::uint64_t size_bytes)
        : path_(std::move(path)), size_bytes_(size_bytes) {}

    /// Bytes up to here are in the file for good. Errors: cancelled, io.
    [[nodiscard]] Result<void> advance(std::uint64_t to_bytes, const std::stop_token& stop);
    /// Hashes the rest. Once. Errors as of advance().
    [[nodiscard]] Result<Digest> finish(const std::stop_token& stop);
    [[nodiscard]] std::uint64_t done_bytes() const { return done_bytes_; }

  private:
    std::string path_;
    std::uint64_t size_bytes_;
    std::uint64_t done_bytes_ = 0;
    Sha256 hash_;
};

}  // namespace clarity::swarm
