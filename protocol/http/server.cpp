#include "protocol/http/server.hpp"

#include <atomic>
#include <charconv>
#include <chrono>

#include "protocol/http/body_guard.hpp"

namespace clarity::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
constexpr milliseconds handshake_timeout{10'000};

struct PlainTraits : restinio::traits_t<restinio::asio_timer_manager_t, guard::Logger,
                                        restinio::details::autodetect_request_handler_type,
                                        restinio::noop_strand_t> {
    static constexpr bool use_connection_count_limiter = true;
    using http_methods_mapper_t = guard::Methods;
};
struct TlsTraits : restinio::traits_t<restinio::asio_timer_manager_t, guard::Logger,
                                      restinio::details::autodetect_request_handler_type,
                                      restinio::noop_strand_t, restinio::tls_socket_t> {
    static constexpr bool use_connection_count_limiter = true;
    using http_methods_mapper_t = guard::Methods;
};

/// Found by argument-dependent look-up in place of RESTinio's own, which lets a TLS handshake take
/// for ever: 256 silent clients would fill the server.
template <class StartRead, class Failed>
void prepare_connection_and_start_read(restinio::tls_socket_t& socket,
                                       restinio::impl::connection_t<TlsTraits>& connection,
                                       StartRead start_read, Failed failed) {
    auto self = connection.shared_from_this();
    auto timer = std::make_shared<asio::steady_timer>(socket.get_executor(), handshake_timeout);
    timer->async_wait([weak = std::weak_ptr(self), &socket](const boost::system::error_code& ec) {
        const auto alive = weak.lock();
        boost::system::error_code ignored;
        if (alive && !ec) socket.lowest_layer().close(ignored);
    });
    socket.async_handshake(asio::ssl::stream_base::server,
                           [start_read = std::move(start_read), failed = std::move(failed), self,
                            timer](const boost::system::error_code& ec) {
                               timer->cancel();
                               if (!ec) start_read();
                               else failed(ec);
                           });
}

const char* reason_of(int status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 409: return "Conflict";
        case 413: return "Payload Too Large";
        case 422: return "Unprocessable Entity";
        case 429: return "Too Many Requests";
        case 500: return "Internal Server Error";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        default: return status < 400 ? "OK" : "Error";
    }
}

template <class Handle>
Request request_from(const Handle& handle) {
    Request out = head_of(handle->header());
    out.body = handle->body();
    out.body_dropped = handle->header().has_field(guard::dropped_field);
    out.remote_address = handle->remote_endpoint().address().to_string();
    return out;
}

/// One request's answer: given once; 500 when everybody who could give it is gone.
template <class Handle>
struct Answer {
    Answer(Handle h, std::shared_ptr<Handler> s) : handle(std::move(h)), server(std::move(s)) {}
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    ~Answer() {
        if (!*server) return;  // stopped: the connection may be on its way out with the loop
        Response none;
        none.status = 500;
        none.body = R"({"error":{"code":"failed","message":"the request was given up"}})";
        give(none);
    }
    void give(const Response& response) {
        if (given.exchange(true)) return;
        try {
            auto out = handle->create_response(restinio::http_status_line_t(
                restinio::http_status_code_t(static_cast<std::uint16_t>(response.status)),
                reason_of(response.status)));
            out.append_header(restinio::http_field::content_type, response.content_type);
            for (const auto& [name, value] : response.headers) out.append_header(name, value);
            const bool skipped = handle->header().has_field(guard::dropped_field);
            if (skipped || !handle->header().should_keep_alive()) out.connection_close();
            out.set_body(response.body);
            out.done();
        } catch (const std::exception&) {
            // The connection is gone: nobody is left to tell.
        }
    }
    Handle handle;
    std::shared_ptr<Handler> server;  ///< empty once the server has stopped
    std::atomic<bool> given = false;
};

