#include "node/drivers/cgroup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace clarity {
namespace {

constexpr const char* base = "/sys/fs/cgroup";
constexpr std::uint64_t period_us = 100'000;

bool put(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
}

bool is_dir(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool make_dir(const std::string& path) {
    return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

std::string quota(std::uint32_t percent) {
    return std::to_string(period_us * percent / 100);
}

void one_v1(const char* controller, const std::string& name, const char* file,
            const std::string& value, CgroupLimits& out) {
    const auto dir = std::string(base) + "/" + controller + "/" + name;
    if (!is_dir(std::string(base) + "/" + controller) || !make_dir(dir) ||
        !put(dir + "/" + file, value)) {
        out.notices.push_back(fmt::format(
            "no {} limit: this host's {} control group cannot be used", controller, controller));
        return;
    }
    out.procs.push_back(dir + "/cgroup.procs");
}

}  // namespace

CgroupLayout cgroup_layout() {
    if (::access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) return CgroupLayout::v2;
    if (is_dir("/sys/fs/cgroup/memory") || is_dir("/sys/fs/cgroup/cpu")) return CgroupLayout::v1;
    return CgroupLayout::none;
}

CgroupLimits make_cgroup(const std::string& name, std::uint64_t memory_max_bytes,
                         std::uint32_t cpu_percent_max) {
    CgroupLimits out;
    if (memory_max_bytes == 0 && cpu_percent_max == 0) return out;
    switch (cgroup_layout()) {
        case CgroupLayout::none:
            out.notices.emplace_back("no memory or CPU limit: this host has no control groups");
            break;
        case CgroupLayout::v1:
            if (memory_max_bytes != 0) {
                one_v1("memory", name, "memory.limit_in_bytes", std::to_string(memory_max_bytes),
                       out);
            }
            if (cpu_percent_max != 0) {
                one_v1("cpu", name, "cpu.cfs_quota_us", quota(cpu_percent_max), out);
            }
            break;
        case CgroupLayout::v2: {
            put(std::string(base) + "/cgroup.subtree_control", "+memory");
            put(std::string(base) + "/cgroup.subtree_control", "+cpu");
            const auto dir = std::string(base) + "/" + name;
            bool good = make_dir(dir);
            if (memory_max_bytes != 0) {
                good = good && put(dir + "/memory.max", std::to_string(memory_max_bytes));
            }
            if (cpu_percent_max != 0) {
                good = good && put(dir + "/cpu.max",
                                   quota(cpu_percent_max) + " " + std::to_string(period_us));
            }
            if (good) out.procs.push_back(dir + "/cgroup.procs");
            else out.notices.emplace_back("no memory or CPU limit: control group refused");
            break;
        }
    }
    return out;
}

void remove_cgroup(const std::string& name) {
    for (const char* part : {"/", "/memory/", "/cpu/"}) {
        ::rmdir((std::string(base) + part + name).c_str());
    }
}

}  // namespace clarity
