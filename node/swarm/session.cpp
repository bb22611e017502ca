#include "node/swarm/session.hpp"

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/peer_class.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>

#include "node/swarm/gate_plugin.hpp"
#include "node/swarm/reserved_port.hpp"
#include "node/swarm/session_settings.hpp"
#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity::swarm {

namespace {

constexpr auto listen_timeout = std::chrono::seconds(10);
/// Between two looks at libtorrent's alerts: pieces come in by the hundred a second, and waking the
/// loop for each would cost more than dealing with it.
constexpr auto alerts_interval = std::chrono::milliseconds(25);

template <class Bits>
std::vector<bool> to_flags(const Bits& bits) {
    std::vector<bool> out(static_cast<std::size_t>(bits.size()));
    std::size_t at = 0;
    for (const bool bit : bits) out[at++] = bit;
    return out;
}

Error to_error(const lt::error_code& code, std::string what) {
    const bool full = code == boost::system::errc::no_space_on_device;
    return {full ? Errc::no_space : Errc::io,
            fmt::format("{}: {}{}", what, code.message(),
                        full ? "; free some space on the disk of the cache" : "")};
}

class HandleLink : public TorrentSession::Link {
  public:
    HandleLink(lt::torrent_handle handle, std::shared_ptr<GateControl> gate)
        : handle_(std::move(handle)), gate_(std::move(gate)) {}

    [[nodiscard]] std::optional<SiteMap> site() const override {
        try {
            const auto status = handle_.status(lt::torrent_handle::query_pieces);
            if (status.pieces.empty() || status.state == lt::torrent_status::checking_files ||
                status.state == lt::torrent_status::checking_resume_data) {
                return std::nullopt;
            }
            SiteMap map{to_flags(status.pieces), gate_->held(), 0};
            map.held.resize(map.own.size());
            std::vector<lt::peer_info> peers;
            handle_.get_peer_info(peers);
            for (const auto& peer : peers) {
                if (peer.flags & (lt::peer_info::connecting | lt::peer_info::handshake)) continue;
                ++map.peers;
            }
            return map;
        } catch (const std::exception&) {
            return std::nullopt;  // removed meanwhile
        }
    }

    void add_piece(std::uint32_t piece, std::string_view bytes) override {
        try {
            // Not the overload with a vector: 2.0.8 drops a last piece that is not a full one.
            handle_.add_piece(lt::piece_index_t(static_cast<int>(piece)), bytes.data());
        } catch (const std::exception&) {  // removed meanwhile
        }
    }

    void moved_to(const std::string& folder) override {
        try {
            // The source is gone, so nothing is moved; libtorrent takes the new folder as it is.
            handle_.move_storage(folder, lt::move_flags_t::always_replace_files);
        } catch (const std::exception&) {  // removed meanwhile
        }
    }

  private:
    lt::torrent_handle handle_;
    std::shared_ptr<GateControl> gate_;
};

}  // namespace

struct TorrentSession::Impl : std::enable_shared_from_this<Impl> {
    struct Torrent {
        lt::torrent_handle handle;  ///< invalid until libtorrent has added it
        std::vector<lt::tcp::endpoint> dial;
        std::shared_ptr<GateControl> gate = std::make_shared<GateControl>();
    };

    boost::asio::io_context& loop;
    SessionSettings settings;
    SessionEvents events;
    std::unique_ptr<ReservedPort> port;    ///< until the session listens there itself
    std::unique_ptr<lt::session> session;  ///< none before the first torrent
    std::vector<std::string> allowed;
    std::map<std::string, Torrent> torrents;  ///< by name: the artifact's SHA-256 in hex
    boost::asio::steady_timer alerts_timer{loop};
    std::chrono::steady_clock::time_point alerts_seen;

    Impl(boost::asio::io_context& loop_, SessionSettings settings_, SessionEvents events_)
        : loop(loop_), settings(std::move(settings_)), events(std::move(events_)) {}

