#include "cli/terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "cli/view/width.hpp"

namespace clarity::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;
int wake_pipe[2] = {-1, -1};

extern "C" void on_interrupt(int) {
    if (interrupts != 0) _exit(130);
    interrupts = 1;
    const char byte = 0;
    [[maybe_unused]] const auto written = ::write(wake_pipe[1], &byte, 1);
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

bool has_value(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

bool plain_wanted() {
    const char* term = std::getenv("TERM");
    return has_value("NO_COLOR") || term == nullptr || std::string_view(term) == "dumb";
}

winsize size_of(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) size = {};
    return size;
}

/// /dev/tty with the echo off for as long as this lives.
class Quiet {
  public:
    explicit Quiet(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
        if (!changed_) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
    }
    ~Quiet() {
        if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

  private:
    int fd_;
    termios before_{};
    bool changed_;
};

Result<std::string> read_line(int fd) {
    std::string line;
    char byte = 0;
    while (line.size() < 4096) {
        const auto count = ::read(fd, &byte, 1);
        if (count < 0 && errno == EINTR && !Terminal::interrupted()) continue;
        if (count <= 0) return fail(Errc::cancelled, "no answer was given");
        if (byte == '\n') return line;
        line += byte;
    }
    return fail(Errc::invalid, "the answer is longer than 4096 bytes");
}

}  // namespace

Terminal::Terminal() {
    std::signal(SIGPIPE, SIG_IGN);
}

Terminal::~Terminal() {
    keep_block();
}

std::size_t Terminal::out_width() const {
    return ::isatty(STDOUT_FILENO) == 1 ? size_of(STDOUT_FILENO).ws_col : 0;
}

std::size_t Terminal::err_width() const {
    return ::isatty(STDERR_FILENO) == 1 ? size_of(STDERR_FILENO).ws_col : 0;
}

bool Terminal::can_redraw() const {
    return ::isatty(STDERR_FILENO) == 1 && !plain_wanted();
}

bool Terminal::can_clear() const {
    return ::isatty(STDOUT_FILENO) == 1 && !plain_wanted();
}

bool Terminal::out(std::string_view text) {
    erase_block();
    return write_all(STDOUT_FILENO, text);
}

void Terminal::note(std::string_view line) {
    erase_block();
    std::string text;
    for (const auto& each : wrapped(printable(line), err_width())) text += each + "\n";
    write_all(STDERR_FILENO, text);
}

void Terminal::draw(const std::vector<std::string>& lines) {
    const auto size = size_of(STDERR_FILENO);
    const std::size_t width = size.ws_col > 1 ? size.ws_col - 1U : 79U;
    const std::size_t height = size.ws_row > 2 ? size.ws_row - 1U : 23U;
    const std::size_t shown = std::min(lines.size(), height);
    std::string text;
    if (block_lines_ > 0) text += fmt::format("\x1b[{}A", block_lines_);
    for (std::size_t i = 0; i < shown; ++i) {
        text += '\r';
        text += fit(lines[i], width);
        text += "\x1b[K\n";
    }
    text += "\x1b[J";
    write_all(STDERR_FILENO, text);
    block_lines_ = shown;
}

void Terminal::keep_block() {
    block_lines_ = 0;
}

void Terminal::erase_block() {
    if (block_lines_ == 0) return;
    write_all(STDERR_FILENO, fmt::format("\x1b[{}A\r\x1b[J", block_lines_));
    block_lines_ = 0;
}

void Terminal::clear_screen() {
    write_all(STDOUT_FILENO, "\x1b[H\x1b[2J");
}

bool Terminal::can_ask() {
    const int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
}

Result<std::string> Terminal::ask(std::string_view question, bool secret) {
    const int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return fail(Errc::unavailable, "there is no terminal to ask on");
    write_all(fd, printable(question) + " ");
    Result<std::string> line;
    if (secret) {
        const Quiet quiet(fd);
        line = read_line(fd);
        write_all(fd, "\n");
    } else {
        line = read_line(fd);
    }
    ::close(fd);
    return line;
}

void Terminal::catch_interrupts() {
    if (wake_pipe[0] >= 0 || ::pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return;
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

bool Terminal::interrupted() {
    return interrupts != 0;
}

bool Terminal::wait(std::int64_t ms) {
    const auto until = monotonic_ms() + ms;
    while (!interrupted()) {
        const auto left = until - monotonic_ms();
        if (left <= 0) return true;
        pollfd wake{wake_pipe[0], POLLIN, 0};
        const auto slice_ms = static_cast<int>(std::min<std::int64_t>(left, 1000));
        ::poll(&wake, wake_pipe[0] < 0 ? 0 : 1, slice_ms);
    }
    return false;
}

std::int64_t monotonic_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace clarity::cli
