#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "storage/files.hpp"
#include "storage/kv.hpp"

namespace clarity::test {

/// What a power cut leaves of the changes that were not synced. A file system may keep any of them;
/// these are the ends of what it may do.
enum class Survives {
    nothing,   ///< only what was synced
    metadata,  ///< names and lengths, but not the bytes: zeros in their place
    all,       ///< as after a kill
};

/// A machine whose power is cut after so many changes to its files and its store: every later one
/// fails. Keeps in memory what of them would be on the disk.
class Machine : public FileTap {
  public:
    explicit Machine(std::string root) : root_(std::move(root)) { names_.insert({root_, 0}); }

    /// Changes that go through; -1 = all.
    void cut_after(int changes) { left_ = changes; }
    [[nodiscard]] bool is_cut() const { return cut_; }
    [[nodiscard]] int changes() const { return changes_; }
    /// Of the store, which counts like files.
    [[nodiscard]] bool may_change() {
        const std::lock_guard lock(mutex_);
        return count();
    }

    [[nodiscard]] int before(const FileOperation& op) override {
        const std::lock_guard lock(mutex_);
        if (!op.path.starts_with(root_)) return 0;
        if (!count()) return EIO;
        using Kind = FileOperation::Kind;
        switch (op.kind) {
            case Kind::make_dir:
            case Kind::create: names_[op.path] = ++files_; break;
            case Kind::rename:
                names_[op.to] = names_[op.path];
                names_.erase(op.path);
                break;
            case Kind::remove:
                std::erase_if(names_, [&](const auto& row) { return row.first == op.path; });
                break;
            case Kind::sync: synced_[names_[op.path]] = contents(op.path); break;
            case Kind::sync_dir: sync_dir(op.path); break;
            case Kind::write:
            case Kind::resize:
            case Kind::mode: break;
        }
        return 0;
    }

    /// Makes at `target` what a start after the cut would find at `root`.
    void reboot(Survives survives, const std::string& target) const {
        const auto& names = survives == Survives::nothing ? synced_names_ : names_;
        for (const auto& [path, file] : names) {  // folders come before what is in them
            const auto to = target + path.substr(root_.size());
            if (!std::filesystem::exists(parent_dir(to))) continue;  // its folder is lost
            if (std::filesystem::is_directory(path) || file == 0) {
                (void)make_dirs(to, 0755);
            } else {
                std::ofstream(to, std::ios::binary) << bytes_of(path, file, survives);
            }
        }
    }

  private:
    std::string root_;
    mutable std::mutex mutex_;
    int left_ = -1;
    int changes_ = 0;
    bool cut_ = false;
    int files_ = 0;
    std::map<std::string, int> names_;         ///< path → number of the file
    std::map<std::string, int> synced_names_;  ///< as on the disk
    std::map<int, std::string> synced_;        ///< contents on the disk

    bool count() {
        cut_ = cut_ || left_ == 0;
        if (cut_) return false;
        ++changes_;
        if (left_ > 0) --left_;
        return true;
    }
    static std::string contents(const std::string& path) {
        return read_file(path, 1U << 24).value_or("");
    }
    void sync_dir(const std::string& path) {
        const auto inside = [&](const auto& row) { return parent_dir(row.first) == path; };
        std::erase_if(synced_names_, inside);
        for (const auto& row : names_) {
            if (inside(row)) synced_names_.insert(row);
        }
    }
    [[nodiscard]] std::string bytes_of(const std::string& path, int file, Survives survives) const {
        const auto at = synced_.find(file);
        const auto on_disk = at == synced_.end() ? std::string() : at->second;
        if (survives == Survives::nothing) return on_disk;
        auto now = contents(path);
        if (survives == Survives::all) return now;
        auto out = on_disk;
        out.resize(now.size(), '\0');
        return out;
    }
};

/// A store in memory on such a machine: what was written after the last synced write may be lost,
/// but no write without all before it, as with RocksDB's log.
class MachineStore : public KeyValueStore {
  public:
    explicit MachineStore(Machine* machine) : machine_(machine) {}

    /// After a start: with the unsynced writes or without them.
    void reboot(bool keep_unsynced) {
        machine_ = nullptr;
        if (!keep_unsynced) rows_ = synced_;
    }

    Result<std::optional<Bytes>> get(std::string_view key) const override {
        const auto at = rows_.find(Bytes(key));
        return at == rows_.end() ? std::nullopt : std::optional(at->second);
    }
    Result<void> put(std::string_view key, std::string_view value, Sync sync) override {
        Batch batch;
        batch.put(key, value);
        return apply(batch, sync);
    }
    Result<void> erase(std::string_view key, Sync sync) override {
        Batch batch;
        batch.erase(key);
        return apply(batch, sync);
    }
    Result<void> apply(const Batch& batch, Sync sync) override {
        if (machine_ != nullptr && !machine_->may_change()) return fail(Errc::io, "no power");
        for (const auto& each : batch.writes()) {
            if (each.value) rows_[each.key] = *each.value;
            else rows_.erase(each.key);
        }
        if (sync == Sync::yes) synced_ = rows_;
        return {};
    }
    Result<void> scan(std::string_view prefix, const Visit& visit) const override {
        for (const auto& [key, value] : rows_) {
            if (key.starts_with(prefix) && !visit(key, value)) break;
        }
        return {};
    }
    Result<void> scan_back(std::string_view prefix, const Visit& visit) const override {
        for (auto at = rows_.rbegin(); at != rows_.rend(); ++at) {
            if (at->first.starts_with(prefix) && !visit(at->first, at->second)) break;
        }
        return {};
    }

  private:
    Machine* machine_;
    std::map<Bytes, Bytes> rows_;
    std::map<Bytes, Bytes> synced_;
};

}  // namespace clarity::test