    [[nodiscard]] Result<void> begin();
    [[nodiscard]] Result<void> listen();
    void limit_rates() const;
    void filter() const;
    void watch_alerts();
    void pump_soon();
    void pump();
    void handle_alert(const lt::alert& alert);
    void added(const lt::add_torrent_alert& alert);
    void report_stats(const lt::state_update_alert& alert) const;
    void trouble(const std::string& name, const Error& error) const;
    [[nodiscard]] static std::optional<Digest> digest_of(const std::string& name);
};

std::optional<Digest> TorrentSession::Impl::digest_of(const std::string& name) {
    auto digest = Digest::from_hex(name);
    if (!digest) return std::nullopt;
    return *digest;
}

/// Makes the session: 25 ms of processor and a megabyte, which a node without artifacts spares.
Result<void> TorrentSession::Impl::begin() {
    if (session) return {};
    if (port) port->stop_listening();  // the port stays ours until the session has it
    if (auto listening = listen(); !listening) {
        session.reset();
        return listening;
    }
    port.reset();
    if (settings.upload_limit_bytes_s != 0 || settings.download_limit_bytes_s != 0) limit_rates();
    filter();
    watch_alerts();
    return {};
}

Result<void> TorrentSession::Impl::listen() {
    CLARITY_TRY(auto params, session_params_for(settings));
    session = std::make_unique<lt::session>(std::move(params));
    const auto deadline = std::chrono::steady_clock::now() + listen_timeout;
    while (std::chrono::steady_clock::now() < deadline) {
        if (session->wait_for_alert(std::chrono::milliseconds(200)) == nullptr) continue;
        std::vector<lt::alert*> alerts;
        session->pop_alerts(&alerts);
        for (const auto* alert : alerts) {
            if (lt::alert_cast<lt::listen_succeeded_alert>(alert) != nullptr) return {};
            if (const auto* failed = lt::alert_cast<lt::listen_failed_alert>(alert)) {
                return cannot_listen(settings.listen, failed->error);
            }
        }
    }
    return fail(Errc::timeout, "swarm did not start to listen on {} in {} s", settings.listen,
                listen_timeout.count());
}

void TorrentSession::Impl::limit_rates() const {
    // Private addresses and loopback are outside the global class: limit the local one too.
    for (const auto id : {lt::session::local_peer_class_id, lt::session::global_peer_class_id}) {
        auto info = session->get_peer_class(id);
        info.upload_limit = static_cast<int>(settings.upload_limit_bytes_s);
        info.download_limit = static_cast<int>(settings.download_limit_bytes_s);
        session->set_peer_class(id, info);
    }
}

void TorrentSession::Impl::watch_alerts() {
    // libtorrent's thread: only posts.
    session->set_alert_notify([weak = weak_from_this(), &target = loop] {
        boost::asio::post(target, [weak] {
            if (const auto self = weak.lock()) self->pump_soon();
        });
    });
}

/// libtorrent notifies anew only when the last alerts were taken: there is one of these at a time.
void TorrentSession::Impl::pump_soon() {
    const auto due = alerts_seen + alerts_interval;
    if (std::chrono::steady_clock::now() >= due) return pump();
    alerts_timer.expires_at(due);
    alerts_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self) self->pump();
    });
}

void TorrentSession::Impl::pump() {
    alerts_seen = std::chrono::steady_clock::now();
    std::vector<lt::alert*> alerts;
    session->pop_alerts(&alerts);
    for (const auto* alert : alerts) handle_alert(*alert);
}

void TorrentSession::Impl::handle_alert(const lt::alert& alert) {
    if (const auto* piece = lt::alert_cast<lt::piece_finished_alert>(&alert)) {
        if (const auto digest = digest_of(piece->torrent_name())) {
            const auto index = static_cast<int>(piece->piece_index);
            events.on_piece(*digest, static_cast<std::uint32_t>(index));
        }
    } else if (const auto* update = lt::alert_cast<lt::state_update_alert>(&alert)) {
        report_stats(*update);
    } else if (const auto* add = lt::alert_cast<lt::add_torrent_alert>(&alert)) {
        added(*add);
    } else if (const auto* file = lt::alert_cast<lt::file_error_alert>(&alert)) {
        const auto what = "cannot read or write in " + parent_dir(file->filename());
        trouble(file->torrent_name(), to_error(file->error, what));
    } else if (const auto* error = lt::alert_cast<lt::torrent_error_alert>(&alert)) {
        trouble(error->torrent_name(),
                to_error(error->error, fmt::format("torrent {}", error->torrent_name())));
    } else if (const auto* ban = lt::alert_cast<lt::peer_ban_alert>(&alert)) {
        const auto digest = digest_of(ban->torrent_name());
        if (digest) events.on_ban(*digest, ban->endpoint.address().to_string());
    } else if (lt::alert_cast<lt::alerts_dropped_alert>(&alert) != nullptr) {
        log::debug("swarm: libtorrent dropped alerts; the next statistics make up for it");
    } else if (lt::alert_cast<lt::hash_failed_alert>(&alert) != nullptr ||
               lt::alert_cast<lt::fastresume_rejected_alert>(&alert) != nullptr) {
        log::debug("swarm: {}", alert.message());
    }
}

