#include "coordinator/store.hpp"

namespace clarity::coordinator {
namespace schema {

std::string key(std::string_view table, std::initializer_list<std::string_view> parts) {
    std::string out(table);
    for (const auto part : parts) {
        out += '\0';
        out += part;
    }
    return out;
}

std::string number(std::uint64_t value) {
    std::string out(8, '\0');
    for (std::size_t i = 8; i-- > 0; value >>= 8U) out[i] = static_cast<char>(value & 0xffU);
    return out;
}

std::uint64_t number_from(std::string_view bytes) {
    std::uint64_t out = 0;
    for (const char c : bytes.substr(0, 8)) out = out << 8U | static_cast<unsigned char>(c);
    return out;
}

}  // namespace schema

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
    CLARITY_TRY(auto kv, KeyValueStore::open(path));
    return std::unique_ptr<Store>(new Store(std::move(kv)));
}

Result<std::optional<Bytes>> Store::get(std::string_view key) const {
    return kv_->get(key);
}

Result<void> Store::put(std::string_view key, std::string_view value) {
    return kv_->put(key, value, Sync::yes);
}

Result<void> Store::erase(std::string_view key) {
    return kv_->erase(key, Sync::yes);
}

Result<void> Store::put_all(const std::vector<KeyValue>& rows) {
    Batch batch;
    for (const auto& [key, value] : rows) batch.put(key, value);
    return kv_->apply(batch, Sync::yes);
}

Result<std::optional<Json>> Store::get_json(std::string_view key) const {
    CLARITY_TRY(const auto bytes, kv_->get(key));
    if (!bytes) return std::optional<Json>();
    CLARITY_TRY(auto json, parse_json(*bytes));
    return std::optional<Json>(std::move(json));
}

Result<void> Store::put_json(std::string_view key, const Json& value) {
    return put(key, to_text(value));
}

Result<std::vector<KeyValue>> Store::rows(std::string_view table,
                                          std::initializer_list<std::string_view> parts) const {
    std::vector<KeyValue> out;
    const auto prefix = schema::key(table, parts) + '\0';
    CLARITY_CHECK(kv_->scan(prefix, [&](std::string_view key, std::string_view value) {
        out.emplace_back(key, value);
        return true;
    }));
    return out;
}

}  // namespace clarity::coordinator
