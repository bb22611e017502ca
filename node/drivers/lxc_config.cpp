#include "node/drivers/lxc_config.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

namespace clarity {
namespace {

constexpr std::array<std::string_view, 14> allowed = {
    "lxc.init.cmd", "lxc.init.uid", "lxc.init.gid", "lxc.init.cwd",    "lxc.environment",
    "lxc.signal.",  "lxc.cap.drop", "lxc.cap.keep", "lxc.arch",        "lxc.autodev",
    "lxc.tty.max",  "lxc.pty.max",  "lxc.prlimit.", "lxc.no_new_privs"};

std::string trimmed(std::string_view text) {
    const auto from = text.find_first_not_of(" \t\r");
    if (from == std::string_view::npos) return {};
    return std::string(text.substr(from, text.find_last_not_of(" \t\r") - from + 1));
}

/// lxc.mount.entry is an fstab line: white space in a path is an octal escape there.
std::string fstab(const std::string& path) {
    std::string out;
    for (const char c : path) {
        if (c == ' ') out += "\\040";
        else if (c == '\t') out += "\\011";
        else if (c == '\\') out += "\\134";
        else out += c;
    }
    return out;
}

int signal_from(const std::string& text) {
    if (text == "SIGTERM") return SIGTERM;
    if (text == "SIGINT") return SIGINT;
    if (text == "SIGQUIT") return SIGQUIT;
    if (text == "SIGRTMIN+3") return SIGRTMIN + 3;
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) {
        return std::clamp(std::atoi(text.c_str()), 1, 64);
    }
    return SIGPWR;
}

/// "name" or number → uid and gid, by the container's own passwd.
Result<std::pair<std::string, std::string>> user_in(const std::string& rootfs,
                                                    const std::string& user) {
    std::ifstream file(rootfs + "/etc/passwd");
    for (std::string line; std::getline(file, line);) {
        std::vector<std::string> part;
        std::istringstream fields(line);
        for (std::string each; std::getline(fields, each, ':');) part.push_back(each);
        if (part.size() >= 4 && (part[0] == user || part[2] == user)) {
            return std::pair{part[2], part[3]};
        }
    }
    if (user.find_first_not_of("0123456789") == std::string::npos) return std::pair{user, user};
    return fail(Errc::not_found, "user \"{}\" is not in the container's /etc/passwd", user);
}

std::string limits(const Service& service) {
    std::string out;
    const auto quota = 1000ULL * service.cpu_percent_max;
    switch (cgroup_layout()) {
        case CgroupLayout::none: break;
        case CgroupLayout::v1:
            if (service.memory_max_bytes != 0 && ::access("/sys/fs/cgroup/memory", F_OK) == 0) {
                out += fmt::format("lxc.cgroup.memory.limit_in_bytes = {}\n",
                                   service.memory_max_bytes);
            }
            if (quota != 0 && ::access("/sys/fs/cgroup/cpu", F_OK) == 0) {
                out += fmt::format("lxc.cgroup.cpu.cfs_quota_us = {}\n", quota);
            }
            break;
        case CgroupLayout::v2:
            if (service.memory_max_bytes != 0) {
                out += fmt::format("lxc.cgroup2.memory.max = {}\n", service.memory_max_bytes);
            }
            if (quota != 0) out += fmt::format("lxc.cgroup2.cpu.max = {} 100000\n", quota);
            break;
    }
    return out;
}

struct Taken {
    std::string text;
    bool has_init = false;
    std::string halt;
};

Taken take_artifact_lines(const std::string& config, bool own_command) {
    Taken out;
    std::istringstream lines(config);
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        const auto key = trimmed(line.substr(0, equals));
        if (equals == std::string::npos || key.empty() || key[0] == '#') continue;
        const bool good = std::any_of(allowed.begin(), allowed.end(), [&](std::string_view each) {
            return each.back() == '.' ? key.starts_with(each) : key == each;
        });
        if (!good || (own_command && key == "lxc.init.cmd")) continue;
        const auto value = trimmed(line.substr(equals + 1));
        out.has_init = out.has_init || key == "lxc.init.cmd";
        if (key == "lxc.signal.halt") out.halt = value;
        out.text += key + " = " + value + "\n";
    }
    return out;
}

}  // namespace

Result<void> check_container(const Instance& instance) {
    const auto& service = instance.service;
    if (service.network == "bridge" && ::access("/sys/class/net/lxcbr0", F_OK) != 0) {
        return fail(Errc::unavailable,
                    "no bridge lxcbr0 on this host: set it up or use network "
                    "host for {}",
                    service.name);
    }
    if (!service.network.empty() && service.network != "host" && service.network != "bridge") {
        return fail(Errc::invalid, "network \"{}\": use host or bridge", service.network);
    }
    for (const auto& [name, value] : instance.config.env) {
        if (value.find('\n') != std::string::npos) {
            return fail(Errc::invalid, "environment variable {} has a line break: use a file",
                        name);
        }
    }
    for (const auto& each : service.volumes) {
        const bool bad = each.host_path.empty() || each.host_path[0] != '/' ||
                         each.container_path.empty() || each.container_path[0] != '/' ||
                         (each.host_path + each.container_path).find('\n') != std::string::npos ||
                         (each.container_path + "/").find("/../") != std::string::npos;
        if (bad) {
            return fail(Errc::invalid, "volume {}:{}: give absolute paths", each.host_path,
                        each.container_path);
        }
    }
    return {};
}

Result<ContainerConfig> container_config(const Instance& instance, const ContainerPlan& plan) {
    const auto& service = instance.service;
    CLARITY_CHECK(check_container(instance));
    const auto taken = take_artifact_lines(plan.from_artifact, !service.command.empty());
    ContainerConfig out;
    auto& text = out.text;
    text = "# Written by orchestrix-agent; changes are lost.\n" + taken.text;
    text += "lxc.uts.name = " + service.name + "\nlxc.rootfs.path = dir:" + plan.rootfs + "\n";
    text += "lxc.mount.auto = proc:mixed sys:mixed\nlxc.log.file = " + plan.log_path +
            "\nlxc.log.level = ERROR\nlxc.console.path = none\n";
    if (service.network == "bridge") {
        text += "lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.flags = up\n";
    } else {
        text += "lxc.net.0.type = none\n";
    }
    // A program as init ends on TERM; a whole init system (the default /sbin/init) on PWR.
    const bool program = !service.command.empty() || taken.has_init;
    out.stop_signal = !taken.halt.empty() ? signal_from(taken.halt) : program ? SIGTERM : SIGPWR;
    if (!service.user.empty() && service.user != "root") {
        CLARITY_TRY(const auto ids, user_in(plan.rootfs, service.user));
        text += "lxc.init.uid = " + ids.first + "\nlxc.init.gid = " + ids.second + "\n";
    }
    for (const auto& [name, value] : instance.config.env) {
        text += "lxc.environment = " + name + "=" + value + "\n";
    }
    for (const auto& each : service.volumes) {
        text += fmt::format("lxc.mount.entry = {} {} none {}bind,create=dir 0 0\n",
                            fstab(each.host_path), fstab(each.container_path.substr(1)),
                            each.read_only ? "ro," : "");
    }
    for (const auto& each : plan.mounts) {
        text +=
            fmt::format("lxc.mount.entry = {} {} none {}bind,create=file 0 0\n", fstab(each.from),
                        fstab(each.to.substr(1)), each.read_only ? "ro," : "");
    }
    text += limits(service);
    return out;
}

}  // namespace clarity
