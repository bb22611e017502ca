#pragma once

#include <ostream>
#include <string>

#include "cli/session.hpp"

namespace clarity::cli {

/// `clarity validate [DIR]`: every problem, a line each (table: text; json and yaml: the object
/// {"valid", "clients", "servers", "errors", "warnings", "problems": [{file, line, severity,
/// message}]}). Exit code 0 = no errors, 1 = errors or an unreadable tree.
int run_validate(const std::string& dir, Format format, std::ostream& out, std::ostream& err);

}  // namespace clarity::cli
