#include "node/drivers/libarchive.hpp"

#include "protocol/library/shared_library.hpp"

namespace clarity {
namespace {

Result<LibArchive> load() {
    CLARITY_TRY(const auto library, SharedLibrary::open("libarchive.so.13"));
    LibArchive out;
    CLARITY_CHECK(library.find("archive_read_new", out.read_new));
    CLARITY_CHECK(library.find("archive_read_free", out.read_free));
    CLARITY_CHECK(library.find("archive_write_free", out.write_free));
    CLARITY_CHECK(library.find("archive_error_string", out.error_string));
    CLARITY_CHECK(library.find("archive_read_support_filter_all", out.read_support_filter_all));
    CLARITY_CHECK(library.find("archive_read_support_format_tar", out.read_support_format_tar));
    CLARITY_CHECK(library.find("archive_read_support_format_zip", out.read_support_format_zip));
    CLARITY_CHECK(library.find("archive_read_support_format_cpio", out.read_support_format_cpio));
    CLARITY_CHECK(library.find("archive_read_open_filename", out.read_open_filename));
    CLARITY_CHECK(library.find("archive_read_data_block", out.read_data_block));
    CLARITY_CHECK(library.find("archive_write_data_block", out.write_data_block));
    CLARITY_CHECK(library.find("archive_errno", out.error_number));
    CLARITY_CHECK(library.find("archive_read_next_header", out.read_next_header));
    CLARITY_CHECK(library.find("archive_entry_pathname", out.entry_pathname));
    CLARITY_CHECK(library.find("archive_entry_filetype", out.entry_filetype));
    CLARITY_CHECK(library.find("archive_entry_set_pathname", out.entry_set_pathname));
    CLARITY_CHECK(library.find("archive_entry_hardlink", out.entry_hardlink));
    CLARITY_CHECK(library.find("archive_entry_set_hardlink", out.entry_set_hardlink));
    CLARITY_CHECK(library.find("archive_write_header", out.write_header));
    CLARITY_CHECK(library.find("archive_write_finish_entry", out.write_finish_entry));
    CLARITY_CHECK(library.find("archive_write_disk_new", out.write_disk_new));
    CLARITY_CHECK(library.find("archive_write_disk_set_options", out.write_disk_set_options));
    CLARITY_CHECK(
        library.find("archive_write_disk_set_standard_lookup", out.write_disk_set_standard_lookup));
    CLARITY_CHECK(library.find("archive_write_close", out.write_close));
    return out;
}

}  // namespace

const Result<LibArchive>& open_libarchive() {
    static const auto opened = load();
    return opened;
}

}  // namespace clarity
