// The process behind `orchestrix-agent supervise SPEC`. One thread, so that fork is safe.
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "node/drivers/cgroup.hpp"
#include "node/drivers/lxc_run.hpp"
#include "node/drivers/supervisor.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr int tick_ms = 250;
constexpr std::int64_t steady_after_ms = 30'000;  ///< a run this long starts the backoff anew
constexpr int grace_default_ms = 10'000;

std::int64_t steady_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name, home;
};

Result<Identity> find_user(const std::string& user) {
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr && user.find_first_not_of("0123456789") == std::string::npos) {
        entry = ::getpwuid(static_cast<uid_t>(std::strtoul(user.c_str(), nullptr, 10)));
    }
    if (entry == nullptr) {
        return fail(Errc::not_found, "user \"{}\" does not exist on this host: create it", user);
    }
    return Identity{entry->pw_uid, entry->pw_gid, entry->pw_name, entry->pw_dir};
}

class Shim {
  public:
    Shim(ProcessSpec spec, std::string dir) : spec_(std::move(spec)), dir_(std::move(dir)) {}

    /// Takes the lock, adopts or starts the process. After it loop() runs until the end.
    Result<void> begin();
    void loop();

  private:
    ProcessSpec spec_;
    std::string dir_;
    ShimStatus status_;
    int log_ = -1;
    int signals_ = -1;
    bool own_child_ = false;
    bool stopping_ = false;
    std::int64_t started_ms_ = 0;
    std::int64_t start_at_ms_ = 0;  ///< while waiting
    std::int64_t kill_at_ms_ = 0;   ///< while stopping
    std::uint32_t failures_ = 0;
    CgroupLimits limits_;

    [[nodiscard]] std::string cgroup_name() const {
        return "orchestrix-" + std::to_string(std::hash<std::string>{}(dir_));
    }
    void save() { (void)write_file_atomic(dir_ + "/status.json", encode_status(status_), 0644); }
    bool adopt();
    void spawn();
    [[noreturn]] void become_child(int report, const Identity* user);
    void on_exit(int exit_code);
    void on_stop();
    void kill_now();
    void rotate_log();
    [[nodiscard]] bool child_alive() const {
        return status_.child_pid > 0 &&
               process_start_time(status_.child_pid) == status_.child_start;
    }
    void reap();
};

Result<void> Shim::begin() {
    const auto lock_path = dir_ + "/lock";
    const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) return tl::unexpected<Error>(file_error("open", lock_path, errno));
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        return fail(Errc::exists, "{} is supervised already", spec_.service);
    }
    const auto log_path = dir_ + "/log";
    log_ = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log_ < 0) return tl::unexpected<Error>(file_error("open", log_path, errno));
    sigset_t mask;
    sigemptyset(&mask);
    for (const int each : {SIGTERM, SIGINT, SIGCHLD, SIGHUP}) sigaddset(&mask, each);
    ::sigprocmask(SIG_BLOCK, &mask, nullptr);
    signals_ = ::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    limits_ = make_cgroup(cgroup_name(), spec_.memory_max_bytes, spec_.cpu_percent_max);
    if (!adopt()) {
        status_ = ShimStatus{};
        status_.key = spec_.key;
        spawn();
    }
    status_.shim_pid = ::getpid();
    status_.shim_start = process_start_time(status_.shim_pid);
    status_.boot_id = boot_id();
    save();
    return {};
}

/// A process left by a shim that was killed: taken over when it is the right one, else ended.
bool Shim::adopt() {
    auto text = read_file(dir_ + "/status.json", 1U << 20);
    if (!text) return false;
    auto old = decode_status(*text);
    if (!old || old->boot_id != boot_id()) return false;
    status_ = *old;
    if (!child_alive()) return false;
    if (old->key == spec_.key) {
        status_.state = "running";
        status_.detail = "taken over after its supervisor was killed";
        started_ms_ = steady_ms();
        return true;
    }
    kill_now();
    for (int i = 0; i < 400 && child_alive(); ++i) ::usleep(10'000);
    return false;
}

void Shim::spawn() {
    Identity identity;
    const Identity* user = nullptr;
    if (!spec_.user.empty() && spec_.lxc_name.empty()) {
        auto found = find_user(spec_.user);
        if (!found) {
            status_.detail = found.error().message;
            return on_exit(126);
        }
        identity = *found;
        user = &identity;
    }
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0) return on_exit(126);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(report[0]);
        become_child(report[1], user);
    }
    ::close(report[1]);
    char text[512];
    const auto got = pid < 0 ? 0 : ::read(report[0], text, sizeof text);
    ::close(report[0]);
    if (pid < 0 || got > 0) {
        if (pid > 0) ::waitpid(pid, nullptr, 0);
        status_.detail = got > 0 ? std::string(text, static_cast<std::size_t>(got))
                                 : "no new process: the host is out of processes or memory";
        return on_exit(127);
    }
    own_child_ = true;
    status_.child_pid = pid;
    status_.child_start = process_start_time(pid);
    status_.state = "running";
    status_.started_unix_ms = unix_ms_now();
    status_.detail = limits_.notices.empty() ? "" : limits_.notices.front();
    started_ms_ = steady_ms();
    save();
}

