#include "node/drivers/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "storage/files.hpp"

extern char** environ;

namespace clarity {
namespace {

constexpr std::size_t errors_max = 4096;

/// Reads the pipe until its end or the deadline; false at the deadline.
bool drain(int fd, std::chrono::steady_clock::time_point deadline, std::string& out) {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd waiting{fd, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
        char buffer[1024];
        const auto got = ::read(fd, buffer, sizeof buffer);
        if (got <= 0) return true;
        if (out.size() < errors_max) out.append(buffer, static_cast<std::size_t>(got));
    }
}

}  // namespace

Result<ProcessEnd> run_process(const std::vector<std::string>& argv,
                               std::chrono::milliseconds timeout) {
    int pipe_fds[2];
    if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return fail(Errc::io, "no pipe for {}", argv[0]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> arguments;
    for (const auto& each : argv) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, argv[0].c_str(), &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(pipe_fds[1]);
    if (error != 0) {
        ::close(pipe_fds[0]);
        return tl::unexpected<Error>(file_error("run", argv[0], error));
    }
    ProcessEnd end;
    const bool ended = drain(pipe_fds[0], std::chrono::steady_clock::now() + timeout, end.errors);
    ::close(pipe_fds[0]);
    if (!ended) ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended) return fail(Errc::timeout, "{} did not end in {} ms", argv[0], timeout.count());
    end.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    while (!end.errors.empty() && end.errors.back() == '\n') end.errors.pop_back();
    return end;
}

std::uint64_t process_start_time(int pid) {
    if (pid <= 0) return 0;
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto close = text.rfind(')');  // the name before it may hold anything
    if (close == std::string::npos) return 0;
    std::istringstream rest(text.substr(close + 1));
    std::string field;
    for (int index = 3; rest >> field; ++index) {
        if (index == 3 && (field == "Z" || field == "X")) return 0;
        if (index == 22) return std::strtoull(field.c_str(), nullptr, 10);
    }
    return 0;
}

std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    std::getline(file, id);
    return id;
}

std::int64_t unix_ms_now() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string tail_of(const std::string& path, std::uint32_t lines) {
    constexpr std::streamoff size_max = 64 << 10;
    std::ifstream file(path, std::ios::binary);
    if (!file) return {};
    file.seekg(0, std::ios::end);
    const std::streamoff size = file.tellg();
    file.seekg(std::max<std::streamoff>(0, size - size_max));
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::size_t from = text.size();
    if (from > 0 && text.back() == '\n') --from;
    for (std::uint32_t line = 0; line < lines; ++line) {
        const auto newline = from == 0 ? std::string::npos : text.rfind('\n', from - 1);
        if (newline == std::string::npos) return text;
        from = newline;
    }
    return text.substr(from + 1);
}

Result<void> check_name(std::string_view what, std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const auto allowed = [&](char c) {
        return plain(c) || std::string_view("._+~-").find(c) != std::string_view::npos;
    };
    if (name.empty() || name.size() > 128 || !plain(name.front()) ||
        !std::all_of(name.begin(), name.end(), allowed)) {
        return fail(Errc::invalid,
                    "{} \"{}\" cannot name a folder: use letters, digits and . _ + ~ -, at most "
                    "128, a letter or digit first",
                    what, name);
    }
    return {};
}

}  // namespace clarity
