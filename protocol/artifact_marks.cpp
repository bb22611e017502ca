#include "protocol/artifact_marks.hpp"

#include <algorithm>

namespace clarity {

std::uint64_t artifact_mark(const Digest& sha256) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < sizeof out; ++i) out = out << 8 | sha256.data[i];
    return out;
}

std::vector<std::uint64_t> artifact_marks(const std::vector<Digest>& artifacts) {
    std::vector<std::uint64_t> out;
    for (const auto& each : artifacts) {
        if (out.size() == artifact_marks_max) break;
        out.push_back(artifact_mark(each));
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

}  // namespace clarity
