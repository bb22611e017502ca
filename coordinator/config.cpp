#include "coordinator/config.hpp"

#include "protocol/yaml/yaml.hpp"
#include "storage/files.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::size_t config_max_bytes = 1U << 20;

void read_config(yaml::Map& map, Config& out) {
    out.state_dir = map.text("state_dir", yaml::Need::optional, out.state_dir);
    map.child("rest", [&](yaml::Map& rest) {
        out.rest_listen = rest.text("listen", yaml::Need::optional, out.rest_listen);
        out.rest_public_url = rest.text("public_url");
        if (!out.rest_public_url.empty() && !out.rest_public_url.starts_with("https://")) {
            rest.error(rest.line_of("public_url"),
                       "rest.public_url must start with https://, as in https://host:8470");
        }
        while (out.rest_public_url.ends_with('/')) out.rest_public_url.pop_back();
    });
    map.child("control", [&](yaml::Map& control) {
        out.control_listen = control.text("listen", yaml::Need::optional, out.control_listen);
        out.control_advertise = control.text("advertise");
    });
    map.child("log", [&](yaml::Map& log) {
        out.log_level = log.choice("level", {"debug", "info", "warning", "error"}, out.log_level);
        out.log_json = log.boolean("json", out.log_json);
    });
}

}  // namespace

Result<LoadedConfig> parse_config(const std::string& path, const std::string& text) {
    LoadedConfig out;
    CLARITY_TRY(out.warnings,
                yaml::read_settings(path, text, "coordinator.yml",
                                    [&](yaml::Map& map) { read_config(map, out.config); }));
    return out;
}

Result<LoadedConfig> load_config(const std::string& path, bool required) {
    if (!required && !file_exists(path)) return LoadedConfig{};
    const auto text = read_file(path, config_max_bytes);
    if (!text && text.error().code == Errc::not_found) {
        return fail(Errc::not_found,
                    "{}: no configuration there; write one (docs/operations.md) "
                    "or start without --config",
                    path);
    }
    if (!text) return tl::unexpected(text.error());
    return parse_config(path, *text);
}

}  // namespace clarity::coordinator
