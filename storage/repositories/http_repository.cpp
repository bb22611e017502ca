#include "storage/repositories/http_repository.hpp"

#include "storage/repositories/http_reader.hpp"

namespace clarity {

namespace {

std::string setting(const RepositoryAccess& access, const char* name) {
    const auto at = access.settings.find(name);
    return at == access.settings.end() ? std::string() : at->second;
}

bool has_dot_segment(std::string_view path) {
    while (!path.empty()) {
        const auto slash = path.find('/');
        const auto segment = path.substr(0, slash);
        if (segment == "." || segment == "..") return true;
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    return false;
}

}  // namespace

Result<std::unique_ptr<Repository>> HttpRepository::make(const RepositoryAccess& access) {
    const bool secure = access.base_url.starts_with("https://");
    if (!secure && !access.base_url.starts_with("http://")) {
        return fail(Errc::invalid,
                    "repository {}: base_url \"{}\" is not an http:// or https:// "
                    "address",
                    access.id, url_for_log(access.base_url));
    }
    std::unique_ptr<HttpRepository> out(new HttpRepository(access.id));
    out->base_url_ = access.base_url;
    while (out->base_url_.ends_with('/')) out->base_url_.pop_back();
    out->base_.ca_pem = setting(access, "ca_pem");
    out->base_.username = setting(access, "username");
    out->base_.password = setting(access, "password");
    if (const auto token = setting(access, "token"); !token.empty()) {
        out->base_.headers.emplace_back("Authorization", "Bearer " + token);
    }
    constexpr std::string_view header = "header.";
    for (const auto& [name, value] : access.settings) {
        if (name.starts_with(header)) {
            out->base_.headers.emplace_back(name.substr(header.size()), value);
        }
    }
    return out;
}

Result<std::string> HttpRepository::url_of(const std::string& path) const {
    std::string_view rest = path;
    while (rest.starts_with('/')) rest.remove_prefix(1);
    if (rest.empty() || has_dot_segment(rest)) {
        return fail(Errc::invalid, "\"{}\" is not a path inside a repository", path);
    }
    return base_url_ + "/" + url_encode(rest, true);
}

std::shared_ptr<HttpConnection> HttpRepository::take_connection() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_shared<HttpConnection>();
    auto out = std::move(idle_.back());
    idle_.pop_back();
    return out;
}

void HttpRepository::give_back(std::shared_ptr<HttpConnection> connection) {
    constexpr std::size_t idle_max = 8;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < idle_max) idle_.push_back(std::move(connection));
}

Result<ReadOutcome> HttpRepository::read(const ReadRequest& request, const ByteSink& sink) {
    const std::string where = fmt::format("repository {}: {}", id_, request.path);
    auto url = url_of(request.path);
    if (!url) return fail_within(where, std::move(url));
    HttpRequest base = base_;
    base.url = std::move(*url);
    base.connection = take_connection();
    auto outcome = repository_detail::HttpReader(base, request, sink).run();
    give_back(std::move(base.connection));
    if (!outcome) return fail_within(where, std::move(outcome));
    return outcome;
}

Result<std::uint64_t> HttpRepository::size(const std::string& path) {
    const std::string where = fmt::format("repository {}: {}", id_, path);
    auto url = url_of(path);
    if (!url) return fail_within(where, std::move(url));
    HttpRequest request = base_;
    request.url = std::move(*url);
    request.method = "HEAD";
    auto head = http_request(request);
    if (!head) return fail_within(where, std::move(head));
    if (head->status == 200 && head->content_length()) return *head->content_length();
    // Servers that know no HEAD, or tell no length: one byte's range names the total.
    request.method = "GET";
    request.range_first = 0;
    request.range_last = 0;
    std::optional<std::uint64_t> total;
    int status = 0;
    auto answer = http_stream(request, [&](const HttpHead& got, std::string_view) {
        status = got.status;
        if (got.status == 206) {
            const auto* text = got.find("content-range");
            const auto range =
                text != nullptr ? repository_detail::parse_content_range(*text) : std::nullopt;
            if (range) total = range->total;
        } else if (got.status == 200) {
            total = got.content_length();
        }
        return false;  // the head is all we came for
    });
    if (total) return *total;
    if (status == 200 || status == 206) {
        return fail(Errc::unavailable, "{}: the server does not tell the size", where);
    }
    if (status != 0) return tl::unexpected(repository_detail::status_error(status).within(where));
    return fail_within(where, std::move(answer));
}

Result<std::unique_ptr<Repository>> make_repository(const RepositoryAccess& access) {
    if (access.type == "http" || access.type == "https") return HttpRepository::make(access);
    return fail(Errc::unavailable, "repository {}: type {} is not supported yet; only http is",
                access.id, access.type);
}

}  // namespace clarity
