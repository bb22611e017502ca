#include "tests/cli/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace clarity::test {
namespace {

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

struct Pipe {
    int read = -1;
    int write = -1;
};

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    return {ends[0], ends[1]};
}

/// A pty whose far end is standard error of the program.
Pipe make_terminal() {
    Pipe ends;
    winsize size{40, 100, 0, 0};
    if (::openpty(&ends.read, &ends.write, nullptr, nullptr, &size) != 0) {
        throw std::runtime_error("openpty");
    }
    return ends;
}

[[noreturn]] void become(const std::string& program, const Run& run, int in, int out, int err) {
    ::setsid();
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    std::vector<std::string> environment = {"PATH=/usr/bin:/bin"};
    for (const auto& [name, value] : run.environment) environment.push_back(name + "=" + value);
    std::vector<std::string> words = {program};
    words.insert(words.end(), run.arguments.begin(), run.arguments.end());
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (auto& each : words) argv.push_back(each.data());
    for (auto& each : environment) envp.push_back(each.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    ::execve(program.c_str(), argv.data(), envp.data());
    ::_exit(127);
}

/// Appends what there is; false at the end.
bool take(int fd, std::string& text) {
    char buffer[8192];
    const auto count = ::read(fd, buffer, sizeof buffer);
    if (count <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(count));
    return true;
}

}  // namespace

Finished run_process(const std::string& program, const Run& run) {
    const auto in = make_pipe();
    const auto out = make_pipe();
    const auto err = run.terminal ? make_terminal() : make_pipe();
    const pid_t child = ::fork();
    if (child == 0) become(program, run, in.read, out.write, err.write);
    for (const int fd : {in.read, out.write, err.write}) ::close(fd);
    // Inputs of these tests fit into a pipe's buffer.
    [[maybe_unused]] const auto written = ::write(in.write, run.input.data(), run.input.size());
    ::close(in.write);

    Finished finished;
    const auto deadline = now_ms() + run.deadline_ms;
    bool open[2] = {true, true};
    bool interrupted = run.interrupt_at.empty();
    bool killed = false;
    while (open[0] || open[1]) {
        pollfd waits[2] = {{open[0] ? out.read : -1, POLLIN, 0},
                           {open[1] ? err.read : -1, POLLIN, 0}};
        const auto left = deadline - now_ms();
        if (left <= 0 && !killed) {
            ::kill(child, SIGKILL);
            killed = true;
        }
        const auto slice_ms = static_cast<int>(std::clamp<std::int64_t>(left, 10, 1000));
        if (::poll(waits, 2, slice_ms) <= 0) continue;
        if (waits[0].revents != 0) open[0] = take(out.read, finished.out);
        if (waits[1].revents != 0) open[1] = take(err.read, finished.err);
        if (!interrupted && finished.err.find(run.interrupt_at) != std::string::npos) {
            interrupted = true;
            ::kill(child, SIGINT);
        }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(out.read);
    ::close(err.read);
    if (WIFEXITED(status)) finished.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status) && !killed) finished.code = 128 + WTERMSIG(status);
    return finished;
}

TempFolder::TempFolder() {
    char name[] = "/tmp/clarity-cli-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::write(const std::string& name, const std::string& text) const {
    const auto path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
}

}  // namespace clarity::test
