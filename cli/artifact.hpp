#pragma once

#include <string>

#include "protocol/error.hpp"

namespace clarity::cli {

struct ArtifactName {
    std::string artifact;
    std::string version;
};

/// "smsgateway@3.2.1". Fails with invalid, saying the form.
[[nodiscard]] Result<ArtifactName> parse_artifact_name(const std::string& text);

}  // namespace clarity::cli
