#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace clarity::test {

/// A new folder under /tmp, or elsewhere, removed with all in it at the end.
class TempDir {
  public:
    explicit TempDir(const std::string& base = "/tmp") {
        std::string name = base + "/clarity-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = name;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

  private:
    std::string path_;
};

/// Bytes that look random and are the same in every run.
inline std::string noise(std::size_t size, unsigned long long seed) {
    std::string out(size, '\0');
    for (auto& byte : out) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        byte = static_cast<char>(seed >> 56U);
    }
    return out;
}

}  // namespace clarity::test
