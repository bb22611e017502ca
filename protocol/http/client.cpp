#include "protocol/http/client.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "protocol/http/client_redirect.hpp"
#include "protocol/http/client_tls.hpp"
#include "protocol/http/libcurl.hpp"

namespace clarity {

namespace {

using http_detail::curl;

constexpr std::size_t head_bytes_max = 64U << 10;

/// Holds the answer back to a rate by taking it more slowly. (libcurl's own limit lets the first
/// megabytes through at once.)
class Pace {
  public:
    void wait_for(std::size_t bytes, const HttpRequest& request) {
        if (request.rate_limit_bytes_s == 0) return;
        const auto now = Clock::now();
        if (due_ + std::chrono::seconds(1) < now) due_ = now;  // a stall is not made up for later
        due_ += std::chrono::nanoseconds(1'000'000'000ULL * bytes / request.rate_limit_bytes_s);
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any stopped;
        stopped.wait_until(lock, request.stop, due_, [] { return false; });
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point due_ = Clock::now();
};

/// A tenth of a second of a limited answer, so that it flows evenly.
long buffer_bytes(const HttpRequest& request) {
    constexpr std::uint64_t most = 128U << 10;
    const std::uint64_t wanted =
        request.rate_limit_bytes_s == 0 ? most : request.rate_limit_bytes_s / 10;
    return static_cast<long>(std::clamp<std::uint64_t>(wanted, 1024, most));
}

/// What the callbacks of one transfer share.
struct Transfer {
    const HttpRequest& request;
    const HttpSink& sink;
    HttpResponse response = {};
    std::size_t head_bytes = 0;
    bool head_given = false;
    std::optional<Error> stopped = {};  ///< why a callback ended it
    Pace pace = {};
    curl_off_t moved_bytes = 0;  ///< both ways, at `moved_at`
    std::chrono::steady_clock::time_point moved_at = std::chrono::steady_clock::now();
    std::array<char, CURL_ERROR_SIZE> detail{};

    /// Whether libcurl goes on to another address instead of handing this answer on.
    [[nodiscard]] bool is_redirected() const {
        return response.status / 100 == 3 && request.redirects_max != 0 &&
               (request.method == "GET" || request.method == "HEAD") &&
               response.find("location") != nullptr;
    }
    [[nodiscard]] bool give(std::string_view bytes) {
        if (!head_given) {
            head_given = true;
            if (!sink(response, {})) return stop({Errc::cancelled, "ended by the receiver"});
        }
        if (!bytes.empty() && !sink(response, bytes)) {
            return stop({Errc::cancelled, "ended by the receiver"});
        }
        return true;
    }
    bool stop(Error error) {
        stopped = std::move(error);
        return false;
    }
};

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// "HTTP/1.1 206 Partial Content" → 206; libcurl has refused what is not a status line.
int status_of(std::string_view line) {
    int status = 0;
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return 0;
    std::from_chars(line.data() + space + 1, line.data() + line.size(), status);
    return status;
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    const std::string_view line(data, size);
    if (line.starts_with("HTTP/")) {  // after a redirect or 100 Continue it starts anew
        transfer.response.headers.clear();
        transfer.response.status = status_of(line);
        transfer.head_bytes = 0;
        return size;
    }
    if (trimmed(line).empty()) {  // the head is complete; 1xx and redirects have another behind
        const bool last = transfer.response.status >= 200 && !transfer.is_redirected();
        return !last || transfer.give({}) ? size : 0;
    }
    transfer.head_bytes += size;
    if (transfer.head_bytes > head_bytes_max) {
        transfer.stop(
            {Errc::invalid, fmt::format("the answer's headers are over {} bytes", head_bytes_max)});
        return 0;
    }
    if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        transfer.response.headers.emplace_back(lower(trimmed(line.substr(0, colon))),
                                               std::string(trimmed(line.substr(colon + 1))));
    }
    return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    if (!transfer.give({data, size})) return 0;
    transfer.pace.wait_for(size, transfer.request);
    return size;
}

std::size_t on_upload(char* buffer, std::size_t, std::size_t size, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    auto got = transfer.request.upload(buffer, size);
    if (got) return std::min(*got, size);
    transfer.stop(std::move(got).error());
    return CURL_READFUNC_ABORT;
}

int on_progress(void* context, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
    auto& transfer = *static_cast<Transfer*>(context);
    if (transfer.request.stop.stop_requested()) return 1;
    if (transfer.request.stall_ms == 0) return 0;
    const auto now = std::chrono::steady_clock::now();
    if (down + up != transfer.moved_bytes) {
        transfer.moved_bytes = down + up;
        transfer.moved_at = now;
    }
    if (now - transfer.moved_at < std::chrono::milliseconds(transfer.request.stall_ms)) return 0;
    transfer.stop({Errc::timeout, fmt::format("no byte for {} ms", transfer.request.stall_ms)});
    return 1;
}

struct HandleCloser {
    void operator()(CURL* handle) const { curl().easy_cleanup(handle); }
};
struct ListCloser {
    void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, HandleCloser>;
using List = std::unique_ptr<curl_slist, ListCloser>;

void append(List& list, const std::string& line) {
    if (auto* longer = curl().slist_append(list.get(), line.c_str())) {
        (void)list.release();
        list.reset(longer);
    }
}

Result<List> make_headers(const HttpRequest& request) {
    List list;
    bool typed = false;
    for (const auto& [name, value] : request.headers) {
        if ((name + value).find_first_of("\r\n", 0) != std::string::npos) {
            return fail(Errc::invalid, "header {} has a line break in it", trimmed(name));
        }
        typed = typed || lower(name) == "content-type";
        // libcurl drops "Name:"; "Name;" sends an empty value
        append(list, value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    if (!typed) append(list, "Content-Type:");
    append(list, "Expect:");
    if (request.upload && !request.upload_size_bytes) append(list, "Transfer-Encoding: chunked");
    return list;
}

void set_body(CURL* handle, Transfer& transfer) {
    const auto& request = transfer.request;
    if (request.upload) {
        curl().easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl().easy_setopt(handle, CURLOPT_READFUNCTION, &on_upload);
        curl().easy_setopt(handle, CURLOPT_READDATA, &transfer);
        curl().easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
        if (request.upload_size_bytes) {
            curl().easy_setopt(handle, CURLOPT_INFILESIZE_LARGE,
                               static_cast<curl_off_t>(*request.upload_size_bytes));
        }
    } else if (request.method == "HEAD") {
        curl().easy_setopt(handle, CURLOPT_NOBODY, 1L);
        return;
    } else if (request.method == "GET") {
        curl().easy_setopt(handle, CURLOPT_HTTPGET, 1L);
        return;
    } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        curl().easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                           static_cast<curl_off_t>(request.body.size()));
        curl().easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    }
    curl().easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void set_limits(CURL* handle, const HttpRequest& request) {
    curl().easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                       static_cast<long>(request.connect_timeout_ms));
    curl().easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
    curl().easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT,
                       static_cast<long>(request.low_speed_bytes_s));
    curl().easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.low_speed_s));
    const bool safe = request.method == "GET" || request.method == "HEAD";
    if (safe && request.redirects_max != 0) {
        curl().easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
        curl().easy_setopt(handle, CURLOPT_MAXREDIRS, static_cast<long>(request.redirects_max));
    }
    const bool secure = request.url.starts_with("https:");
    curl().easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    // From https never back to plain text.
    curl().easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
}

Result<void> set_up(CURL* handle, Transfer& transfer, const List& headers) {
    const auto& request = transfer.request;
    curl().easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl().easy_setopt(handle, CURLOPT_URL, request.url.c_str());
    curl().easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl().easy_setopt(handle, CURLOPT_USERAGENT, "clarity/" CLARITY_VERSION);
    curl().easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
    curl().easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer.detail.data());
    curl().easy_setopt(handle, CURLOPT_BUFFERSIZE, buffer_bytes(request));
    curl().easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
    curl().easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
    curl().easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
    curl().easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
    curl().easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl().easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &on_progress);
    curl().easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
    set_limits(handle, request);
    set_body(handle, transfer);
    if (!request.unix_socket.empty()) {
        curl().easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
        curl().easy_setopt(handle, CURLOPT_PROXY, "");
    }
    if (!request.username.empty()) {
        curl().easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        curl().easy_setopt(handle, CURLOPT_USERNAME, request.username.c_str());
        curl().easy_setopt(handle, CURLOPT_PASSWORD, request.password.c_str());
    }
    if (request.range_first || request.range_last) {
        const std::string range =
            fmt::format("{}-{}", request.range_first.value_or(0),
                        request.range_last ? std::to_string(*request.range_last) : "");
        curl().easy_setopt(handle, CURLOPT_RANGE, range.c_str());
    }
    return http_detail::set_tls(handle, request);
}

