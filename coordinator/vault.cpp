#include "coordinator/vault.hpp"

#include "protocol/keys.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::size_t value_max_bytes = 64U << 10;

/// Encrypted together with the value, so that a row moved to another name is noticed.
std::string label(const std::string& client, const std::string& name) {
    return client + '\0' + name + '\0';
}

}  // namespace

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > 128) return false;
    for (const char c : text) {
        const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!good) return false;
    }
    return text != "." && text != "..";
}

Result<void> Vault::put(const std::string& client, const std::string& name,
                        std::string_view value) {
    if (!is_name(client)) return fail(Errc::invalid, "\"{}\" is not a client code", client);
    if (!is_name(name)) {
        return fail(Errc::invalid,
                    "\"{}\" is not a name of a secret: letters, digits, '.', '_', '-'", name);
    }
    if (value.empty() || value.size() > value_max_bytes) {
        return fail(Errc::invalid, "secret {}: the value must have 1 to {} bytes", name,
                    value_max_bytes);
    }
    const Bytes boxed = encrypt(key_, label(client, name) + std::string(value));
    return store_->put(schema::key(schema::secret, {client, name}), boxed);
}

Result<std::string> Vault::resolve(const std::string& client, const std::string& name) const {
    CLARITY_TRY(const auto boxed, store_->get(schema::key(schema::secret, {client, name})));
    if (!boxed) {
        return fail(Errc::not_found,
                    "secret \"{}\" of client {} is not set; \"clarity secret set {} {}\" sets it",
                    name, client, client, name);
    }
    auto plain = decrypt(key_, *boxed);
    const auto expected = label(client, name);
    if (!plain || !plain->starts_with(expected)) {
        return fail(Errc::bad_signature,
                    "secret \"{}\" of client {} cannot be read with vault.key of the state folder",
                    name, client);
    }
    return plain->substr(expected.size());
}

Result<std::vector<std::string>> Vault::names(const std::string& client) const {
    CLARITY_TRY(const auto rows, store_->rows(schema::secret, {client}));
    std::vector<std::string> out;
    for (const auto& [key, boxed] : rows) out.push_back(key.substr(key.rfind('\0') + 1));
    return out;
}

}  // namespace clarity::coordinator
