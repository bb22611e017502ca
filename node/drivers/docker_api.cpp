#include "node/drivers/docker_api.hpp"

#include <sstream>

#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr const char* version_prefix = "http://localhost/v1.41";
constexpr std::uint32_t call_timeout_ms = 120'000;

Error error_of(const std::string& what, int status, const Bytes& body) {
    std::string message = "HTTP " + std::to_string(status);
    if (auto json = parse_json(body)) message = json_or<std::string>(*json, "message", message);
    const auto code = status == 404   ? Errc::not_found
                      : status == 409 ? Errc::conflict
                      : status == 400 ? Errc::invalid
                                      : Errc::failed;
    return Error{code, "Docker: " + what + ": " + message};
}

/// "Loaded image: x:1\n" or "Loaded image ID: sha256:…\n" among the progress lines.
Result<std::string> loaded_reference(const Bytes& body) {
    std::istringstream lines(body);
    std::string found;
    for (std::string line; std::getline(lines, line);) {
        auto json = parse_json(line);
        if (!json) continue;
        if (json->contains("error")) {
            return fail(Errc::invalid, "Docker: load image: {}",
                        json_or<std::string>(*json, "error", "refused"));
        }
        const auto text = json_or<std::string>(*json, "stream", "");
        for (const std::string_view prefix : {"Loaded image ID: ", "Loaded image: "}) {
            if (text.starts_with(prefix)) found = text.substr(prefix.size());
        }
    }
    while (!found.empty() && (found.back() == '\n' || found.back() == ' ')) found.pop_back();
    if (found.empty()) return fail(Errc::invalid, "Docker: the archive holds no image");
    return found;
}

}  // namespace

HttpRequest DockerApi::request(const std::string& method, const std::string& path) const {
    HttpRequest out;
    out.method = method;
    out.url = version_prefix + path;
    out.unix_socket = socket_;
    out.connect_timeout_ms = 5000;
    out.timeout_ms = call_timeout_ms;
    out.low_speed_s = 120;
    return out;
}

Result<void> DockerApi::ping() const {
    auto wanted = request("GET", "/_ping");
    wanted.timeout_ms = 5000;
    const auto answer = http_request(wanted);
    if (answer && answer->status == 200) return {};
    return fail(Errc::unavailable, "no Docker engine answers at {}: Docker services are left out",
                socket_);
}

Result<Json> DockerApi::call(const std::string& method, const std::string& path,
                             const Json& body) const {
    auto wanted = request(method, path);
    if (!body.is_null()) {
        wanted.body = to_text(body);
        wanted.headers.emplace_back("Content-Type", "application/json");
    }
    CLARITY_TRY(const auto answer, http_request(wanted));
    if (answer.status == 304) return Json(nullptr);  // started or stopped already
    if (answer.status >= 400) {
        return tl::unexpected<Error>(
            error_of(method + " " + path.substr(0, path.find('?')), answer.status, answer.body));
    }
    if (answer.body.empty()) return Json(nullptr);
    return parse_json(answer.body);
}

Result<std::string> DockerApi::load_image(const std::string& archive_path) const {
    CLARITY_TRY(const auto file, File::open_read(archive_path));
    CLARITY_TRY(const auto size, file.size());
    auto wanted = request("POST", "/images/load?quiet=1");
    wanted.headers.emplace_back("Content-Type", "application/x-tar");
    wanted.timeout_ms = 0;
    wanted.low_speed_s = 600;  // the engine unpacks before it answers
    wanted.upload_size_bytes = size;
    std::uint64_t offset = 0;
    wanted.upload = [&](char* buffer, std::size_t room) -> Result<std::size_t> {
        CLARITY_TRY(const auto got, file.read_at(buffer, room, offset));
        offset += got;
        return got;
    };
    CLARITY_TRY(const auto answer, http_request(wanted));
    if (answer.status >= 400) {
        return tl::unexpected<Error>(error_of("load image", answer.status, answer.body));
    }
    return loaded_reference(answer.body);
}

Result<std::string> DockerApi::logs(const std::string& container, std::uint32_t lines) const {
    auto wanted = request("GET", "/containers/" + url_encode(container) +
                                     "/logs?stdout=1&stderr=1&tail=" + std::to_string(lines));
    wanted.response_max_bytes = 1U << 20;
    CLARITY_TRY(const auto answer, http_request(wanted));
    if (answer.status >= 400) {
        return tl::unexpected<Error>(error_of("logs", answer.status, answer.body));
    }
    std::string out;
    std::string_view rest = answer.body;
    while (rest.size() >= 8) {  // stream type, three zeros, big-endian length
        std::size_t length = 0;
        for (std::size_t i = 4; i < 8; ++i) {
            length = length << 8U | static_cast<unsigned char>(rest[i]);
        }
        rest.remove_prefix(8);
        out += rest.substr(0, length);
        rest.remove_prefix(std::min(length, rest.size()));
    }
    return out;
}

}  // namespace clarity