void Shim::become_child(int report, const Identity* user) {
    const auto give_up = [&](const std::string& what) {
        const auto text = "cannot run: " + what + ": " + std::strerror(errno);
        (void)!::write(report, text.data(), text.size());
        ::_exit(127);
    };
    for (int each = 1; each < NSIG; ++each) ::signal(each, SIG_DFL);
    ::setsid();
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(log_, 1);
    ::dup2(log_, 2);
    const auto pid = std::to_string(::getpid());
    for (const auto& each : limits_.procs) {
        const int fd = ::open(each.c_str(), O_WRONLY | O_CLOEXEC);
        if (fd >= 0) (void)!::write(fd, pid.data(), pid.size());
        if (fd >= 0) ::close(fd);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (!spec_.lxc_name.empty()) {
        ::close(report);
        ::_exit(run_container(spec_.lxc_path, spec_.lxc_name, spec_.argv));
    }
    rlimit files{spec_.open_files_max, spec_.open_files_max};
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (user != nullptr && (::initgroups(user->name.c_str(), user->gid) != 0 ||
                            ::setgid(user->gid) != 0 || ::setuid(user->uid) != 0)) {
        give_up("switch to user " + spec_.user);
    }
    ::umask(022);
    if (::chdir(spec_.directory.empty() ? "/" : spec_.directory.c_str()) != 0) {
        give_up("enter " + spec_.directory);
    }
    std::map<std::string, std::string> env = {
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"LANG", "C.UTF-8"}};
    env["HOME"] = user != nullptr ? user->home : "/root";
    env["USER"] = user != nullptr ? user->name : "root";
    for (const auto& [name, value] : spec_.env) env[name] = value;
    std::vector<std::string> lines;
    for (const auto& [name, value] : env) lines.push_back(name + "=" + value);
    std::vector<char*> envp, argv;
    for (auto& each : lines) envp.push_back(each.data());
    envp.push_back(nullptr);
    for (auto& each : spec_.argv) argv.push_back(each.data());
    argv.push_back(nullptr);
    ::execve(argv[0], argv.data(), envp.data());
    give_up(spec_.argv[0]);
    ::_exit(127);
}

void Shim::on_exit(int exit_code) {
    own_child_ = false;
    status_.child_pid = 0;
    status_.exit_code = exit_code;
    const bool again = !stopping_ && spec_.restart != RestartPolicy::never &&
                       (spec_.restart != RestartPolicy::on_failure || exit_code != 0);
    if (!again) {
        status_.state = "stopped";
        if (exit_code != 0 && status_.detail.empty()) {
            status_.detail = "ended with exit code " + std::to_string(exit_code);
        }
        return save();
    }
    const auto now = steady_ms();
    if (started_ms_ != 0 && now - started_ms_ >= steady_after_ms) failures_ = 0;
    const auto factor = std::uint64_t{1} << std::min<std::uint32_t>(failures_++, 20);
    const auto delay = std::min<std::uint64_t>(spec_.backoff_min_ms * factor, spec_.backoff_max_ms);
    start_at_ms_ = now + static_cast<std::int64_t>(delay - delay * (std::rand() % 20U) / 100);
    status_.state = "waiting";
    if (status_.detail.empty() || status_.detail.starts_with("ended")) {
        status_.detail = "ended with exit code " + std::to_string(exit_code);
    }
    save();
}

