#pragma once

#include <ostream>
#include <string>

namespace clarity::cli {

/// `clarity init DIR`: writes the scaffold into a folder that is new or empty. All of it or
/// nothing: it is written beside DIR and renamed into place. Exit code 0, or 1 with one line.
int run_init(const std::string& dir, std::ostream& out, std::ostream& err);

}  // namespace clarity::cli
