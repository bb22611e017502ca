#pragma once

#include <string>

#include "protocol/json.hpp"

namespace clarity::cli {

/// The same data as YAML 1.2 block text, for `-o yaml`. Strings that YAML would read as something
/// else (numbers, true, null, dates, indicators) are double-quoted as in JSON, which is YAML too.
[[nodiscard]] std::string yaml_text(const Json& json);

}  // namespace clarity::cli
