#pragma once

#include "protocol/codec.hpp"
#include "protocol/manifest.hpp"

namespace clarity {

/// Artifact types as documents write them; for the sources that encode one.
template <>
struct codec::EnumNames<ArtifactType> {
    using enum ArtifactType;
    static constexpr std::pair<ArtifactType, const char*> names[] = {
        {jar, "jar"},       {war, "war"},       {lxc, "lxc"},
        {docker, "docker"}, {binary, "binary"}, {script, "script"}};
};

}  // namespace clarity
