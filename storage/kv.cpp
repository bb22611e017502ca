#include "storage/kv.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <filesystem>

#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity {

namespace {

constexpr std::uint64_t open_space_min_bytes = 512U << 10;
constexpr std::size_t logs_max = 16;

rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
    return {bytes.data(), bytes.size()};
}

Error store_error(const std::string& path, const rocksdb::Status& status) {
    const std::string text = status.ToString();
    const bool full = status.IsNoSpace() || status.subcode() == rocksdb::Status::kNoSpace ||
                      text.find("No space left") != std::string::npos ||
                      text.find("quota exceeded") != std::string::npos;
    if (full) {
        return {Errc::no_space, fmt::format("{}: the disk is full: {}; free some space and "
                                            "restart",
                                            path, text)};
    }
    if (text.find("lock") != std::string::npos && status.IsIOError()) {
        return {Errc::conflict, fmt::format("{}: locked by another process; is a second one of "
                                            "this program running on the same state folder?",
                                            path)};
    }
    if (text.find("Permission denied") != std::string::npos) {
        return {Errc::denied,
                fmt::format("{}: {}; check the owner and mode of the folder", path, text)};
    }
    if (status.IsCorruption()) {
        return {Errc::io, fmt::format("{}: the store is damaged: {}; restore it from a backup or "
                                      "move the folder away to start anew",
                                      path, text)};
    }
    return {Errc::io, fmt::format("{}: {}", path, text)};
}

/// RocksDB writes its options to a file at every start, reads them back and compares: a fifth of
/// the work of opening a small store, and a synced file. Ours are in this program; nothing reads
/// that file.
class NoOptionsFile final : public rocksdb::FileSystemWrapper {
  public:
    using FileSystemWrapper::FileSystemWrapper;
    const char* Name() const override { return "ClarityNoOptionsFile"; }
    rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* out,
                                      rocksdb::IODebugContext* debug) override {
        const auto name = path.substr(path.rfind('/') + 1);
        if (name.starts_with("OPTIONS-")) return rocksdb::IOStatus::NotSupported();
        return FileSystemWrapper::NewWritableFile(path, options, out, debug);
    }
};

rocksdb::Env* lean_env() {
    static const auto env =
        rocksdb::NewCompositeEnv(std::make_shared<NoOptionsFile>(rocksdb::FileSystem::Default()));
    return env.get();
}

/// What RocksDB warns of goes where our own warnings go. Its own log file begins with all options,
/// 200 lines at every start, which nobody reads.
class Warnings final : public rocksdb::Logger {
  public:
    Warnings() : Logger(rocksdb::WARN_LEVEL) {}
    void LogHeader(const char*, va_list) override {}
    void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list values) override {
        if (level < rocksdb::WARN_LEVEL || level > rocksdb::FATAL_LEVEL) return;
        // We do not let it: NoOptionsFile.
        if (std::string_view(format).find("persist options") != std::string_view::npos) return;
        if (const auto second = seconds(); told_second_.exchange(second) == second) return;
        std::array<char, 1024> text{};
        if (std::vsnprintf(text.data(), text.size(), format, values) < 0) return;
        if (level == rocksdb::WARN_LEVEL) log::warning("store: {}", text.data());
        else log::error("store: {}", text.data());
    }
    using Logger::Logv;

  private:
    /// The last one that something was told in: a full disk would fill the log.
    std::atomic<std::int64_t> told_second_ = -1;

    static std::int64_t seconds() {
        return std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    }
};

