#include "node/report_stream.hpp"

#include <algorithm>

namespace clarity {
namespace {

/// Of one report before compression: on a line of 256 kbit/s it and its answer pass in a second.
constexpr std::size_t report_bytes = 32U << 10;
constexpr std::size_t view_bytes = 96;  ///< of a view beside its texts and record
constexpr std::int64_t at_once = 0;

}  // namespace

/// A report that is being written, with what the writing needs.
class ReportStream::Draft {
  public:
    Draft(const std::vector<control::View>& views, const Records& records) : records_(records) {
        for (const auto& view : views) by_id_[view.server_id] = &view;
    }
    [[nodiscard]] bool is_full() const { return size_ >= report_bytes; }

    void add(const std::string& server_id, const control::ViewTable::Row& row, bool with_record) {
        control::View out;
        if (const auto at = by_id_.find(server_id); at != by_id_.end()) out = *at->second;
        out.server_id = server_id;
        out.state = row.state;
        out.version = row.version;
        if (with_record) {
            const auto held = records_(server_id);
            const bool fits = held && held->version == row.version &&
                              held->bytes.size() <= record_max_bytes + 4096;
            if (fits) out.record = held->bytes;
        }
        size_ += view_bytes + out.server_id.size() + out.witness.size() + out.record.size();
        report.changes.push_back(std::move(out));
        added_.insert(server_id);
    }
    [[nodiscard]] bool has(const std::string& server_id) const {
        return added_.contains(server_id);
    }

    control::Report report;

  private:
    const Records& records_;
    std::map<std::string, const control::View*> by_id_;
    std::set<std::string> added_;
    std::size_t size_ = 0;
};

void ReportStream::restart() {
    valid_.reset();
    differ_.reset();
    wanted_.clear();
    seq_ = awaited_ = 0;
    reported_ms_ = -1;
    ack_at_ms_ = 0;
    more_ = true;
}

void ReportStream::set_primary(bool primary) {
    if (primary == primary_) return;
    primary_ = primary;
    if (!primary) return;
    // The primary before us has told most of what we would: the digest shows what is missing.
    valid_.reset();
    more_ = true;
}

std::int64_t ReportStream::due_ms() const {
    if (more_ || reported_ms_ < 0) return at_once;
    if (asked_ || (primary_ && dirty_)) return reported_ms_ + times_.change_ms;
    return reported_ms_ + (primary_ ? times_.primary_ms : times_.standby_ms);
}

void ReportStream::look(const std::vector<control::View>& views, const Records& records) {
    std::set<std::string> gone;
    for (const auto& [id, row] : now_.rows()) gone.insert(id);
    for (const auto& view : views) {
        const auto held = records(view.server_id);
        now_.set(view.server_id, view.state, held ? held->version : RecordVersion{});
        gone.erase(view.server_id);
    }
    for (const auto& id : gone) now_.erase(id);
}

void ReportStream::add_buckets(Draft& draft) {
    for (std::size_t bucket = 0; bucket < differ_.size(); ++bucket) {
        if (!differ_[bucket]) continue;
        if (draft.is_full()) return;
        for (const auto& [id, row] : now_.rows()) {
            if (row.bucket == bucket) draft.add(id, row, false);
        }
        draft.report.replaced |= 1U << bucket;
        base_.copy_bucket(now_, bucket);
        valid_.set(bucket);
        differ_.reset(bucket);
    }
}

void ReportStream::add_changes(Draft& draft) {
    std::vector<std::string> gone;
    for (const auto& [id, row] : base_.rows()) {
        if (valid_[row.bucket] && now_.find(id) == nullptr) {
            gone.push_back(id);
        }
    }
    for (const auto& id : gone) base_.erase(id);
    draft.report.gone = std::move(gone);
    for (const auto& [id, row] : now_.rows()) {
        const auto* known = base_.find(id);
        if (known != nullptr && known->hash == row.hash) continue;
        if (!valid_[row.bucket]) continue;
        if (draft.is_full()) return;
        draft.add(id, row, known == nullptr || known->version != row.version);
        base_.set(id, row.state, row.version);
    }
}

void ReportStream::add_wanted(Draft& draft) {
    while (!wanted_.empty() && !draft.is_full()) {
        const auto id = wanted_.extract(wanted_.begin()).value();
        const auto* row = now_.find(id);
        // In a bucket that is not agreed upon yet it would be a change out of turn.
        if (row == nullptr || draft.has(id) || !valid_[row->bucket]) continue;
        draft.add(id, *row, true);
        base_.set(id, row->state, row->version);
    }
}

void ReportStream::add_freshness(control::Report& report,
                                 const std::vector<control::View>& views) const {
    std::vector<std::pair<std::int64_t, std::string>> ages;
    for (const auto& view : views) {
        if (view.state != "alive") continue;
        if (view.age_ms >= 0) ages.emplace_back(view.age_ms, view.server_id);
        else if (report.stale.size() < control::stale_max) report.stale.push_back(view.server_id);
    }
    std::sort(ages.rbegin(), ages.rend());
    report.fresh_ms = 0;
    for (const auto& [age_ms, id] : ages) {
        if (age_ms <= times_.fresh_max_ms || report.stale.size() >= control::stale_max) {
            report.fresh_ms = age_ms;
            return;
        }
        report.stale.push_back(id);
    }
}

std::optional<control::Report> ReportStream::next(std::int64_t now_ms,
                                                  const std::vector<control::View>& views,
                                                  const Records& records) {
    if (awaited_ != 0 || now_ms < due_ms()) return std::nullopt;
    look(views, records);
    Draft draft(views, records);
    add_buckets(draft);
    if (primary_) add_changes(draft);
    add_wanted(draft);
    more_ = draft.is_full();
    dirty_ = asked_ = false;

    auto& report = draft.report;
    report.seq = awaited_ = ++seq_;
    report.is_primary = primary_;
    report.digest = now_.digest();
    if (ack_at_ms_ != 0) report.at_ms = ack_at_ms_ + (now_ms - ack_seen_ms_);
    if (!more_) add_freshness(report, views);
    sent_ = now_;
    reported_ms_ = now_ms;
    return std::move(report);
}

bool ReportStream::acknowledged(std::int64_t now_ms, const control::Ack& ack) {
    if (ack.seq == 0 || ack.seq != awaited_) return false;
    awaited_ = 0;
    ack_at_ms_ = ack.at_ms;
    ack_seen_ms_ = now_ms;
    wanted_.insert(ack.wanted.begin(), ack.wanted.end());
    if (more_) return true;  // it was a part: no digests were compared
    for (std::size_t bucket = 0; bucket < valid_.size(); ++bucket) {
        const bool agrees = ack.buckets.empty() || ack.buckets[bucket] == sent_.buckets()[bucket];
        valid_.set(bucket, agrees);
        differ_.set(bucket, !agrees);
        if (agrees && base_.buckets()[bucket] != sent_.buckets()[bucket]) {
            base_.copy_bucket(sent_, bucket);
        }
    }
    more_ = differ_.any() || !wanted_.empty();
    return true;
}

}  // namespace clarity
