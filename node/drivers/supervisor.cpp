#include "node/drivers/supervisor.hpp"

#include "protocol/json.hpp"

namespace clarity {

std::string encode_spec(const ProcessSpec& spec) {
    Json json;
    json["service"] = spec.service;
    json["key"] = spec.key;
    json["argv"] = spec.argv;
    json["env"] = spec.env;
    json["directory"] = spec.directory;
    json["user"] = spec.user;
    json["restart"] = std::string(name_of(spec.restart));
    json["autostart"] = spec.autostart;
    json["memory_max_bytes"] = spec.memory_max_bytes;
    json["cpu_percent_max"] = spec.cpu_percent_max;
    json["open_files_max"] = spec.open_files_max;
    json["backoff_min_ms"] = spec.backoff_min_ms;
    json["backoff_max_ms"] = spec.backoff_max_ms;
    json["log_max_bytes"] = spec.log_max_bytes;
    json["stop_signal"] = spec.stop_signal;
    json["lxc_path"] = spec.lxc_path;
    json["lxc_name"] = spec.lxc_name;
    return to_text(json, 1) + "\n";
}

Result<ProcessSpec> decode_spec(std::string_view text) {
    CLARITY_TRY(const auto json, parse_json(text));
    ProcessSpec spec;
    CLARITY_TRY(spec.service, json_get<std::string>(json, "service"));
    CLARITY_TRY(spec.key, json_get<std::string>(json, "key"));
    CLARITY_TRY(spec.argv, json_get<std::vector<std::string>>(json, "argv"));
    spec.env = json_or<std::map<std::string, std::string>>(json, "env", {});
    spec.directory = json_or<std::string>(json, "directory", {});
    spec.user = json_or<std::string>(json, "user", {});
    const auto policy = restart_policy_from(json_or<std::string>(json, "restart", "always"));
    if (!policy) return fail(Errc::invalid, "\"restart\" is no restart policy");
    spec.restart = *policy;
    spec.autostart = json_or(json, "autostart", true);
    spec.memory_max_bytes = json_or(json, "memory_max_bytes", spec.memory_max_bytes);
    spec.cpu_percent_max = json_or(json, "cpu_percent_max", spec.cpu_percent_max);
    spec.open_files_max = json_or(json, "open_files_max", spec.open_files_max);
    spec.backoff_min_ms = json_or(json, "backoff_min_ms", spec.backoff_min_ms);
    spec.backoff_max_ms = json_or(json, "backoff_max_ms", spec.backoff_max_ms);
    spec.log_max_bytes = json_or(json, "log_max_bytes", spec.log_max_bytes);
    spec.stop_signal = json_or(json, "stop_signal", spec.stop_signal);
    spec.lxc_path = json_or<std::string>(json, "lxc_path", {});
    spec.lxc_name = json_or<std::string>(json, "lxc_name", {});
    if (spec.argv.empty() && spec.lxc_name.empty()) {
        return fail(Errc::invalid, "\"argv\" is empty: nothing to run");
    }
    return spec;
}

std::string encode_status(const ShimStatus& status) {
    Json json;
    json["shim_pid"] = status.shim_pid;
    json["shim_start"] = status.shim_start;
    json["child_pid"] = status.child_pid;
    json["child_start"] = status.child_start;
    json["state"] = status.state;
    json["key"] = status.key;
    json["boot_id"] = status.boot_id;
    json["restarts"] = status.restarts;
    json["exit_code"] = status.exit_code;
    json["started_unix_ms"] = status.started_unix_ms;
    json["detail"] = status.detail;
    return to_text(json, 1) + "\n";
}

Result<ShimStatus> decode_status(std::string_view text) {
    CLARITY_TRY(const auto json, parse_json(text));
    ShimStatus status;
    CLARITY_TRY(status.state, json_get<std::string>(json, "state"));
    CLARITY_TRY(status.shim_pid, json_get<int>(json, "shim_pid"));
    status.shim_start = json_or(json, "shim_start", status.shim_start);
    status.child_pid = json_or(json, "child_pid", 0);
    status.child_start = json_or(json, "child_start", status.child_start);
    status.key = json_or<std::string>(json, "key", {});
    status.boot_id = json_or<std::string>(json, "boot_id", {});
    status.restarts = json_or(json, "restarts", status.restarts);
    status.exit_code = json_or(json, "exit_code", 0);
    status.started_unix_ms = json_or(json, "started_unix_ms", status.started_unix_ms);
    status.detail = json_or<std::string>(json, "detail", {});
    return status;
}

}  // namespace clarity
