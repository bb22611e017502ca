#pragma once

#include <string>

#include "coordinator/config.hpp"
#include "protocol/keys.hpp"

namespace clarity::coordinator {

/// The coordinator's own keys and certificates. Made at first start, in `keys/` of the state folder
/// (0600 each); lost keys cannot be made again: back the folder up.
struct Identity {
    SigningKey signing;  ///< role "coordinator": rosters, plans, beacons, commands
    SigningKey control;  ///< its curve form is the control service's server key
    SigningKey ca;
    std::string ca_pem;
    std::string rest_chain_pem;  ///< REST certificate and the CA, issued anew at every start
    std::string rest_key_pem;
    Bytes vault_key;        ///< 32 bytes
    Bytes fingerprint_key;  ///< 32 bytes: keys the configuration fingerprints in plans
    std::string admin_token;
    bool first_start = false;
};

/// Loads the identity, making what is not there. A token file that was removed is made anew: that
/// is how the admin's token is changed.
[[nodiscard]] Result<Identity> bootstrap(const Config& config, std::int64_t now_unix_s);

/// SHA-256 fingerprint, in hex, of the CA in the state folder: what people compare at their first
/// login. Makes nothing; not_found before the first start.
[[nodiscard]] Result<std::string> ca_fingerprint(const Config& config);

}  // namespace clarity::coordinator
