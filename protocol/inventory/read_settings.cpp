#include <charconv>

#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

using yaml::Map;
using yaml::Need;

bool is_base64(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (text.empty()) return false;
    std::size_t count = 0;
    std::size_t padding = 0;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (c == '\n') continue;
        if (!letter && c != '=') return false;
        if (c == '=') ++padding;
        else if (padding > 0) return false;
        ++count;
    }
    return count % 4 == 0 && padding <= 2;
}

FileText read_file_text(Map& map) {
    FileText out;
    out.path = text_of(map, "path", Need::required);
    if (!map.has("content")) {
        map.error(map.line(),
                  "config_files entry has no \"content\": write base64, plain text or "
                  "${TEMPLATE:name}");
    }
    out.content = text_of(map, "content");
    const auto encoding = map.choice("encoding", {"base64", "text"});
    const bool guessed = encoding.empty() && is_base64(out.content.value);
    if (encoding == "base64" || guessed) {
        const auto line = map.line_of("content");
        auto decoded = from_base64(out.content.value);
        if (!decoded) {
            map.error(line, fmt::format("\"content\" is no base64 ({})", decoded.error().message));
        } else {
            out.binary = !is_plain_text(*decoded);
            if (out.binary && guessed) {
                map.warning(line,
                            "\"content\" is taken as base64 and holds no text: write "
                            "\"encoding: base64\", or \"encoding: text\" to keep it as it is");
            }
            out.content.value = *std::move(decoded);
            out.content.block = false;
        }
    }
    if (const auto mode = map.text("mode"); !mode.empty()) {
        std::uint32_t bits = 0;
        auto digits = std::string_view(mode);
        if (digits.starts_with("0o")) digits.remove_prefix(2);
        const auto [at, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), bits, 8);
        if (error != std::errc{} || at != digits.data() + digits.size() || bits > 0777) {
            map.error(map.line_of("mode"), fmt::format("mode \"{}\" must be octal, at most 0777: "
                                                       "write \"0640\"",
                                                       mode));
        } else {
            out.mode = bits;
        }
    }
    return out;
}

void read_command(Map& map, ServiceSettings& out) {
    const auto* value = map.take("command");
    if (value == nullptr || value->kind == yaml::Value::Kind::null) return;
    if (value->kind == yaml::Value::Kind::scalar) {
        std::string_view rest = value->scalar;
        while (!rest.empty()) {
            const auto from = rest.find_first_not_of(" \t\n");
            if (from == std::string_view::npos) break;
            rest.remove_prefix(from);
            const auto end = std::min(rest.find_first_of(" \t\n"), rest.size());
            out.command.push_back({std::string(rest.substr(0, end)), {map.file(), value->line}});
            rest.remove_prefix(end);
        }
        return;
    }
    (void)map.texts("command");  // says what is wrong with it
    for (const auto& item : value->items) {
        out.command.push_back({item.scalar, {map.file(), item.line}, item.block});
    }
}

void read_resources(Map& map, ServiceSettings& out) {
    map.child("resources", [&](Map& resources) {
        out.memory_max_bytes =
            static_cast<std::uint64_t>(resources.integer("memory_mb", 1, 1 << 24, 0)) << 20;
        out.cpu_percent_max =
            static_cast<std::uint32_t>(resources.integer("cpu_percent", 1, 100 * 1024, 0));
    });
}

void read_startup(Map& map, ServiceSettings& out) {
    map.child("startup", [&](Map& startup) {
        out.watch.stable_s = static_cast<std::uint32_t>(startup.integer("stable_s", 0, 3600, 3));
        out.watch.timeout_s =
            static_cast<std::uint32_t>(startup.integer("timeout_s", 1, 86400, 60));
        out.watch.tcp_port = static_cast<std::uint16_t>(startup.integer("tcp_port", 1, 65535, 0));
        out.watch_address = text_of(startup, "address");
        out.watch_http_path = text_of(startup, "http_path");
        if (out.watch.timeout_s < out.watch.stable_s) {
            startup.error(
                startup.line_of("timeout_s"),
                fmt::format("\"timeout_s\" {} is less than \"stable_s\" {}: no start could "
                            "ever pass",
                            out.watch.timeout_s, out.watch.stable_s));
        }
        if (out.watch.tcp_port == 0 && startup.has("http_path")) {
            startup.error(startup.line_of("http_path"), "\"http_path\" wants a \"tcp_port\" too");
        }
        if (const auto& path = out.watch_http_path.value; !path.empty() && path[0] != '/') {
            startup.error(startup.line_of("http_path"), "\"http_path\" must start with /");
        }
    });
}

void read_ports(Map& map, ServiceSettings& out) {
    map.each("ports", [&](Map& port) {
        const auto internal = port.integer("internal", 1, 65535, 0, Need::required);
        const auto external = port.integer("external", 1, 65535, internal);
        out.ports.push_back({static_cast<std::uint16_t>(internal),
                             static_cast<std::uint16_t>(external),
                             {map.file(), port.line()}});
    });
}

}  // namespace

Text text_of(Map& map, std::string_view key, Need need) {
    const auto text = map.text(key, need);
    const auto* value = map.take(key);
    if (value == nullptr) return {text, {map.file(), map.line()}};
    return {text, {map.file(), value->line}, value->block};
}

ServiceSettings read_settings(Map& map) {
    ServiceSettings out;
    for (const auto& entry : map.entries("env_vars")) {
        if (entry.key.empty() || entry.key.find_first_of("= \t\n") != std::string::npos) {
            map.error(entry.line,
                      fmt::format("\"{}\" is no name for an environment variable", entry.key));
            continue;
        }
        out.env[entry.key] =
            Text{entry.value.scalar, {map.file(), entry.value.line}, entry.value.block};
    }
    map.each("config_files", [&](Map& file) { out.files.push_back(read_file_text(file)); });
    read_ports(map, out);
    map.each("volumes", [&](Map& volume) {
        Volume one;
        one.host_path = text_of(volume, "host_path", Need::required);
        one.container_path = text_of(volume, "container_path", Need::required);
        one.read_only = volume.choice("mode", {"rw", "ro"}, "rw") == "ro";
        out.volumes.push_back(std::move(one));
    });
    out.autostart = map.boolean("autostart", true);
    const auto policy =
        map.choice("restart_policy", {"always", "on-failure", "unless-stopped", "never"}, "always");
    out.restart = restart_policy_from(policy).value_or(RestartPolicy::always);
    read_command(map, out);
    out.network = map.choice("network", {"host", "bridge"});
    out.user = text_of(map, "user");
    read_resources(map, out);
    read_startup(map, out);
    return out;
}

}  // namespace clarity::inventory
