#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.hpp"

namespace clarity::cli {

/// Standard output, standard error and the person at the keyboard. One per process, main thread.
/// Data goes to standard output, everything else to standard error.
class Terminal {
  public:
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// Columns to lay tables out for; 0 = as wide as they need (not a terminal).
    [[nodiscard]] std::size_t out_width() const;
    /// The same of standard error.
    [[nodiscard]] std::size_t err_width() const;
    /// Whether standard error can show a block that is drawn again and again. Not where NO_COLOR
    /// is set or TERM is "dumb": whoever sets these reads lines.
    [[nodiscard]] bool can_redraw() const;
    /// The same of standard output, for `status --watch`.
    [[nodiscard]] bool can_clear() const;

    /// Data. False when nobody reads any more (a closed pipe).
    bool out(std::string_view text);
    /// A line for people on standard error, broken at blanks where a terminal is narrower; clears
    /// a drawn block first.
    void note(std::string_view line);
    /// Draws `lines` on standard error in place of the block drawn before.
    void draw(const std::vector<std::string>& lines);
    /// Leaves the drawn block where it is; what follows goes below.
    void keep_block();
    /// Empties the screen of standard output.
    void clear_screen();

    /// Whether somebody can be asked: /dev/tty opens.
    [[nodiscard]] static bool can_ask();
    /// Asks on /dev/tty. `secret` turns the echo off.
    [[nodiscard]] static Result<std::string> ask(std::string_view question, bool secret);

    /// From now on Ctrl-C and SIGTERM only set interrupted(); a second one ends the program.
    void catch_interrupts();
    [[nodiscard]] static bool interrupted();
    /// Waits, less when interrupted. False when it was.
    [[nodiscard]] static bool wait(std::int64_t ms);

  private:
    void erase_block();

    std::size_t block_lines_ = 0;
};

/// Milliseconds of a clock that never jumps.
[[nodiscard]] std::int64_t monotonic_ms();

}  // namespace clarity::cli