void TorrentSession::Impl::added(const lt::add_torrent_alert& alert) {
    const std::string name = alert.params.ti ? alert.params.ti->name() : alert.params.name;
    const auto found = torrents.find(name);
    if (alert.error) {
        trouble(name, to_error(alert.error, fmt::format("cannot add torrent {}", name)));
        return;
    }
    if (found == torrents.end()) {  // removed while it was being added
        session->remove_torrent(alert.handle);
        return;
    }
    Torrent& torrent = found->second;
    torrent.handle = alert.handle;
    torrent.handle.set_ssl_certificate_buffer(settings.certificate_pem, settings.private_key_pem,
                                              dh_params_pem);
    for (const auto& endpoint : torrent.dial) torrent.handle.connect_peer(endpoint);
    torrent.dial.clear();
    torrent.handle.resume();
    if (const auto digest = digest_of(name)) events.on_ready(*digest);
}

void TorrentSession::Impl::report_stats(const lt::state_update_alert& alert) const {
    for (const auto& status : alert.status) {
        const auto digest = digest_of(status.name);
        if (!digest) continue;
        TorrentStats stats;
        if (status.state != lt::torrent_status::checking_files &&
            status.state != lt::torrent_status::checking_resume_data) {
            stats.own = to_flags(status.pieces);
        }
        stats.received_bytes = static_cast<std::uint64_t>(status.total_payload_download);
        stats.peers = static_cast<std::size_t>(std::max(status.num_peers, 0));
        events.on_stats(*digest, stats);
    }
}

void TorrentSession::Impl::trouble(const std::string& name, const Error& error) const {
    const auto digest = digest_of(name);
    if (digest && torrents.contains(name)) events.on_trouble(*digest, error);
}

