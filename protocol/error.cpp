#include "protocol/error.hpp"

namespace clarity {

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::invalid: return "invalid";
        case Errc::not_found: return "not_found";
        case Errc::exists: return "exists";
        case Errc::io: return "io";
        case Errc::no_space: return "no_space";
        case Errc::network: return "network";
        case Errc::timeout: return "timeout";
        case Errc::denied: return "denied";
        case Errc::bad_signature: return "bad_signature";
        case Errc::conflict: return "conflict";
        case Errc::unavailable: return "unavailable";
        case Errc::failed: return "failed";
        case Errc::cancelled: return "cancelled";
    }
    return "failed";
}

}  // namespace clarity
