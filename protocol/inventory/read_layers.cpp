#include <algorithm>

#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

void flatten(Reading& in, const std::string& file, const std::string& prefix,
             const yaml::Value& value, std::map<std::string, Text>& out) {
    for (const auto& entry : value.entries) {
        const auto key = prefix.empty() ? entry.key : prefix + "." + entry.key;
        if (entry.value.is_map()) {
            flatten(in, file, key, entry.value, out);
            continue;
        }
        if (entry.value.is_list()) {
            in.problems.error(
                file, entry.line,
                fmt::format("\"{}\" is a list: a configuration value is one text", key));
            continue;
        }
        if (std::find(std::begin(builtin_keys), std::end(builtin_keys), key) !=
            std::end(builtin_keys)) {
            in.problems.error(file, entry.line,
                              fmt::format("\"{}\" is built in and cannot be set", key));
            continue;
        }
        const auto [at, fresh] =
            out.emplace(key, Text{entry.value.scalar, {file, entry.value.line}, entry.value.block});
        if (!fresh) {
            in.problems.error(
                file, entry.line,
                fmt::format("\"{}\" is here twice (first in line {})", key, at->second.place.line));
        }
    }
}

void read_config(Reading& in, const std::string& path, Layer& layer) {
    const auto tree = parse_file(in, path);
    if (!tree) return;
    if (!tree->is_map() && tree->kind != yaml::Value::Kind::null) {
        in.problems.error(path, tree->line, "must be a map of keys and values");
        return;
    }
    flatten(in, path, "", *tree, layer.config);
}

/// "clients/acme/templates/x.yml" → "clients/acme/", "x.yml"; nothing for another kind of path.
std::optional<std::pair<std::string, std::string>> template_of(const std::string& path) {
    const auto at = path.rfind("templates/");
    if (at == std::string::npos || (at > 0 && path[at - 1] != '/')) return std::nullopt;
    auto name = path.substr(at + 10);
    if (name.empty() || name.starts_with('.')) return std::nullopt;
    return std::pair(path.substr(0, at), std::move(name));
}

}  // namespace

void read_layers(Reading& in) {
    constexpr std::size_t template_max_bytes = 1U << 20;
    for (const auto& [path, text] : in.files) {
        if (path.starts_with("repositories/") || path.starts_with("artifacts/")) continue;
        if (path == "config.yml" || path.ends_with("/config.yml")) {
            const auto folder = path.substr(0, path.size() - 10);
            auto& layer = in.out.configuration.layers[folder];
            layer.folder = folder;
            read_config(in, path, layer);
        } else if (const auto found = template_of(path)) {
            if (text.size() > template_max_bytes) {
                in.problems.error(path, 0,
                                  fmt::format("is {} bytes: a template has at most {}", text.size(),
                                              template_max_bytes));
                continue;
            }
            auto& layer = in.out.configuration.layers[found->first];
            layer.folder = found->first;
            const auto stem = found->second.substr(0, found->second.rfind('.'));
            for (const auto& [other, each] : layer.templates) {
                if (other.substr(0, other.rfind('.')) == stem) {
                    in.problems.error(path, 0,
                                      fmt::format("and {} are both ${{TEMPLATE:{}}}: rename "
                                                  "one",
                                                  each.place.file, stem));
                }
            }
            // Line 0 and `block`: the text itself starts in line 1.
            layer.templates[found->second] = Text{text, {path, 0}, true};
        }
    }
}

}  // namespace clarity::inventory
