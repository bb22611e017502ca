#pragma once

#include <string>
#include <vector>

#include "protocol/root.hpp"

namespace clarity {

/// One server of a site, as the coordinator enrolled it.
struct Member {
    std::string server_id;       ///< from the inventory; the node's name in every other document
    std::string hostname;        ///< what people call it
    PublicKey key;               ///< identity
    std::string mesh_endpoint;   ///< "tcp://10.0.0.1:8472"
    std::string swarm_endpoint;  ///< "10.0.0.1:8473"
};

/// Where a site finds a coordinator.
struct CoordinatorAddress {
    std::string control_endpoint;  ///< "tcp://…:8471", ZeroMQ CURVE
    CurveKey curve_key;
    std::string rest_url;  ///< "https://…:8470"
};

/// Who belongs to a site. The only authority on it: gone from the roster is revoked.
struct Roster {
    std::string site;  ///< "client-code/datacenter-code"
    std::uint64_t epoch = 0;
    std::vector<Member> members;
    std::vector<CoordinatorAddress> coordinators;
    std::vector<PublicKey> observers;  ///< operators' keys that may ask nodes for status remotely
    std::string ca_pem;                ///< the CA of swarm and REST certificates

    [[nodiscard]] const Member* find(std::string_view server_id) const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static Result<Roster> decode(std::string_view payload);
};

/// The envelope's roster, once signature (coordinator role) and site are checked.
[[nodiscard]] Result<Roster> verify_roster(const Root& root, std::string_view site,
                                           const Envelope& envelope);

}  // namespace clarity
