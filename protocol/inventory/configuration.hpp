#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/plan.hpp"

namespace clarity::inventory {

/// Where something is written, for messages.
struct Place {
    std::string file;
    int line = 0;
};

/// A text that may hold references, and where it is written.
struct Text {
    std::string value;
    Place place;
    bool block = false;  ///< starts on the line after `place.line`
};

/// `config.yml` and `templates/` of one level of the tree.
struct Layer {
    std::string folder;                     ///< "" or "clients/acme/", with the slash
    std::map<std::string, Text> config;     ///< nested keys joined by dots: "database.host"
    std::map<std::string, Text> templates;  ///< by file name
};

/// All levels' configuration, by folder.
struct Configuration {
    std::map<std::string, Layer> layers;
};

/// What one server's texts see: its layers, most specific first, and built-in keys on top.
struct Scope {
    std::vector<const Layer*> layers;
    std::map<std::string, std::string> builtin;

    [[nodiscard]] std::vector<std::string> config_keys() const;
    [[nodiscard]] const Text* config(std::string_view key) const;
    /// By file name, or by the name without its extension.
    [[nodiscard]] const Text* find_template(std::string_view name) const;
};

/// The value of a secret.
using SecretLookup = std::function<Result<std::string>(const std::string& name)>;

/// A reference that leads nowhere, or is no reference at all.
struct ReferenceProblem {
    Place place;
    std::string message;
};

struct Interpolated {
    std::string text;
    bool has_secret = false;
    std::vector<std::string> secrets;  ///< names met, in order
    std::vector<ReferenceProblem> problems;
};

/// Replaces ${CONFIG:key}, ${TEMPLATE:name} and ${SECRET:name}; `$${` becomes `${`. Values of
/// CONFIG and TEMPLATE may hold references themselves (depth and size are capped, circles are
/// problems); secrets are taken as they are. Without `secret`, secrets become "".
[[nodiscard]] Interpolated interpolate(const Text& text, const Scope& scope,
                                       const SecretLookup& secret = nullptr);

}  // namespace clarity::inventory
