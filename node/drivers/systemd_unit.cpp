#include "node/drivers/systemd_unit.hpp"

#include <algorithm>
#include <cctype>

#include "protocol/sha256.hpp"

namespace clarity::systemd {
namespace {

constexpr std::string_view key_line = "\nX-OrchestrixKey=";
constexpr std::string_view sum_line = "# sha256 ";

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// A value that is taken whole: only specifiers are expanded in it.
std::string plain(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '%' ? std::string("%%") : std::string(1, c);
    return out;
}

/// One word of a command line, quoted: nothing in it is expanded. The program itself (`first`)
/// knows no variables, so that a $ in it stays alone.
std::string quoted(const std::string& text, bool first) {
    std::string out = "\"";
    for (const char c : text) {
        if (is_control(c)) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        if (c == '%' || (c == '$' && !first)) out += c;
        out += c;
    }
    return out + "\"";
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t size = lead < 0x80         ? 1
                                 : (lead >> 5) == 6  ? 2
                                 : (lead >> 4) == 14 ? 3
                                 : (lead >> 3) == 30 ? 4
                                                     : 0;
        if (size == 0 || i + size > text.size()) return false;
        for (std::size_t k = 1; k < size; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) >> 6) != 2) return false;
        }
        i += size;
    }
    return true;
}

const char* restart_word(RestartPolicy policy) {
    switch (policy) {
        case RestartPolicy::never: return "no";
        case RestartPolicy::on_failure: return "on-failure";
        case RestartPolicy::always:
        case RestartPolicy::unless_stopped: break;  // a stopped one is disabled too
    }
    return "always";
}

std::string limits_text(const ProcessSpec& spec, int version) {
    const auto first_ms = std::max<std::uint32_t>(spec.backoff_min_ms, 1000);
    std::string text =
        fmt::format("Restart={}\nRestartSec={}ms\n", restart_word(spec.restart), first_ms);
    if (version >= 254) {
        text += fmt::format("RestartSteps=8\nRestartMaxDelaySec={}ms\n",
                            std::max(spec.backoff_max_ms, first_ms));
    }
    text += fmt::format("LimitNOFILE={}\n", spec.open_files_max);
    if (spec.memory_max_bytes != 0) text += fmt::format("MemoryMax={}\n", spec.memory_max_bytes);
    if (spec.cpu_percent_max != 0) text += fmt::format("CPUQuota={}%\n", spec.cpu_percent_max);
    if (spec.stop_signal != 15) text += fmt::format("KillSignal={}\n", spec.stop_signal);
    return text;
}

}  // namespace

std::string unit_name(const std::string& node_id, const std::string& service) {
    std::string name;
    for (const char c : service) {  // + and ~ may be in a service's name, not in a unit's
        const bool fits =
            std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
        name += fits ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    return "orchestrix-" + sha256(node_id).hex().substr(0, 8) + "-" + name + ".service";
}

Result<std::string> environment_text(const std::map<std::string, std::string>& env) {
    std::string text;
    for (const auto& [name, value] : env) {
        const bool named = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                           std::all_of(name.begin(), name.end(), [](unsigned char c) {
                               return c < 0x80 && (std::isalnum(c) != 0 || c == '_');
                           });
        if (!named) {
            return fail(Errc::invalid,
                        "environment variable \"{}\": systemd takes letters, digits "
                        "and _ only, and no digit first",
                        name);
        }
        const bool fits = std::none_of(value.begin(), value.end(), [](char c) {
            return is_control(c) && c != '\n' && c != '\t';
        });
        if (!fits || !is_utf8(value)) {
            return fail(Errc::invalid,
                        "environment variable {}: systemd takes UTF-8 text without "
                        "control characters; put this value into a file",
                        name);
        }
        text += name + "=\"";
        for (const char c : value) {
            if (c == '"' || c == '\\' || c == '$' || c == '`') text += '\\';
            text += c;
        }
        text += "\"\n";
    }
    return text;
}

std::string unit_text(const ProcessSpec& spec, const UnitPlace& place) {
    std::string exec;
    for (const auto& each : spec.argv) {
        exec += (exec.empty() ? "" : " ") + quoted(each, exec.empty());
    }
    std::string after = "network-online.target";
    for (const auto& each : spec.after) after += " " + unit_name(place.node_id, each);
    std::string text = fmt::format(
        "# Written by orchestrix-agent; changes are lost.\n[Unit]\nDescription={} (orchestrix)\n"
        "Wants=network-online.target\nAfter={}\nStartLimitIntervalSec=0{}{}\n\n[Service]\n"
        "Type=exec\nExecStart={}\nEnvironmentFile={}\nTimeoutStopSec=30\nKillMode=mixed\n"
        "SyslogIdentifier={}\n{}",
        spec.service, after, key_line, spec.key, exec, plain(place.env_file), spec.service,
        limits_text(spec, place.version));
    if (!spec.directory.empty()) text += "WorkingDirectory=" + plain(spec.directory) + "\n";
    if (!spec.user.empty()) text += "User=" + plain(spec.user) + "\n";
    if (spec.autostart) text += "\n[Install]\nWantedBy=multi-user.target\n";
    return text + std::string(sum_line) + sha256(text).hex() + "\n";
}

std::string key_of(std::string_view text) {
    const auto at = text.find(key_line);
    if (at == std::string_view::npos) return {};
    const auto from = at + key_line.size();
    return std::string(text.substr(from, text.find('\n', from) - from));
}

bool is_untouched(std::string_view text) {
    const auto at = text.rfind(sum_line);
    if (at == std::string_view::npos) return false;
    const auto sum = text.substr(at + sum_line.size());
    return sum == sha256(text.substr(0, at)).hex() + "\n";
}

void describe(const UnitFacts& facts, Observation& out) {
    const bool by_signal = facts.exit_kind == 2 || facts.exit_kind == 3;
    out.exit_code = by_signal ? 128 + facts.exit_status : facts.exit_status;
    const auto ended = by_signal ? fmt::format("killed by signal {}", facts.exit_status)
                                 : fmt::format("ended with exit code {}", facts.exit_status);
    const bool plain_end = facts.result == "success" || facts.result == "exit-code" ||
                           facts.result == "signal" || facts.result == "core-dump";
    const auto why = facts.result == "oom-kill" ? "killed: over its memory limit"
                     : facts.result == "resources"
                         ? std::string("systemd could not start it: see its log")
                     : plain_end || facts.result.empty() ? ended
                                                         : ended + " (" + facts.result + ")";
    if (facts.load != "loaded") {
        out.state = RunState::stopped;
        out.detail = "systemd: its unit is " + facts.load;
    } else if (facts.sub == "auto-restart") {
        out.state = RunState::waiting;
        out.detail = why + "; systemd starts it again";
    } else if (facts.active == "active" || facts.active == "reloading" ||
               facts.active == "deactivating") {
        out.state = RunState::running;
    } else if (facts.active == "activating" || (facts.job && facts.active == "inactive")) {
        out.state = RunState::waiting;
        out.detail = "systemd starts it";
    } else {
        out.state = RunState::stopped;
        if (facts.active == "failed" && out.exit_code == 0) {  // no process, or the limit's end
            out.exit_code = 1;
            out.state = RunState::failed;
        }
        out.detail = facts.exit_kind == 0 && facts.active != "failed" ? "not started" : why;
    }
}

}  // namespace clarity::systemd