Response too_large() {
    Response out;
    out.status = 413;
    out.body = R"({"error":{"code":"invalid","message":"the body is too large"}})";
    return out;
}

struct Endpoint {
    asio::ip::address address;
    std::uint16_t port = 0;
};

Result<Endpoint> parse_listen(const ServerSettings& settings) {
    const std::string_view text = settings.listen;
    const auto colon = text.rfind(':');
    std::string host(text.substr(0, colon == text.npos ? 0 : colon));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    Endpoint out;
    boost::system::error_code ec;
    out.address = asio::ip::make_address(host, ec);
    const auto digits = colon == text.npos ? std::string_view() : text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), out.port);
    if (ec || error != std::errc() || end != digits.end() || digits.empty()) {
        return fail(Errc::invalid, "{}: \"{}\" is not ADDRESS:PORT, such as 127.0.0.1:8470",
                    settings.setting, settings.listen);
    }
    return out;
}

Result<std::shared_ptr<asio::ssl::context>> tls_context(const ServerSettings& settings) {
    try {
        auto out = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
        SSL_CTX_set_min_proto_version(out->native_handle(), TLS1_2_VERSION);
        out->use_certificate_chain(asio::buffer(settings.certificate_pem));
        out->use_private_key(asio::buffer(settings.key_pem), asio::ssl::context::pem);
        if (!settings.client_ca_pem.empty()) {
            out->add_certificate_authority(asio::buffer(settings.client_ca_pem));
            out->set_verify_mode(asio::ssl::verify_peer);
            constexpr unsigned char session[] = "clarity";
            SSL_CTX_set_session_id_context(out->native_handle(), session, sizeof session - 1);
        }
        return out;
    } catch (const std::exception& error) {
        return fail(Errc::invalid, "{}: certificate or key cannot be used: {}", settings.setting,
                    error.what());
    }
}

Error listen_error(const ServerSettings& settings, const boost::system::error_code& ec) {
    if (ec == boost::system::errc::address_in_use) {
        return {Errc::io, fmt::format("{}: {} is in use by another program; stop it or set another "
                                      "address in {}",
                                      settings.setting, settings.listen, settings.setting)};
    }
    if (ec == boost::system::errc::permission_denied) {
        return {Errc::denied, fmt::format("{}: no permission to listen on {}; take a port over "
                                          "1023 or run as root",
                                          settings.setting, settings.listen)};
    }
    if (ec == boost::system::errc::address_not_available) {
        return {Errc::io, fmt::format("{}: {} is not an address of this host", settings.setting,
                                      settings.listen)};
    }
    return {Errc::io, fmt::format("{}: cannot listen on {}: {}", settings.setting, settings.listen,
                                  ec.message())};
}

}  // namespace

struct Server::Impl {
    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    virtual ~Impl() = default;
    virtual void stop() = 0;
    std::uint16_t port = 0;
};

namespace {

template <class Traits>
class Running final : public Server::Impl {
  public:
    using Http = restinio::http_server_t<Traits>;
    using Settings = restinio::server_settings_t<Traits>;

    Result<void> open(asio::io_context& loop, const ServerSettings& settings,
                      const Endpoint& endpoint, Handler handler,
                      std::shared_ptr<asio::ssl::context> tls) {
        Settings out;
        configure(out, settings, endpoint, std::move(handler));
        if constexpr (std::is_same_v<Traits, TlsTraits>) out.tls_context(std::move(tls));
        try {
            server_ = std::make_unique<Http>(restinio::external_io_context(loop), std::move(out));
            server_->open_sync();
        } catch (const boost::system::system_error& error) {
            return tl::unexpected(listen_error(settings, error.code()));
        } catch (const std::exception& error) {
            return fail(Errc::io, "{}: cannot listen on {}: {}", settings.setting, settings.listen,
                        error.what());
        }
        return {};
    }
    void stop() override {
        if (policy_) policy_->open = false;
        if (handler_) *handler_ = nullptr;  // connections may outlive us; the caller's objects not
        try {
            if (server_) server_->close_sync();
        } catch (const std::exception&) {
            // Closing what is closed already.
        }
    }

