#include "node/drivers/systemd_journal.hpp"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace clarity::systemd {
namespace {

constexpr std::size_t size_max = 64U << 10;

struct Close {
    void operator()(sd_journal* journal) const { sd_journal_close(journal); }
};

Result<void> check(int code, const char* what) {
    if (code >= 0) return {};
    return fail(Errc::unavailable, "journal: {}: {}", what, std::strerror(-code));
}

/// What journalctl -u shows: the unit's own lines, or what systemd (process 1) says of it.
Result<void> match(sd_journal* journal, const std::string& unit) {
    const auto add = [&](const std::string& field) {
        return check(sd_journal_add_match(journal, field.data(), field.size()), "match");
    };
    CLARITY_CHECK(add("_SYSTEMD_UNIT=" + unit));
    CLARITY_CHECK(check(sd_journal_add_disjunction(journal), "match"));
    CLARITY_CHECK(add("_PID=1"));
    return add("UNIT=" + unit);
}

std::string message(sd_journal* journal) {
    const void* data = nullptr;
    std::size_t size = 0;
    if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0) return {};
    constexpr std::string_view name = "MESSAGE=";
    if (size < name.size()) return {};
    return {static_cast<const char*>(data) + name.size(), size - name.size()};
}

}  // namespace

Result<std::string> read_journal(const std::string& unit, std::uint32_t lines) {
    sd_journal* opened = nullptr;
    CLARITY_CHECK(check(sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY), "open"));
    const std::unique_ptr<sd_journal, Close> journal(opened);
    CLARITY_CHECK(match(opened, unit));
    CLARITY_CHECK(check(sd_journal_seek_tail(opened), "go to its end"));
    std::vector<std::string> newest_first;
    std::size_t size = 0;
    while (newest_first.size() < lines && sd_journal_previous(opened) > 0) {
        auto text = message(opened);
        size += text.size() + 1;
        if (size > size_max) break;
        newest_first.push_back(std::move(text));
    }
    std::string out;
    std::for_each(newest_first.rbegin(), newest_first.rend(),
                  [&](const std::string& text) { out += text + "\n"; });
    return out;
}

}  // namespace clarity::systemd
