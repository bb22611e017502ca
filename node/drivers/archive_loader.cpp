// The functions of libarchive that this folder calls: see LazyLibrary. A library that is missing
// shows as an archive that cannot be opened.

#include <archive.h>
#include <archive_entry.h>

#include "protocol/http/lazy_library.hpp"

namespace {

clarity::LazyLibrary& library() {
    static clarity::LazyLibrary archive("libarchive.so.13");
    return archive;
}

}  // namespace

extern "C" {

archive* archive_read_new() {
    CLARITY_LAZY_CALL(library(), archive_read_new, nullptr);
}

int archive_read_support_filter_all(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_read_support_filter_all, ARCHIVE_FATAL, a);
}

int archive_read_support_format_tar(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_read_support_format_tar, ARCHIVE_FATAL, a);
}

int archive_read_support_format_zip(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_read_support_format_zip, ARCHIVE_FATAL, a);
}

int archive_read_support_format_cpio(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_read_support_format_cpio, ARCHIVE_FATAL, a);
}

int archive_read_open_filename(archive* a, const char* path, size_t block_bytes) {
    CLARITY_LAZY_CALL(library(), archive_read_open_filename, ARCHIVE_FATAL, a, path, block_bytes);
}

int archive_read_next_header(archive* a, archive_entry** entry) {
    CLARITY_LAZY_CALL(library(), archive_read_next_header, ARCHIVE_FATAL, a, entry);
}

int archive_read_data_block(archive* a, const void** block, size_t* size, la_int64_t* offset) {
    CLARITY_LAZY_CALL(library(), archive_read_data_block, ARCHIVE_FATAL, a, block, size, offset);
}

int archive_read_free(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_read_free, ARCHIVE_FATAL, a);
}

archive* archive_write_disk_new() {
    CLARITY_LAZY_CALL(library(), archive_write_disk_new, nullptr);
}

int archive_write_disk_set_options(archive* a, int flags) {
    CLARITY_LAZY_CALL(library(), archive_write_disk_set_options, ARCHIVE_FATAL, a, flags);
}

int archive_write_disk_set_standard_lookup(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_write_disk_set_standard_lookup, ARCHIVE_FATAL, a);
}

int archive_write_header(archive* a, archive_entry* entry) {
    CLARITY_LAZY_CALL(library(), archive_write_header, ARCHIVE_FATAL, a, entry);
}

la_ssize_t archive_write_data_block(archive* a, const void* block, size_t size, la_int64_t offset) {
    CLARITY_LAZY_CALL(library(), archive_write_data_block, ARCHIVE_FATAL, a, block, size, offset);
}

int archive_write_finish_entry(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_write_finish_entry, ARCHIVE_FATAL, a);
}

int archive_write_close(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_write_close, ARCHIVE_FATAL, a);
}

int archive_write_free(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_write_free, ARCHIVE_FATAL, a);
}

int archive_errno(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_errno, 0, a);
}

const char* archive_error_string(archive* a) {
    CLARITY_LAZY_CALL(library(), archive_error_string, "libarchive is missing", a);
}

__LA_MODE_T archive_entry_filetype(archive_entry* entry) {
    CLARITY_LAZY_CALL(library(), archive_entry_filetype, 0, entry);
}

const char* archive_entry_pathname(archive_entry* entry) {
    CLARITY_LAZY_CALL(library(), archive_entry_pathname, nullptr, entry);
}

void archive_entry_set_pathname(archive_entry* entry, const char* path) {
    CLARITY_LAZY_CALL(library(), archive_entry_set_pathname, void(), entry, path);
}

const char* archive_entry_hardlink(archive_entry* entry) {
    CLARITY_LAZY_CALL(library(), archive_entry_hardlink, nullptr, entry);
}

void archive_entry_set_hardlink(archive_entry* entry, const char* path) {
    CLARITY_LAZY_CALL(library(), archive_entry_set_hardlink, void(), entry, path);
}

}  // extern "C"