Errc code_of(CURLcode code) {
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT: return Errc::timeout;
        case CURLE_ABORTED_BY_CALLBACK: return Errc::cancelled;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR: return Errc::denied;
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_TOO_MANY_REDIRECTS: return Errc::invalid;
        default: return Errc::network;
    }
}

Error transfer_error(Transfer& transfer, CURLcode code) {
    const auto& request = transfer.request;
    const std::string what = fmt::format("{} {}", request.method, url_for_log(request.url));
    if (transfer.stopped) return std::move(*transfer.stopped).within(what);
    if (code == CURLE_ABORTED_BY_CALLBACK) return {Errc::cancelled, what + ": stopped"};
    const std::string_view detail = transfer.detail.data();
    std::string reason(detail.empty() ? curl().easy_strerror(code) : trimmed(detail));
    if (!request.unix_socket.empty()) reason += " (socket " + request.unix_socket + ")";
    return {code_of(code), fmt::format("{}: {}", what, reason)};
}

}  // namespace

const std::string* HttpHead::find(std::string_view name) const {
    const auto at = std::find_if(headers.begin(), headers.end(),
                                 [&](const auto& header) { return header.first == name; });
    return at == headers.end() ? nullptr : &at->second;
}

std::optional<std::uint64_t> HttpHead::content_length() const {
    const auto* text = find("content-length");
    if (text == nullptr || text->empty()) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return value;
}

