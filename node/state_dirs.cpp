#include "node/state_dirs.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "storage/files.hpp"

namespace clarity {
namespace {

Result<void> make_dir(const std::string& path, mode_t mode) {
    CLARITY_CHECK(make_dirs(path, mode));
    // Whatever the umask or an earlier version made of it.
    if (::chmod(path.c_str(), mode) != 0) {
        return tl::unexpected<Error>(file_error("set the mode", path, errno));
    }
    return {};
}

}  // namespace

Result<void> make_state_dirs(const std::string& state_dir) {
    CLARITY_CHECK(make_dir(state_dir, 0711));
    for (const char* closed : {"/db", "/identity", "/deploy", "/cache", "/swarm"}) {
        CLARITY_CHECK(make_dir(state_dir + closed, 0700));
    }
    return make_dir(state_dir + "/services", 0711);
}

}  // namespace clarity
