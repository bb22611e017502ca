#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clarity::inventory {

/// Semantic Versioning 2.0.0: three numbers, then optionally "-pre.release" and "+build".
[[nodiscard]] bool is_semantic_version(std::string_view text);
/// A version, or one after =, >=, <=, >, <, ^ (same major) or ~ (same major and minor).
[[nodiscard]] bool is_version_range(std::string_view text);
[[nodiscard]] bool satisfies(std::string_view version, std::string_view range);

/// Letters, digits and ._- ; starts with a letter or digit; at most 64. Ids, codes, hostnames.
[[nodiscard]] bool is_name(std::string_view text);
/// 8-4-4-4-12 hexadecimal digits.
[[nodiscard]] bool is_uuid(std::string_view text);
/// IPv4 or IPv6, without a prefix length or port.
[[nodiscard]] bool is_ip_address(std::string_view text);
[[nodiscard]] bool is_email(std::string_view text);
/// RFC 3339: "2026-01-31" alone or with "T12:00:00Z" or an offset.
[[nodiscard]] bool is_timestamp(std::string_view text);
[[nodiscard]] bool is_sha256(std::string_view text);
/// Why `path` is no safe absolute path, or nothing.
[[nodiscard]] std::optional<std::string> path_fault(std::string_view path);
/// No control bytes but tab and line ends, and valid UTF-8.
[[nodiscard]] bool is_plain_text(std::string_view text);

}  // namespace clarity::inventory
