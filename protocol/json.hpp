#pragma once

// The one place that includes nlohmann-json: answers, REST bodies and `-o json`.
#include <nlohmann/json.hpp>

#include "protocol/error.hpp"

namespace clarity {

/// Keeps the order of keys as written: `-o json` is stable for people and diff.
using Json = nlohmann::ordered_json;

/// Parses at most `size_max_bytes` of UTF-8 text, nested at most 64 deep.
[[nodiscard]] Result<Json> parse_json(std::string_view text,
                                      std::size_t size_max_bytes = 64U << 20);
/// Text of any JSON, invalid UTF-8 replaced, never throwing.
[[nodiscard]] std::string to_text(const Json& json, int indent = -1);

/// Field of an object as T, or an error naming the key.
template <class T>
[[nodiscard]] Result<T> json_get(const Json& object, const char* key) {
    if (!object.is_object() || !object.contains(key)) {
        return fail(Errc::invalid, "missing \"{}\"", key);
    }
    try {
        return object.at(key).get<T>();
    } catch (const nlohmann::json::exception&) {
        return fail(Errc::invalid, "\"{}\" has the wrong type", key);
    }
}

/// Field of an object as T, or `fallback` where it is absent, null or of another type.
template <class T>
[[nodiscard]] T json_or(const Json& object, const char* key, T fallback) {
    auto value = json_get<T>(object, key);
    return value ? *std::move(value) : std::move(fallback);
}

}  // namespace clarity
