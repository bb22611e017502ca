#include "coordinator/inventory_store.hpp"

#include "coordinator/clock.hpp"
#include "protocol/sha256.hpp"

namespace clarity::coordinator {
namespace {

Digest digest_of(const inventory::Files& files) {
    Sha256 hash;
    for (const auto& [path, text] : files) {
        hash.update(fmt::format("{} {}\n", path.size(), text.size()));
        hash.update(path);
        hash.update(text);
    }
    return hash.finish();
}

/// Relative, plain, below the tree: nothing that could mean another place.
bool is_safe_path(std::string_view path) {
    if (path.empty() || path.size() > 256 || path.ends_with('/')) return false;
    std::size_t start = 0;
    while (start <= path.size()) {
        const auto end = std::min(path.find('/', start), path.size());
        const auto part = path.substr(start, end - start);
        if (part.empty() || part == "." || part == "..") return false;
        start = end + 1;
    }
    for (const char c : path) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7f) return false;
    }
    return true;
}

Result<void> check_files(const inventory::Files& files) {
    if (files.size() > InventoryStore::files_max) {
        return fail(Errc::invalid, "the inventory has {} files, over the limit of {}", files.size(),
                    InventoryStore::files_max);
    }
    std::size_t total = 0;
    for (const auto& [path, text] : files) {
        if (!is_safe_path(path)) return fail(Errc::invalid, "\"{}\" is not a path in a tree", path);
        if (text.size() > InventoryStore::file_max_bytes) {
            return fail(Errc::invalid, "{}: {} bytes are over the limit of {}", path, text.size(),
                        InventoryStore::file_max_bytes);
        }
        total += text.size();
    }
    if (total > InventoryStore::total_max_bytes) {
        return fail(Errc::invalid, "the inventory has {} bytes, over the limit of {}", total,
                    InventoryStore::total_max_bytes);
    }
    return {};
}

}  // namespace

const inventory::Server* find_server(const inventory::Inventory& inventory, std::string_view site,
                                     std::string_view name) {
    for (const auto& server : inventory.servers) {
        if (server.site() == site && (server.id == name || server.hostname == name)) return &server;
    }
    return nullptr;
}

Result<InventoryStore> InventoryStore::load(Store& store) {
    InventoryStore out(store);
    CLARITY_TRY(const auto history, store.rows(schema::inventory_history));
    out.uploads_ = history.size();
    if (history.empty()) return out;
    CLARITY_TRY(const auto row, parse_json(history.back().second));
    CLARITY_TRY(const auto digest, Digest::from_hex(json_or<std::string>(row, "digest", "")));
    CLARITY_TRY(out.current_, out.find(digest));
    return out;
}

Result<InventoryOutcome> InventoryStore::put(const inventory::Files& files, const std::string& by,
                                             std::int64_t now_unix_s) {
    CLARITY_CHECK(check_files(files));
    InventoryOutcome out;
    out.digest = digest_of(files);
    auto loaded = inventory::load(files);
    out.accepted = loaded.ok();
    out.problems = std::move(loaded.problems);
    if (!out.accepted) return out;
    out.unchanged = current_ && current_->digest == out.digest;
    if (!out.unchanged) {
        const Json row{{"digest", out.digest.hex()}, {"at", now_unix_s}, {"by", by}};
        CLARITY_CHECK(store_->put_all(
            {{schema::key(schema::inventory_files, {out.digest.hex()}), to_text(Json(files))},
             {schema::key(schema::inventory_history, {schema::number(uploads_ + 1)}),
              to_text(row)}}));
        ++uploads_;
        current_ = std::make_shared<const StoredInventory>(
            StoredInventory{out.digest, files, std::move(loaded.inventory)});
    }
    out.stored = current_;
    return out;
}

Result<std::shared_ptr<const StoredInventory>> InventoryStore::current() const {
    if (current_) return current_;
    return fail(Errc::conflict, "there is no inventory yet; \"clarity apply\" uploads one");
}

Result<std::shared_ptr<const StoredInventory>> InventoryStore::find(const Digest& digest) const {
    if (current_ && current_->digest == digest) return current_;
    CLARITY_TRY(const auto json,
                store_->get_json(schema::key(schema::inventory_files, {digest.hex()})));
    if (!json || !json->is_object()) {
        return fail(Errc::not_found, "there is no inventory {}", digest.hex());
    }
    inventory::Files files;
    for (const auto& [path, text] : json->items()) {
        if (text.is_string()) files[path] = text.get<std::string>();
    }
    auto loaded = inventory::load(files);
    return std::make_shared<const StoredInventory>(
        StoredInventory{digest, std::move(files), std::move(loaded.inventory)});
}

Result<Json> InventoryStore::history() const {
    CLARITY_TRY(const auto rows, store_->rows(schema::inventory_history));
    Json out = Json::array();
    for (const auto& [key, bytes] : rows) {
        CLARITY_TRY(auto row, parse_json(bytes));
        row["at"] = utc_text(json_or<std::int64_t>(row, "at", 0));
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace clarity::coordinator