TorrentSession::TorrentSession(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

TorrentSession::~TorrentSession() {
    impl_->alerts_timer.cancel();
    if (impl_->session) impl_->session->set_alert_notify([] {});
    impl_->session.reset();
}

Result<std::unique_ptr<TorrentSession>> TorrentSession::start(boost::asio::io_context& loop,
                                                              SessionSettings settings,
                                                              SessionEvents events) {
    auto impl = std::make_shared<Impl>(loop, std::move(settings), std::move(events));
    CLARITY_TRY(impl->port, ReservedPort::take(impl->settings.listen));
    impl->settings.listen = impl->port->endpoint();
    return std::unique_ptr<TorrentSession>(new TorrentSession(impl));
}

Result<void> TorrentSession::add(const Digest& sha256, const TorrentFile& torrent,
                                 const std::string& path, const std::vector<bool>& have,
                                 const std::vector<std::string>& endpoints, bool alone) {
    CLARITY_CHECK(impl_->begin());
    lt::add_torrent_params params;
    try {
        params.ti = std::make_shared<lt::torrent_info>(torrent.bytes, lt::from_span);
    } catch (const std::exception& error) {
        return fail(Errc::invalid, "artifact {}: its manifest makes no torrent: {}", sha256.hex(),
                    error.what());
    }
    const auto slash = path.rfind('/');
    params.save_path = slash == std::string::npos ? "." : path.substr(0, slash);
    const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
    if (file != torrent.name) params.renamed_files[lt::file_index_t{0}] = file;
    // The cache's marks stand for a check; without any, an empty sparse file needs none.
    params.have_pieces.resize(params.ti->num_pieces(), false);
    for (std::size_t i = 0; i < have.size() && i < std::size_t(params.ti->num_pieces()); ++i) {
        if (have[i]) params.have_pieces.set_bit(lt::piece_index_t(static_cast<int>(i)));
    }
    params.flags = lt::torrent_flags::paused | lt::torrent_flags::apply_ip_filter |
                   lt::torrent_flags::update_subscribe | lt::torrent_flags::no_verify_files |
                   lt::torrent_flags::disable_pex | lt::torrent_flags::disable_dht |
                   lt::torrent_flags::disable_lsd;
    auto& entry = impl_->torrents[torrent.name];
    entry = {};
    std::vector<bool> own(have);
    own.resize(static_cast<std::size_t>(params.ti->num_pieces()), false);
    params.extensions.emplace_back(
        [own = std::move(own), seed = alone ? 0 : impl_->settings.seed, gate = entry.gate,
         piece_bytes = static_cast<std::uint32_t>(params.ti->piece_length())](
            const lt::torrent_handle&, const lt::client_data_t&) {
            return make_gate_plugin(piece_bytes, own, seed, gate);
        });
    for (const auto& text : endpoints) {
        if (const auto endpoint = parse_endpoint(text)) entry.dial.push_back(*endpoint);
    }
    impl_->session->async_add_torrent(std::move(params));
    return {};
}

void TorrentSession::remove(const Digest& sha256) {
    const auto found = impl_->torrents.find(sha256.hex());
    if (found == impl_->torrents.end()) return;
    if (found->second.handle.is_valid()) impl_->session->remove_torrent(found->second.handle);
    impl_->torrents.erase(found);
}

void TorrentSession::dial(const Digest& sha256, const std::vector<std::string>& endpoints) {
    const auto found = impl_->torrents.find(sha256.hex());
    if (found == impl_->torrents.end()) return;
    for (const auto& text : endpoints) {
        const auto endpoint = parse_endpoint(text);
        if (!endpoint) continue;
        if (found->second.handle.is_valid()) found->second.handle.connect_peer(*endpoint);
        else found->second.dial.push_back(*endpoint);
    }
}

void TorrentSession::allow(const std::vector<std::string>& endpoints) {
    if (endpoints == impl_->allowed) return;
    impl_->allowed = endpoints;
    impl_->filter();
}

void TorrentSession::Impl::filter() const {
    if (!session || !settings.filter_addresses) return;
    lt::ip_filter filter;
    filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"),
                    lt::ip_filter::blocked);
    filter.add_rule(lt::make_address("::"),
                    lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                    lt::ip_filter::blocked);
    for (const auto& text : allowed) {
        const auto endpoint = parse_endpoint(text);
        if (endpoint) filter.add_rule(endpoint->address(), endpoint->address(), 0);
    }
    session->set_ip_filter(std::move(filter));
}

void TorrentSession::clear_trouble(const Digest& sha256) {
    const auto found = impl_->torrents.find(sha256.hex());
    if (found == impl_->torrents.end() || !found->second.handle.is_valid()) return;
    found->second.handle.clear_error();
    found->second.handle.unset_flags(lt::torrent_flags::upload_mode);
    found->second.handle.resume();
}

void TorrentSession::set_producing(const Digest& sha256, bool producing) {
    const auto found = impl_->torrents.find(sha256.hex());
    if (found != impl_->torrents.end()) found->second.gate->producing = producing;
}

void TorrentSession::ask_stats() {
    if (!impl_->session) return;
    impl_->session->post_torrent_updates(lt::torrent_handle::query_pieces |
                                         lt::torrent_handle::query_name);
}

std::uint16_t TorrentSession::port() const {
    return impl_->session ? impl_->session->ssl_listen_port() : impl_->port->port();
}

std::shared_ptr<TorrentSession::Link> TorrentSession::link(const Digest& sha256) const {
    const auto found = impl_->torrents.find(sha256.hex());
    if (found == impl_->torrents.end() || !found->second.handle.is_valid()) return nullptr;
    return std::make_shared<HandleLink>(found->second.handle, found->second.gate);
}

}  // namespace clarity::swarm