void Shim::on_stop() {
    if (stopping_) return;
    stopping_ = true;
    auto grace = read_file(dir_ + "/grace", 32);
    const int grace_ms = grace ? std::atoi(grace->c_str()) : grace_default_ms;
    kill_at_ms_ = steady_ms() + grace_ms;
    if (status_.child_pid == 0) return on_exit(status_.exit_code);
    status_.detail.clear();
    // liblxc's monitor hands the signal on to the container's init.
    ::kill(spec_.lxc_name.empty() ? -status_.child_pid : status_.child_pid, spec_.stop_signal);
}

void Shim::kill_now() {
    if (!spec_.lxc_name.empty()) kill_container(spec_.lxc_path, spec_.lxc_name);
    if (child_alive()) ::kill(-status_.child_pid, SIGKILL);
}

void Shim::reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != status_.child_pid) continue;
        ::kill(-pid, SIGKILL);  // what it left behind in its group
        on_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (!own_child_ && status_.child_pid > 0 && !child_alive()) on_exit(0);
}

/// The process appends to the file itself and needs no pipe: it outlives the shim. So the file is
/// copied and cut rather than renamed.
void Shim::rotate_log() {
    struct stat info {};
    if (::fstat(log_, &info) != 0 ||
        static_cast<std::uint64_t>(info.st_size) < spec_.log_max_bytes) {
        return;
    }
    // It may have grown far over the limit since the last look: the last part is kept.
    const auto keep = static_cast<std::size_t>(spec_.log_max_bytes);
    if (auto file = File::open_read(dir_ + "/log")) {
        Bytes text(keep, '\0');
        const auto from = static_cast<std::uint64_t>(info.st_size) - keep;
        const auto got = file->read_at(text.data(), keep, from);
        text.resize(got ? *got : 0);
        (void)write_file_atomic(dir_ + "/log.1", text, 0640);
    }
    (void)!::ftruncate(log_, 0);
}

void Shim::loop() {
    while (status_.state == "running" || status_.state == "waiting") {
        const auto now = steady_ms();
        int timeout = tick_ms;
        if (status_.state == "waiting") {
            timeout = static_cast<int>(std::clamp<std::int64_t>(start_at_ms_ - now, 0, tick_ms));
        }
        pollfd waiting{signals_, POLLIN, 0};
        ::poll(&waiting, 1, timeout);
        signalfd_siginfo info{};
        while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) on_stop();
        }
        reap();
        if (stopping_ && status_.child_pid > 0 && steady_ms() >= kill_at_ms_) {
            kill_now();
            kill_at_ms_ = steady_ms() + 1000;
        }
        if (status_.state == "waiting" && !stopping_ && steady_ms() >= start_at_ms_) {
            ++status_.restarts;
            spawn();
        }
        rotate_log();
    }
    remove_cgroup(cgroup_name());
}

int complain(const std::string& line) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return 1;
}

}  // namespace

int run_supervisor(int argc, char** argv) {
    if (argc < 2) return complain("usage: supervise SPEC");
    const std::string path = argv[argc - 1];
    auto text = read_file(path, 4U << 20);
    if (!text) return complain(text.error().message);
    auto spec = decode_spec(*text);
    if (!spec) return complain(path + ": " + spec.error().message);
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) return complain("no pipe for the supervisor");
    if (const pid_t first = ::fork(); first != 0) {
        ::close(ready[1]);
        char answer[1024];
        const auto got = first < 0 ? 0 : ::read(ready[0], answer, sizeof answer);
        if (first > 0) ::waitpid(first, nullptr, 0);
        if (got == 1 && answer[0] == '+') return 0;
        return complain(got > 0 ? std::string(answer, static_cast<std::size_t>(got))
                                : "the supervisor did not come up");
    }
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::umask(022);
    (void)!::chdir("/");
    const int null = ::open("/dev/null", O_RDWR);
    for (int each = 0; each < 3; ++each) ::dup2(null, each);
    // Whatever the agent had open is not ours; only the pipe back stays.
    const int keep = ::fcntl(ready[1], F_DUPFD_CLOEXEC, 3);
    for (int each = 3; each < 65536; ++each) {
        if (each != keep && ::close(each) != 0 && each > 4096) break;
    }
    std::srand(static_cast<unsigned>(::getpid()));
    Shim shim(std::move(*spec), parent_dir(path));
    const auto begun = shim.begin();
    const std::string answer = begun ? "+" : begun.error().message;
    (void)!::write(keep, answer.data(), answer.size());
    ::close(keep);
    if (!begun) ::_exit(1);
    shim.loop();
    ::_exit(0);
}

}  // namespace clarity