  private:
    std::unique_ptr<Http> server_;
    std::shared_ptr<Handler> handler_;
    std::shared_ptr<guard::Policy> policy_;

    void configure(Settings& out, const ServerSettings& settings, const Endpoint& endpoint,
                   Handler handler) {
        handler_ = std::make_shared<Handler>(std::move(handler));
        policy_ = std::make_shared<guard::Policy>(
            guard::Policy{settings.body_limit, settings.body_max_bytes});
        const auto limits = restinio::incoming_http_msg_limits_t()
                                .max_url_size(settings.url_max_bytes)
                                .max_field_name_size(256)
                                .max_field_value_size(settings.header_max_bytes)
                                .max_field_count(settings.headers_max)
                                .max_body_size(settings.body_max_bytes);
        out.address(endpoint.address)
            .port(endpoint.port)
            .protocol(endpoint.address.is_v6() ? asio::ip::tcp::v6() : asio::ip::tcp::v4())
            .buffer_size(16U << 10)
            .max_pipelined_requests(1)
            .concurrent_accepts_count(4)
            .max_parallel_connections(settings.connections_max)
            .incoming_http_msg_limits(limits)
            .logger(policy_)
            .read_next_http_message_timelimit(milliseconds(settings.read_timeout_ms))
            .handle_request_timeout(milliseconds(settings.handle_timeout_ms))
            .write_http_response_timelimit(milliseconds(settings.write_timeout_ms))
            .acceptor_options_setter([](auto& options) {
                options.set_option(asio::ip::tcp::acceptor::reuse_address(true));
            })
            .socket_options_setter(
                [](auto& options) { options.set_option(asio::ip::tcp::no_delay(true)); })
            .acceptor_post_bind_hook([this](asio::ip::tcp::acceptor& acceptor) {
                this->port = acceptor.local_endpoint().port();
            })
            .request_handler(
                [handle = handler_, own = settings.body_limit == nullptr](auto request) {
                    auto answer = std::make_shared<Answer<decltype(request)>>(request, handle);
                    if (!*handle) return restinio::request_rejected();
                    auto given = request_from(request);
                    if (given.body_dropped && own) answer->give(too_large());
                    else
                        (*handle)(std::move(given),
                                  [answer](const Response& response) { answer->give(response); });
                    return restinio::request_accepted();
                });
    }
};

template <class Traits>
Result<std::unique_ptr<Server::Impl>> open(asio::io_context& loop, const ServerSettings& settings,
                                           const Endpoint& endpoint, Handler handler,
                                           std::shared_ptr<asio::ssl::context> tls) {
    auto out = std::make_unique<Running<Traits>>();
    CLARITY_CHECK(out->open(loop, settings, endpoint, std::move(handler), std::move(tls)));
    return out;
}

}  // namespace

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() {
    stop();
}

Result<std::unique_ptr<Server>> Server::start(asio::io_context& loop,
                                              const ServerSettings& settings, Handler handler) {
    CLARITY_TRY(const auto endpoint, parse_listen(settings));
    std::shared_ptr<asio::ssl::context> tls;
    if (!settings.certificate_pem.empty()) {
        CLARITY_TRY(tls, tls_context(settings));
    }
    auto impl = tls ? open<TlsTraits>(loop, settings, endpoint, std::move(handler), tls)
                    : open<PlainTraits>(loop, settings, endpoint, std::move(handler), tls);
    if (!impl) return tl::unexpected(std::move(impl).error());
    return std::unique_ptr<Server>(new Server(std::move(*impl)));
}

std::uint16_t Server::port() const {
    return impl_->port;
}
void Server::stop() {
    impl_->stop();
}

}  // namespace clarity::http
