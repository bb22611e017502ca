#include "cli/artifact.hpp"

#include <algorithm>

namespace clarity::cli {

Result<ArtifactName> parse_artifact_name(const std::string& text) {
    const auto at = text.find('@');
    const auto fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == '+';
    };
    ArtifactName name;
    if (at != std::string::npos) {
        name = {text.substr(0, at), text.substr(at + 1)};
    }
    if (name.artifact.empty() || name.version.empty() || text.size() > 200 ||
        !std::all_of(name.artifact.begin(), name.artifact.end(), fine) ||
        !std::all_of(name.version.begin(), name.version.end(), fine)) {
        return fail(Errc::invalid,
                    "\"{}\" is not an artifact version: write NAME@VERSION, such as "
                    "smsgateway@3.2.1",
                    text);
    }
    return name;
}

}  // namespace clarity::cli
