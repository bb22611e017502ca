#pragma once

#include <string>

#include "node/drivers/service_manager.hpp"

namespace clarity::systemd {

/// Pure: what is written for systemd and how its words are read.

/// "orchestrix-<8 hex digits of the node>-<service>.service"; agents on one host stay apart.
[[nodiscard]] std::string unit_name(const std::string& node_id, const std::string& service);

/// An EnvironmentFile. Errc::invalid for what systemd would leave out: names other than
/// [A-Za-z_][A-Za-z0-9_]*, values with control characters or that are not UTF-8.
[[nodiscard]] Result<std::string> environment_text(const std::map<std::string, std::string>& env);

struct UnitPlace {
    std::string node_id;
    std::string env_file;
    int version = 0;  ///< of systemd; 254 and later lengthen the time between restarts themselves
};
/// The unit file. It is enabled only when spec.autostart: without it there is no [Install].
[[nodiscard]] std::string unit_text(const ProcessSpec& spec, const UnitPlace& place);
/// ProcessSpec::key of a unit file; empty where there is none.
[[nodiscard]] std::string key_of(std::string_view unit_text);
/// Is it as unit_text() made it, by the sum in its last line?
[[nodiscard]] bool is_untouched(std::string_view unit_text);

/// What systemd's properties say of a unit.
struct UnitFacts {
    std::string load, active, sub, result;
    int exit_kind = 0;  ///< of waitid: 1 exited, 2 killed, 3 dumped core; 0 = never ended
    int exit_status = 0;
    bool job = false;  ///< one waits or runs for it
};
/// Sets state, exit_code and detail.
void describe(const UnitFacts& facts, Observation& out);

}  // namespace clarity::systemd
