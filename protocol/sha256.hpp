#pragma once

#include <memory>
#include <string_view>

#include "protocol/bytes.hpp"

namespace clarity {

/// Incremental SHA-256 (OpenSSL: uses SHA-NI where the processor has it). Not thread-safe.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(std::string_view bytes);
    /// The digest of all bytes so far; the object then starts anew.
    [[nodiscard]] Digest finish();

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

[[nodiscard]] Digest sha256(std::string_view bytes);

}  // namespace clarity
