#include "protocol/wire/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "protocol/log/log.hpp"

namespace clarity::wire {
namespace {

/// For files, the database, artifacts' peers, and the sockets that we open ourselves.
constexpr rlim_t others = 512;
constexpr rlim_t others_min = 96;
constexpr rlim_t connections_min = 32;

}  // namespace

Result<std::size_t> room_for(std::size_t connections) {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return connections;
    const rlim_t wanted = connections + others;
    if (files.rlim_cur < wanted && files.rlim_cur < files.rlim_max) {
        rlimit raised = files;
        raised.rlim_cur = std::min(wanted, files.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
    }
    if (files.rlim_cur >= wanted) return connections;
    if (files.rlim_cur < connections_min + others_min) {
        return fail(Errc::unavailable,
                    "this process may open {} files and needs {} at least: raise the limit "
                    "(LimitNOFILE= of its systemd unit, or ulimit -n)",
                    files.rlim_cur, connections_min + others_min);
    }
    const auto left = files.rlim_cur - std::max<rlim_t>(others_min, files.rlim_cur / 2);
    log::warning(
        "this process may open {} files, so at most {} connections are let in; raise the limit to "
        "{} (LimitNOFILE= of its systemd unit, or ulimit -n)",
        files.rlim_cur, left, wanted);
    return static_cast<std::size_t>(left);
}

}  // namespace clarity::wire
