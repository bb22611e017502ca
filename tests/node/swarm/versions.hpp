#pragma once

#include <initializer_list>
#include <string>

#include "site.hpp"

/// A version of the artifact "image", as it was published.
struct Version {
    std::string bytes;
    clarity::Manifest manifest;
};

/// Noise in which runs of text stand, so that it packs to about half.
[[nodiscard]] std::string image(std::size_t size, std::uint32_t seed);
/// The next version: some bytes put in, some changed, some added.
[[nodiscard]] std::string upgrade(std::string bytes);
/// Puts a version into the origin's folder, plain or as zstd.
[[nodiscard]] Version publish(Site& site, const Origin& origin, std::string bytes,
                              const std::string& version, bool zstd,
                              const clarity::Manifest* earlier = nullptr);
/// On all nodes.
void want(Site& site, const clarity::Manifest& manifest);
/// All nodes get it, whole and right, and met no error.
void check_all(Site& site, const Version& version);
/// Gets it to these nodes only.
void seed_with(Site& site, const Version& version, std::initializer_list<std::size_t> nodes);
/// What an upgrade costs the WAN by the two manifests.
[[nodiscard]] std::uint64_t expected(const Version& wanted, const Version& held);
