#pragma once

#include <string>

#include "protocol/inventory/inventory.hpp"

namespace clarity::cli {

/// All files of an inventory on disk, by path below `dir`: *.yml at its top and what is under
/// artifacts, clients, profiles, repositories and templates. Hidden files and folders are left out;
/// symbolic links are followed only to files. Fails on what cannot be read, and over the caps.
[[nodiscard]] Result<inventory::Files> read_tree(const std::string& dir);

}  // namespace clarity::cli
