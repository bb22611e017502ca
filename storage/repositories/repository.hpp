#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "protocol/plan.hpp"

namespace clarity {

/// A range of one file in a repository.
struct ReadRequest {
    std::string path = {};
    std::uint64_t offset = 0;
    std::uint64_t length_max = std::numeric_limits<std::uint64_t>::max();  ///< to the end
    /// The manifest's size: a repository that tells another one is refused before any byte.
    std::optional<std::uint64_t> expected_size = {};
    /// What an earlier read answered: another one now means the file was replaced → conflict.
    std::string expected_etag = {};
    std::uint64_t rate_limit_bytes_s = 0;  ///< 0 = none
    /// A server that ignores ranges sends all from the start: at most this much of it is thrown
    /// away to reach `offset`; beyond, the read fails with unavailable. (It is WAN traffic.)
    std::uint64_t skip_max_bytes = 0;
    /// How often in a row, without a byte gained, a cut or stalled connection is tried again.
    std::uint32_t retries_max = 5;
    std::uint32_t retry_delay_ms = 250;  ///< first one; then doubled, with jitter, ≤ 15 s
    std::uint32_t stall_s = 20;          ///< without a byte for so long = cut
    /// Counts every body byte received as it comes, also of reads that fail.
    std::atomic<std::uint64_t>* wan_counter = nullptr;
    /// Of these, what was not handed to the sink: sent again, or beyond what was asked for.
    std::atomic<std::uint64_t>* spare_counter = nullptr;
    /// Told which version of the file answers (ETag, else Last-Modified), before its bytes come:
    /// what the next read is to expect, also when this one fails.
    std::function<void(const std::string& version)> on_version = {};
    std::stop_token stop = {};  ///< ends with Errc::cancelled within about a second
};

struct ReadOutcome {
    std::uint64_t bytes = 0;      ///< handed to the sink
    std::uint64_t wan_bytes = 0;  ///< body bytes received, thrown away ones too
    std::uint32_t resumes = 0;    ///< how often the connection was cut and taken up again
    std::optional<std::uint64_t> total_size;
    std::string etag;
    bool ranged = false;  ///< the server answers ranges
};

/// Takes the next bytes in order; false ends the read with Errc::cancelled.
using ByteSink = std::function<bool(std::string_view bytes)>;

/// A place artifacts come from. Blocking; any thread, several reads at once. Nothing it says is
/// trusted: sizes are checked against the request, contents by the caller against the manifest.
///
/// Errors name the repository and the path. not_found, denied (credentials), conflict (another
/// size or ETag than expected: the file was replaced), unavailable (ranges ignored; kind of
/// repository not supported), network and timeout (after the retries), invalid (the server
/// breaks the protocol), cancelled.
class Repository {
  public:
    virtual ~Repository() = default;
    /// A cut connection is taken up again where it broke (backoff with jitter), so that the sink
    /// sees each byte once.
    [[nodiscard]] virtual Result<ReadOutcome> read(const ReadRequest& request,
                                                   const ByteSink& sink) = 0;
    /// Size of a file, without fetching it.
    [[nodiscard]] virtual Result<std::uint64_t> size(const std::string& path) = 0;
    [[nodiscard]] virtual const std::string& id() const = 0;
};

/// The repository that `access` describes. Type `http` (base_url http:// or
/// https://); settings: username + password (basic), token (bearer), header.NAME, ca_pem.
/// Other types: Errc::unavailable.
[[nodiscard]] Result<std::unique_ptr<Repository>> make_repository(const RepositoryAccess& access);

}  // namespace clarity