static CURL* new_handle() {
    const auto& opened = http_detail::open_curl();
    return opened ? opened->easy_init() : nullptr;
}

HttpConnection::HttpConnection() : handle_(new_handle()) {}
HttpConnection::~HttpConnection() {
    if (handle_ != nullptr) curl().easy_cleanup(handle_);
}

static Result<HttpResponse> perform(const HttpRequest& request, const HttpSink& sink) {
    if (const auto& opened = http_detail::open_curl(); !opened) {
        return tl::unexpected<Error>(opened.error());
    }
    const Handle own(request.connection ? nullptr : new_handle());
    CURL* handle = request.connection ? request.connection->handle() : own.get();
    if (handle == nullptr) return fail(Errc::io, "libcurl cannot make a handle: out of memory");
    curl().easy_reset(handle);  // all but its connections
    Transfer transfer{.request = request, .sink = sink};
    CLARITY_TRY(const auto headers, make_headers(request));
    CLARITY_CHECK(set_up(handle, transfer, headers));
    const CURLcode code = curl().easy_perform(handle);
    if (code != CURLE_OK) return tl::unexpected(transfer_error(transfer, code));
    if (!transfer.give({})) return tl::unexpected(transfer_error(transfer, CURLE_WRITE_ERROR));
    transfer.response.peer_chain_pem = http_detail::peer_chain(handle);
    return std::move(transfer.response);
}

Result<HttpResponse> http_stream(const HttpRequest& request, const HttpSink& sink) {
    const bool safe = request.method == "GET" || request.method == "HEAD";
    if (!safe || request.redirects_max == 0 || !http_detail::has_private_headers(request)) {
        return perform(request, sink);
    }
    // libcurl would pass the headers on to whoever is named: each step is ours.
    HttpRequest step = request;
    for (auto left = request.redirects_max;; --left) {
        std::optional<std::string> location;
        step.redirects_max = 0;
        auto answer = perform(step, [&](const HttpHead& head, std::string_view bytes) {
            const auto* to = head.status / 100 == 3 ? head.find("location") : nullptr;
            if (to != nullptr && left != 0) location = *to;
            return !location && sink(head, bytes);
        });
        if (!location) return answer;
        CLARITY_TRY(step, http_detail::follow(step, *location));
    }
}

Result<HttpResponse> http_request(const HttpRequest& request) {
    Bytes body;
    bool over = false;
    auto response = http_stream(request, [&](const HttpHead& head, std::string_view bytes) {
        const auto told = head.content_length();
        over = body.size() + bytes.size() > request.response_max_bytes ||
               (request.method != "HEAD" && told && *told > request.response_max_bytes);
        if (!over) body.append(bytes);
        return !over;
    });
    if (over) {
        return fail(Errc::invalid, "{} {}: the answer is over {} bytes", request.method,
                    url_for_log(request.url), request.response_max_bytes);
    }
    if (response) response->body = std::move(body);
    return response;
}

}  // namespace clarity