/// A few megabytes in all: an agent lives beside the work that the box is for.
rocksdb::Options small_options() {
    rocksdb::Options options;
    options.env = lean_env();
    options.create_if_missing = true;
    options.write_buffer_size = 2 << 20;  // two of them: one fills while the other is written
    options.max_write_buffer_number = 2;
    options.db_write_buffer_size = 4 << 20;
    options.arena_block_size = 64 << 10;
    options.max_total_wal_size = 8 << 20;
    options.target_file_size_base = 4 << 20;
    options.max_bytes_for_level_base = 16 << 20;
    options.max_open_files = 64;
    options.max_file_opening_threads = 1;
    options.max_background_jobs = 2;
    options.max_subcompactions = 1;
    options.table_cache_numshardbits = 2;
    options.info_log = std::make_shared<Warnings>();
    options.info_log_level = rocksdb::WARN_LEVEL;
    options.recycle_log_file_num = 0;
    options.max_manifest_file_size = 4 << 20;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.paranoid_checks = true;
    // After a power cut: everything synced is there, a torn last record is dropped.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.compression = rocksdb::kNoCompression;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(2 << 20, 0);
    table.cache_index_and_filter_blocks = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
    table.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

/// Whether what the write-ahead logs hold may stay there over a restart, rather than go into one
/// more tiny table, to be compacted with others. Each start adds a log, so at times it may not.
bool may_keep_logs(const std::string& path) {
    std::error_code error;
    std::size_t logs = 0;
    for (const auto& each : std::filesystem::directory_iterator(path, error)) {
        logs += each.path().extension() == ".log" ? 1U : 0U;
    }
    return !error && logs <= logs_max;
}

class RocksStore final : public KeyValueStore {
  public:
    RocksStore(std::string path, std::unique_ptr<rocksdb::DB> db)
        : path_(std::move(path)), db_(std::move(db)) {}

    Result<std::optional<Bytes>> get(std::string_view key) const override {
        Bytes value;
        const auto status = db_->Get({}, slice(key), &value);
        if (status.IsNotFound()) return std::optional<Bytes>{};
        if (!status.ok()) return tl::unexpected(store_error(path_, status));
        return std::optional<Bytes>(std::move(value));
    }

    Result<void> put(std::string_view key, std::string_view value, Sync sync) override {
        return checked(db_->Put(write_options(sync), slice(key), slice(value)));
    }

    Result<void> erase(std::string_view key, Sync sync) override {
        return checked(db_->Delete(write_options(sync), slice(key)));
    }

    Result<void> apply(const Batch& batch, Sync sync) override {
        rocksdb::WriteBatch writes;
        for (const auto& write : batch.writes()) {
            const auto status = write.value ? writes.Put(slice(write.key), slice(*write.value))
                                            : writes.Delete(slice(write.key));
            if (!status.ok()) return tl::unexpected(store_error(path_, status));
        }
        return checked(db_->Write(write_options(sync), &writes));
    }

    Result<void> scan(std::string_view prefix, const Visit& visit) const override {
        const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(scan_options()));
        for (at->Seek(slice(prefix)); at->Valid() && view(at->key()).starts_with(prefix);
             at->Next()) {
            if (!visit(view(at->key()), view(at->value()))) break;
        }
        return checked(at->status());
    }

    Result<void> scan_back(std::string_view prefix, const Visit& visit) const override {
        const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(scan_options()));
        // The first key behind the prefix: the last byte that can be raised, raised by one.
        Bytes behind(prefix);
        while (!behind.empty() && behind.back() == '\xff') behind.pop_back();
        if (behind.empty()) {
            at->SeekToLast();
        } else {
            behind.back() = static_cast<char>(static_cast<unsigned char>(behind.back()) + 1);
            at->SeekForPrev(slice(behind));
            if (at->Valid() && view(at->key()) == behind) at->Prev();
        }
        for (; at->Valid() && view(at->key()).starts_with(prefix); at->Prev()) {
            if (!visit(view(at->key()), view(at->value()))) break;
        }
        return checked(at->status());
    }

  private:
    static rocksdb::WriteOptions write_options(Sync sync) {
        rocksdb::WriteOptions options;
        options.sync = sync == Sync::yes;
        return options;
    }
    static rocksdb::ReadOptions scan_options() {
        rocksdb::ReadOptions options;
        options.fill_cache = false;
        return options;
    }
    [[nodiscard]] Result<void> checked(const rocksdb::Status& status) const {
        if (!status.ok()) return tl::unexpected(store_error(path_, status));
        return {};
    }

    std::string path_;
    std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

Result<std::unique_ptr<KeyValueStore>> KeyValueStore::open(const std::string& path) {
    CLARITY_CHECK(make_dirs(path, 0700));
    // RocksDB writes files when it opens, and Debian's build, which has its assertions on, aborts
    // where it cannot.
    CLARITY_TRY(const auto free, free_space_bytes(path));
    if (free < open_space_min_bytes) {
        return fail(Errc::no_space,
                    "{}: the disk is full: {} KiB are free, opening the store "
                    "needs {} KiB; free some space on this file system",
                    path, free >> 10, open_space_min_bytes >> 10);
    }
    rocksdb::DB* db = nullptr;
    auto options = small_options();
    options.avoid_flush_during_recovery = may_keep_logs(path);
    const auto status = rocksdb::DB::Open(options, path, &db);
    std::unique_ptr<rocksdb::DB> owned(db);
    if (!status.ok()) return tl::unexpected(store_error(path, status));
    return std::make_unique<RocksStore>(path, std::move(owned));
}

}  // namespace clarity
