#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "protocol/error.hpp"

namespace clarity {

/// What we use of libarchive, which is opened by the first artifact to unpack. libarchive's own
/// names without "archive_"; "errno" is a macro.
struct LibArchive {
    decltype(&::archive_read_new) read_new = nullptr;
    decltype(&::archive_read_free) read_free = nullptr;
    decltype(&::archive_write_free) write_free = nullptr;
    decltype(&::archive_error_string) error_string = nullptr;
    decltype(&::archive_read_support_filter_all) read_support_filter_all = nullptr;
    decltype(&::archive_read_support_format_tar) read_support_format_tar = nullptr;
    decltype(&::archive_read_support_format_zip) read_support_format_zip = nullptr;
    decltype(&::archive_read_support_format_cpio) read_support_format_cpio = nullptr;
    decltype(&::archive_read_open_filename) read_open_filename = nullptr;
    decltype(&::archive_read_data_block) read_data_block = nullptr;
    decltype(&::archive_write_data_block) write_data_block = nullptr;
    decltype(&::archive_errno) error_number = nullptr;
    decltype(&::archive_read_next_header) read_next_header = nullptr;
    decltype(&::archive_entry_pathname) entry_pathname = nullptr;
    decltype(&::archive_entry_filetype) entry_filetype = nullptr;
    decltype(&::archive_entry_set_pathname) entry_set_pathname = nullptr;
    decltype(&::archive_entry_hardlink) entry_hardlink = nullptr;
    decltype(&::archive_entry_set_hardlink) entry_set_hardlink = nullptr;
    decltype(&::archive_write_header) write_header = nullptr;
    decltype(&::archive_write_finish_entry) write_finish_entry = nullptr;
    decltype(&::archive_write_disk_new) write_disk_new = nullptr;
    decltype(&::archive_write_disk_set_options) write_disk_set_options = nullptr;
    decltype(&::archive_write_disk_set_standard_lookup) write_disk_set_standard_lookup = nullptr;
    decltype(&::archive_write_close) write_close = nullptr;
};

/// Opens libarchive if that was not done. Any thread.
[[nodiscard]] const Result<LibArchive>& open_libarchive();

/// After open_libarchive() has succeeded.
[[nodiscard]] inline const LibArchive& libarchive() {
    return *open_libarchive();
}

}  // namespace clarity
