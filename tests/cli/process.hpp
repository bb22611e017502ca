#pragma once

#include <map>
#include <string>
#include <vector>

namespace clarity::test {

/// How a program ended and what it said.
struct Finished {
    int code = -1;  ///< exit code; 128 + signal; -1 when it had to be killed
    std::string out;
    std::string err;
};

struct Run {
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;  ///< besides PATH; nothing is inherited
    std::string input;
    int deadline_ms = 20'000;
    /// Interrupted (SIGINT) once this text is on standard error; "" = never.
    std::string interrupt_at;
    bool terminal = false;  ///< standard error is a terminal of 100 columns (a pty)
};

/// Runs a program in a session of its own, without a controlling terminal: nothing can be asked.
[[nodiscard]] Finished run_process(const std::string& program, const Run& run);

/// A folder under /tmp, removed with all in it at the end.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string write(const std::string& name, const std::string& text) const;

  private:
    std::string path_;
};

}  // namespace clarity::test
