#include "storage/repositories/http_reader.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>

namespace clarity::repository_detail {

namespace {

/// A connection that brought less than this counts as one that brought nothing: else a server
/// that cuts after each byte would be asked for ever.
constexpr std::uint64_t progress_min_bytes = 16U << 10;
constexpr std::uint32_t wait_max_ms = 15'000;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
    return value;
}

std::string_view page_hint(const HttpHead& head) {
    const auto* type = head.find("content-type");
    return type != nullptr && type->starts_with("text/html")
               ? " (it sent a web page: an error or login page?)"
               : "";
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view unit = "bytes ";
    const auto dash = text.find('-');
    const auto slash = text.find('/');
    if (!text.starts_with(unit) || dash == std::string_view::npos ||
        slash == std::string_view::npos || slash < dash) {
        return std::nullopt;
    }
    const auto first = number(text.substr(unit.size(), dash - unit.size()));
    const auto last = number(text.substr(dash + 1, slash - dash - 1));
    const auto total_text = text.substr(slash + 1);
    const auto total = number(total_text);
    if (!first || !last || *last < *first || (!total && total_text != "*") ||
        (total && *last >= *total)) {
        return std::nullopt;
    }
    return ContentRange{*first, *last, total};
}

bool is_passing(int status) {
    return status == 408 || status == 425 || status == 429 ||
           (status >= 500 && status != 501 && status != 505);
}

Error status_error(int status) {
    switch (status) {
        case 401:
        case 403:
            return {Errc::denied, fmt::format("the server answered {}; check the repository's "
                                              "credentials",
                                              status)};
        case 404:
        case 410:
            return {Errc::not_found, fmt::format("the server answered {}; check the path and the "
                                                 "repository's base_url",
                                                 status)};
        case 416:
            return {Errc::conflict,
                    "the file is shorter than the range asked for; it was replaced "
                    "since its manifest was signed"};
        default: break;
    }
    return {is_passing(status) ? Errc::network : Errc::failed,
            fmt::format("the server answered {}", status)};
}

HttpReader::HttpReader(HttpRequest base, const ReadRequest& request, const ByteSink& sink)
    : base_(std::move(base)),
      request_(request),
      sink_(sink),
      position_(request.offset),
      version_(request.expected_etag) {
    const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - request.offset;
    if (request.length_max < room) end_ = request.offset + request.length_max;
    if (request.expected_size) {
        end_ = end_ ? std::min(*end_, *request.expected_size) : *request.expected_size;
    }
}

Result<ReadOutcome> HttpReader::run() {
    if (request_.expected_size && request_.offset > *request_.expected_size) {
        return fail(Errc::invalid, "asked from byte {} of a file of {}", request_.offset,
                    *request_.expected_size);
    }
    std::uint32_t tries = 0;
    while (!done()) {
        const std::uint64_t before = position_;
        auto failure = attempt();
        if (!failure) {
            if (end_) continue;  // done() tells
            break;               // no length known anywhere: the end of the answer is the end
        }
        if (!failure->again) return tl::unexpected(std::move(failure->error));
        if (position_ - before >= progress_min_bytes) tries = 0;
        if (tries >= request_.retries_max) {
            return tl::unexpected(std::move(failure->error)
                                      .within(fmt::format("gave up at byte {} after {} tries",
                                                          position_, tries + 1)));
        }
        ++tries;
        ++outcome_.resumes;
        if (!wait(tries, failure->wait_ms)) return fail(Errc::cancelled, "stopped");
    }
    outcome_.bytes = position_ - request_.offset;
    return outcome_;
}

HttpRequest HttpReader::next_request() const {
    HttpRequest request = base_;
    // A read from the start to the end asks for no range: any server can answer that.
    const bool bounded = end_ && (!request_.expected_size || *end_ < *request_.expected_size);
    if (position_ != 0 || bounded) {
        request.range_first = position_;
        if (end_) request.range_last = *end_ - 1;
    }
    request.timeout_ms = 0;
    request.low_speed_bytes_s = 0;
    request.stall_ms = request_.stall_s * 1000;
    request.rate_limit_bytes_s = request_.rate_limit_bytes_s;
    request.stop = request_.stop;
    return request;
}

std::optional<HttpReader::Failure> HttpReader::attempt() {
    judged_ = false;
    skip_ = 0;
    failure_.reset();
    const auto response = http_stream(
        next_request(),
        [this](const HttpHead& head, std::string_view bytes) { return on_bytes(head, bytes); });
    if (failure_) return std::move(failure_);
    if (done()) return std::nullopt;  // we may have ended it ourselves: all is here
    if (!response) {
        const Errc code = response.error().code;
        return Failure{response.error(), code == Errc::network || code == Errc::timeout, 0};
    }
    if (end_) {
        // A page that ends by itself is all there is: to ask again brings the same.
        const auto page = page_hint(*response);
        return Failure{{page.empty() ? Errc::network : Errc::conflict,
                        fmt::format("the answer ended at byte {} of {}{}", position_, *end_, page)},
                       page.empty(),
                       0};
    }
    return std::nullopt;
}

bool HttpReader::refuse(Failure failure) {
    failure_ = std::move(failure);
    return false;
}

bool HttpReader::on_bytes(const HttpHead& head, std::string_view bytes) {
    if (!judged_) {
        judged_ = true;
        if (auto failure = judge(head)) return refuse(std::move(*failure));
        if (request_.on_version && !version_.empty()) request_.on_version(version_);
    }
    if (request_.wan_counter != nullptr) *request_.wan_counter += bytes.size();
    outcome_.wan_bytes += bytes.size();
    return deliver(bytes);
}

void HttpReader::count_spare(std::uint64_t bytes) {
    if (request_.spare_counter != nullptr) *request_.spare_counter += bytes;
}

bool HttpReader::deliver(std::string_view bytes) {
    const auto skipped = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    count_spare(skipped);
    if (bytes.empty()) return true;
    if (end_ && bytes.size() > *end_ - position_) {
        // More than the range on purpose (a whole answer to a bounded read), or a file that is
        // longer than its manifest says without having told so.
        const bool longer = request_.expected_size && *end_ == *request_.expected_size;
        if (longer) {
            return refuse({{Errc::conflict,
                            fmt::format("the server sends more than the {} bytes of the manifest",
                                        *request_.expected_size)},
                           false,
                           0});
        }
        count_spare(bytes.size() - (*end_ - position_));
        bytes = bytes.substr(0, *end_ - position_);
    }
    if (!bytes.empty() && !sink_(bytes)) {
        return refuse({{Errc::cancelled, "stopped by the receiver"}, false, 0});
    }
    position_ += bytes.size();
    // A whole answer to a bounded read goes on behind our end: leave it there.
    return !(done() && skip_ == 0 && request_.expected_size && *end_ < *request_.expected_size);
}

std::optional<HttpReader::Failure> HttpReader::judge(const HttpHead& head) {
    if (head.status != 200 && head.status != 206) {
        std::uint32_t wait_ms = 0;
        if (const auto* after = head.find("retry-after")) {
            wait_ms = static_cast<std::uint32_t>(
                std::min<std::uint64_t>(number(*after).value_or(0) * 1000, wait_max_ms));
        }
        return Failure{status_error(head.status), is_passing(head.status), wait_ms};
    }
    const auto* encoding = head.find("content-encoding");
    if (encoding != nullptr && *encoding != "identity") {
        return Failure{{Errc::invalid, fmt::format("the server sends it as \"{}\" though not "
                                                   "asked to; switch that off there",
                                                   *encoding)},
                       false,
                       0};
    }
    if (auto failure = head.status == 206 ? judge_partial(head) : judge_whole(head)) {
        return failure;
    }
    return judge_version(head);
}

std::optional<HttpReader::Failure> HttpReader::judge_total(std::uint64_t total,
                                                           const HttpHead& head) {
    if (request_.expected_size && total != *request_.expected_size) {
        return Failure{
            {Errc::conflict, fmt::format("it has {} bytes where the manifest says {}{}", total,
                                         *request_.expected_size, page_hint(head))},
            false,
            0};
    }
    if (outcome_.total_size && *outcome_.total_size != total) {
        return Failure{{Errc::conflict, fmt::format("its size changed from {} to {} while it was "
                                                    "read",
                                                    *outcome_.total_size, total)},
                       false,
                       0};
    }
    outcome_.total_size = total;
    end_ = end_ ? std::min(*end_, total) : total;
    return std::nullopt;
}

std::optional<HttpReader::Failure> HttpReader::judge_partial(const HttpHead& head) {
    const auto* text = head.find("content-range");
    const auto range = text != nullptr ? parse_content_range(*text) : std::nullopt;
    if (!range) {
        return Failure{{Errc::invalid, fmt::format("answer 206 with an unusable Content-Range "
                                                   "\"{}\"",
                                                   text != nullptr ? *text : "")},
                       false,
                       0};
    }
    if (range->first != position_ || (end_ && range->last >= *end_)) {
        return Failure{
            {Errc::invalid, fmt::format("asked from byte {}, the server sends bytes {} to {}",
                                        position_, range->first, range->last)},
            false,
            0};
    }
    const auto length = head.content_length();
    if (length && *length != range->last - range->first + 1) {
        return Failure{{Errc::invalid, fmt::format("Content-Length {} does not fit Content-Range "
                                                   "\"{}\"",
                                                   *length, *text)},
                       false,
                       0};
    }
    outcome_.ranged = true;
    return range->total ? judge_total(*range->total, head) : std::nullopt;
}

std::optional<HttpReader::Failure> HttpReader::judge_whole(const HttpHead& head) {
    if (const auto length = head.content_length()) {
        if (auto failure = judge_total(*length, head)) return failure;
    }
    if (const auto* accepts = head.find("accept-ranges")) {
        outcome_.ranged =
            *accepts == "bytes" && position_ == request_.offset && request_.offset == 0;
    }
    skip_ = position_;
    if (skip_ > request_.skip_max_bytes) {
        return Failure{{Errc::unavailable,
                        fmt::format("the server ignores ranges: cannot go on from byte {} without "
                                    "pulling all before it again{}",
                                    position_, page_hint(head))},
                       false,
                       0};
    }
    return std::nullopt;
}

std::optional<HttpReader::Failure> HttpReader::judge_version(const HttpHead& head) {
    const auto* etag = head.find("etag");
    const auto* modified = head.find("last-modified");
    if (etag != nullptr) outcome_.etag = *etag;
    const std::string version = etag != nullptr       ? *etag
                                : modified != nullptr ? *modified
                                                      : std::string();
    if (!version_.empty() && !version.empty() && version != version_) {
        return Failure{{Errc::conflict, fmt::format("the file was replaced while it was being "
                                                    "fetched (ETag {} became {})",
                                                    version_, version)},
                       false,
                       0};
    }
    if (!version.empty()) version_ = version;
    return std::nullopt;
}

bool HttpReader::wait(std::uint32_t tries, std::uint32_t asked_ms) const {
    thread_local std::minstd_rand random(std::random_device{}());
    const std::uint64_t base = std::min<std::uint64_t>(
        static_cast<std::uint64_t>(request_.retry_delay_ms) << std::min(tries - 1, 10U),
        wait_max_ms);
    std::uniform_int_distribution<std::uint64_t> spread(base / 2, base);
    const std::chrono::milliseconds time(std::max<std::uint64_t>(spread(random), asked_ms));
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any stopped;
    stopped.wait_for(lock, request_.stop, time, [] { return false; });
    return !request_.stop.stop_requested();
}

}  // namespace clarity::repository_detail
