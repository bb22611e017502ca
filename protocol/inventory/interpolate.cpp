#include <algorithm>

#include "protocol/inventory/configuration.hpp"
#include "protocol/yaml/yaml.hpp"

namespace clarity::inventory {
namespace {

constexpr std::size_t depth_max = 16;
constexpr std::size_t expansions_max = 10'000;
constexpr std::size_t output_max_bytes = 1U << 20;
constexpr std::size_t reference_max_bytes = 256;

bool is_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-' || c == '/';
    });
}

class Expander {
  public:
    Expander(const Scope& scope, const SecretLookup& secret) : scope_(scope), secret_(secret) {}

    void expand(const Text& text) {
        const std::string_view in = text.value;
        Place at = text.place;
        if (text.block) ++at.line;
        std::size_t from = 0;
        while (from < in.size() && !stopped_) {
            const auto open = in.find("${", from);
            if (open == std::string_view::npos) return emit(in.substr(from), at);
            const bool escaped = open > from && in[open - 1] == '$';
            const auto before = in.substr(from, open - from - (escaped ? 1 : 0));
            emit(before, at);
            if (text.block)
                at.line += static_cast<int>(std::count(before.begin(), before.end(), '\n'));
            if (escaped) {
                emit("${", at);
                from = open + 2;
                continue;
            }
            const auto close = in.find_first_of("}\n", open);
            if (close == std::string_view::npos || in[close] == '\n' ||
                close - open > reference_max_bytes) {
                problem(at, "\"${\" has no \"}\" on its line: write $${ for a literal ${");
                emit("${", at);
                from = open + 2;
                continue;
            }
            reference(in.substr(open + 2, close - open - 2), at);
            from = close + 1;
        }
    }

    Interpolated out;

  private:
    void reference(std::string_view body, const Place& at) {
        if (++expansions_ > expansions_max) return stop(at, "has too many references");
        const auto colon = body.find(':');
        const auto kind = body.substr(0, colon);
        const auto name = colon == std::string_view::npos ? "" : body.substr(colon + 1);
        if (kind != "CONFIG" && kind != "SECRET" && kind != "TEMPLATE") {
            return problem(at,
                           fmt::format("unknown reference ${{{0}}}: it must be CONFIG:, SECRET: or "
                                       "TEMPLATE: and a name; write $${{{0}}} for a literal",
                                       body));
        }
        if (!is_name(name)) {
            return problem(
                at, fmt::format("${{{}}}: a name is made of letters, digits and ._-/", body));
        }
        if (kind == "SECRET") return secret(std::string(name), at);
        const auto* found = kind == "CONFIG" ? scope_.config(name) : scope_.find_template(name);
        if (found == nullptr) {
            if (const auto builtin = scope_.builtin.find(std::string(name));
                kind == "CONFIG" && builtin != scope_.builtin.end()) {
                return emit(builtin->second, at);
            }
            return unknown(kind, name, at);
        }
        if (std::find(open_.begin(), open_.end(), found) != open_.end()) {
            return problem(at, fmt::format("${{{}}} leads back to itself", body));
        }
        if (open_.size() >= depth_max) {
            return problem(at, fmt::format("${{{}}} is nested more than {} deep", body, depth_max));
        }
        open_.push_back(found);
        expand(*found);
        open_.pop_back();
    }

    void unknown(std::string_view kind, std::string_view name, const Place& at) {
        if (kind == "CONFIG") {
            problem(at, fmt::format("${{CONFIG:{}}} is in no config.yml that applies{}", name,
                                    yaml::hint(name, scope_.config_keys())));
            return;
        }
        std::vector<std::string> known;
        for (const auto* layer : scope_.layers) {
            for (const auto& [file, text] : layer->templates) known.push_back(file);
        }
        problem(at, fmt::format("${{TEMPLATE:{}}} is in no templates/ folder that applies{}", name,
                                yaml::hint(name, known)));
    }

    void secret(const std::string& name, const Place& at) {
        out.has_secret = true;
        out.secrets.push_back(name);
        if (!secret_) return;
        auto value = secret_(name);
        if (value) return emit(*value, at);
        problem(at, fmt::format("${{SECRET:{}}}: {}", name, value.error().message));
    }

    void emit(std::string_view text, const Place& at) {
        if (out.text.size() + text.size() > output_max_bytes) {
            return stop(at, fmt::format("is more than {} bytes once its references are resolved",
                                        output_max_bytes));
        }
        out.text += text;
    }

    void problem(const Place& at, std::string message) {
        out.problems.push_back({at, std::move(message)});
    }

    void stop(const Place& at, std::string message) {
        if (!stopped_) problem(at, std::move(message));
        stopped_ = true;
    }

    const Scope& scope_;
    const SecretLookup& secret_;
    std::vector<const Text*> open_;
    std::size_t expansions_ = 0;
    bool stopped_ = false;
};

}  // namespace

std::vector<std::string> Scope::config_keys() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : builtin) out.push_back(key);
    for (const auto* layer : layers) {
        for (const auto& [key, value] : layer->config) out.push_back(key);
    }
    return out;
}

const Text* Scope::config(std::string_view key) const {
    const std::string name(key);
    for (const auto* layer : layers) {
        if (const auto at = layer->config.find(name); at != layer->config.end()) return &at->second;
    }
    return nullptr;
}

const Text* Scope::find_template(std::string_view name) const {
    for (const auto* layer : layers) {
        if (const auto at = layer->templates.find(std::string(name));
            at != layer->templates.end()) {
            return &at->second;
        }
        for (const auto& [file, text] : layer->templates) {
            if (file.substr(0, file.rfind('.')) == name) return &text;
        }
    }
    return nullptr;
}

Interpolated interpolate(const Text& text, const Scope& scope, const SecretLookup& secret) {
    Expander expander(scope, secret);
    expander.expand(text);
    return std::move(expander.out);
}

}  // namespace clarity::inventory
