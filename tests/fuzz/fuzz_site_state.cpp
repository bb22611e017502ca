#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "coordinator/site_state.hpp"
#include "protocol/envelope.hpp"

namespace {

using namespace clarity;

constexpr std::size_t servers = 4;
constexpr std::size_t versions = 4;

struct Site {
    Roster roster;
    std::array<std::array<Bytes, versions>, servers> records;

    Site() {
        init_crypto();
        roster.site = "acme/dc-1";
        roster.epoch = 1;
        for (std::size_t i = 0; i < servers; ++i) {
            const auto key = SigningKey::from_seed(std::string(32, static_cast<char>(i))).value();
            const auto id = "s-" + std::to_string(i);
            roster.members.push_back({id, "h" + id, key.public_key(), "tcp://10.0.0.1:1", ""});
            for (std::size_t n = 0; n < versions; ++n) {
                Record record;
                record.site = roster.site;
                record.server_id = id;
                record.version = {1, n + 1};
                auto envelope = Envelope::make(payload_type::record, record.encode());
                envelope.sign(key);
                records[i][n] = envelope.encode();
            }
        }
    }
};

/// A fuzzer signs nothing: a record of one byte stands for one of these.
void fill(const Site& site, control::Report& report) {
    for (auto& each : report.changes) {
        if (each.record.size() != 1) continue;
        const auto byte = static_cast<std::uint8_t>(each.record[0]);
        each.record = site.records[byte % servers][byte / servers % versions];
    }
}

}  // namespace

// Reports of uplinks that may say what they like: two bytes for who reports, when, and how long the
// frame is; the frame; and so on. Nothing may crash, go back, or become fresher than now.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Site site;
    coordinator::SiteState state;
    std::array<RecordVersion, servers> highest{};
    std::int64_t now_ms = 1'700'000'000'000;
    for (std::size_t at = 0; at + 2 < size;) {
        const auto from = site.roster.members[data[at] % servers].server_id;
        now_ms += (data[at] / servers) * 1000;
        const auto length = std::min<std::size_t>(data[at + 1] * 4U + 1U, size - at - 2);
        const std::string_view frame(reinterpret_cast<const char*>(data + at + 2), length);
        at += 2 + length;
        auto message = control::decode(frame);
        auto* report = message ? std::get_if<control::Report>(&*message) : nullptr;
        if (report == nullptr) continue;
        fill(site, *report);
        const auto outcome = state.report(now_ms, site.roster, from, *report);
        if (outcome.ack.wanted.size() > control::wanted_max) std::abort();
        for (std::size_t i = 0; i < servers; ++i) {
            const auto* record = state.record(site.roster.site, "s-" + std::to_string(i));
            const auto version = record == nullptr ? RecordVersion{} : record->version;
            if (version < highest[i]) std::abort();
            highest[i] = version;
        }
        const auto views = state.servers(now_ms, site.roster);
        if (views.size() != servers) std::abort();
        for (const auto& view : views) {
            if (view.age_ms < -1) std::abort();
        }
    }
    state.asked(now_ms, site.roster.site);
    (void)state.highest(site.roster.site);
    state.keep_members(Roster{});
    return 0;
}
