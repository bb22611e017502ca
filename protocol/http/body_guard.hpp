#pragma once

#include <charconv>
#include <memory>
#include <string>

#include "protocol/http/request_head.hpp"
#include "protocol/http/restinio.hpp"

/// How much of a request's body is kept is decided when its headers are here, not after all of it
/// has been read. RESTinio 0.6 asks nobody at that point, so its callbacks on the HTTP parser are
/// replaced: create_parser_settings() is a template over the type that names the methods, and
/// Methods is ours. The callbacks get nothing of the server; its logger, which is the server's and
/// is called on the same thread right before each parse, says whose request it is.
namespace clarity::http::guard {

/// Over the limit the rest of a body up to this is read and thrown away, so that the client is
/// there to read the answer; beyond it the answer comes at once and the connection ends.
inline constexpr std::uint64_t discard_max_bytes = 64U << 20;

// No client can send these: ':' ends a header's name.
inline constexpr const char* limit_field = ":body-limit";
inline constexpr const char* dropped_field = ":body-dropped";

/// What a server keeps of bodies.
struct Policy {
    BodyLimit limit;  ///< empty = body_max_bytes for everybody
    std::uint64_t body_max_bytes = 0;
    bool open = true;  ///< false once the server has stopped: the hook's objects may be gone

    [[nodiscard]] std::uint64_t of(const Request& head) const {
        if (!open) return 0;
        return limit ? std::min(limit(head), body_max_bytes) : body_max_bytes;
    }
};

/// The server whose connection this thread is about to parse.
inline thread_local const Policy* current = nullptr;

/// Logs nothing; see above.
struct Logger {
    std::shared_ptr<const Policy> policy;

    explicit Logger(std::shared_ptr<const Policy> p) : policy(std::move(p)) {}
    template <class Builder>
    void trace(Builder&&) const noexcept {
        current = policy.get();
    }
    template <class Builder>
    void info(Builder&&) const noexcept {}
    template <class Builder>
    void warn(Builder&&) const noexcept {}
    template <class Builder>
    void error(Builder&&) const noexcept {}
};

/// RESTinio's own methods, under a name for which our callbacks are used.
struct Methods {
    [[nodiscard]] static restinio::http_method_id_t from_nodejs(int value) noexcept {
        return restinio::default_http_methods_t::from_nodejs(value);
    }
};

inline restinio::impl::http_parser_ctx_t& context(http_parser* parser) {
    return *static_cast<restinio::impl::http_parser_ctx_t*>(parser->data);
}

/// Gives the body's memory back and marks the request.
inline void drop_body(restinio::impl::http_parser_ctx_t& ctx) {
    std::string().swap(ctx.m_body);
    ctx.m_header.set_field(dropped_field, "1");
}

inline int on_headers_complete(http_parser* parser) noexcept {
    try {
        auto& ctx = context(parser);
        ctx.m_leading_headers_completed = true;
        const bool sized = parser->content_length != ULLONG_MAX;
        if (sized && parser->content_length == 0) return 0;
        if ((parser->flags & F_CHUNKED) == 0 && !sized) return 0;  // no body
        ctx.m_header.method(Methods::from_nodejs(static_cast<int>(parser->method)));
        const auto limit = current == nullptr ? 0 : current->of(head_of(ctx.m_header));
        ctx.m_header.set_field(limit_field, std::to_string(limit));
        if (!sized) return 0;
        if (parser->content_length <= limit) {
            ctx.m_body.reserve(static_cast<std::size_t>(parser->content_length));
            return 0;
        }
        drop_body(ctx);
        // Who waits to be told to go on is told now that it need not.
        const bool waits = ctx.m_header.has_field(restinio::http_field::expect);
        if (!waits && parser->content_length <= discard_max_bytes) return 0;
        parser->flags |= F_CONNECTION_CLOSE;  // what follows is no request
        return 1;                             // the request is complete without its body
    } catch (const std::exception&) {
        return -1;
    }
}

inline int on_body(http_parser* parser, const char* at, std::size_t length) noexcept {
    try {
        auto& ctx = context(parser);
        if (ctx.m_header.has_field(dropped_field)) return 0;
        std::uint64_t limit = 0;
        if (const auto text = ctx.m_header.try_get_field(limit_field)) {
            std::from_chars(text->data(), text->data() + text->size(), limit);
        }
        if (ctx.m_body.size() + length > limit) drop_body(ctx);
        else ctx.m_body.append(at, length);
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}

}  // namespace clarity::http::guard

namespace restinio::impl {

template <>
inline http_parser_settings create_parser_settings<clarity::http::guard::Methods>() noexcept {
    auto out = create_parser_settings<default_http_methods_t>();
    out.on_headers_complete = clarity::http::guard::on_headers_complete;
    out.on_body = [](http_parser* parser, const char* at, size_t length) -> int {
        return clarity::http::guard::on_body(parser, at, length);
    };
    // A chunked body that is dropped keeps no list of its chunks either.
    out.on_chunk_header = [](http_parser*) -> int { return 0; };
    return out;
}

}  // namespace restinio::impl
