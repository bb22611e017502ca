#pragma once

#include <optional>
#include <string>

#include "protocol/keys.hpp"

namespace clarity {

/// Who this server is: its key, and what the coordinator said of it at enrolment. The key is made
/// here and never leaves. Kept in STATE/identity/ (0700, key file 0600).
struct Identity {
    SigningKey key = SigningKey::generate();
    std::string server_id;
    std::string hostname;
    std::string site;
    std::string certificate_pem;
    std::string ca_pem;

    [[nodiscard]] bool enrolled() const { return !server_id.empty(); }
};

/// The identity of `state_dir`. Where there is none yet, a key is made and stored, so that an
/// enrolment that is cut off goes on with the same key. Blocks on the disk.
[[nodiscard]] Result<Identity> load_identity(const std::string& state_dir);

/// Stores what enrolment gave, atomically; the key file is left as it is.
[[nodiscard]] Result<void> store_enrolment(const std::string& state_dir, const Identity& identity);

}  // namespace clarity
