#include "node/swarm/session_settings.hpp"

#include <libtorrent/alert.hpp>
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/settings_pack.hpp>

#include <charconv>

#include "node/swarm/disk_io.hpp"

namespace clarity::swarm {

const char* const dh_params_pem =
    "-----BEGIN DH PARAMETERS-----\n"
    "MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz\n"
    "+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a\n"
    "87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7\n"
    "YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi\n"
    "7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD\n"
    "ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==\n"
    "-----END DH PARAMETERS-----\n";

Result<lt::tcp::endpoint> parse_endpoint(const std::string& text) {
    const auto colon = text.rfind(':');
    const auto refuse = [&] {
        return fail(Errc::invalid,
                    "swarm address \"{}\": expected ip:port in numbers, as in 10.0.0.1:8473", text);
    };
    if (colon == std::string::npos) return refuse();
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    boost::system::error_code error;
    const auto address = lt::make_address(host, error);
    if (error || parsed.ec != std::errc{} || parsed.ptr != end) return refuse();
    return lt::tcp::endpoint(address, port);
}

namespace {

void set_network(lt::settings_pack& pack, const SessionSettings& settings,
                 const lt::tcp::endpoint& listen) {
    using P = lt::settings_pack;
    pack.set_str(P::listen_interfaces, settings.listen + "s");  // s = TLS, and nothing else
    if (!listen.address().is_unspecified()) {
        // Peers must see the address that the roster names, for their filters.
        pack.set_str(P::outgoing_interfaces, listen.address().to_string());
    }
    pack.set_bool(P::listen_system_port_fallback, false);
    pack.set_int(P::max_retry_port_bind, 0);
    for (const int off : {P::enable_dht, P::enable_lsd, P::enable_upnp, P::enable_natpmp,
                          P::enable_incoming_utp, P::enable_outgoing_utp}) {
        pack.set_bool(off, false);
    }
    pack.set_int(P::in_enc_policy, P::pe_disabled);  // TLS does it
    pack.set_int(P::out_enc_policy, P::pe_disabled);
    pack.set_int(P::mixed_mode_algorithm, P::prefer_tcp);
    pack.set_str(P::user_agent, "clarity");
    pack.set_str(P::peer_fingerprint, "-CL0100-");
    pack.set_int(P::connections_limit, static_cast<int>(settings.connections_max));
    // Members may share an address (several agents on one machine); the roster limits the rest.
    pack.set_bool(P::allow_multiple_connections_per_ip, true);
}

void set_pace(lt::settings_pack& pack) {
    using P = lt::settings_pack;
    pack.set_int(P::unchoke_slots_limit, -1);
    pack.set_bool(P::close_redundant_connections, false);
    pack.set_bool(P::send_redundant_have, false);  // a gating peer is told by the plugin
    pack.set_int(P::whole_pieces_threshold, 0);
    pack.set_int(P::send_buffer_watermark, 64 << 10);  // HAVEs must not wait behind data
    pack.set_int(P::send_buffer_low_watermark, 32 << 10);
    pack.set_int(P::send_buffer_watermark_factor, 20);
    pack.set_int(P::max_queued_disk_bytes, 32 << 20);
    pack.set_int(P::max_out_request_queue, 1500);
    pack.set_int(P::max_allowed_in_request_queue, 3000);
    pack.set_int(P::torrent_connect_boost, 200);
    pack.set_int(P::connection_speed, 200);
    pack.set_bool(P::smooth_connects, false);
    // A peer that died or froze is left soon; one that comes back is taken back soon.
    pack.set_int(P::request_timeout, 3);
    pack.set_int(P::piece_timeout, 3);
    pack.set_int(P::peer_timeout, 10);
    pack.set_int(P::inactivity_timeout, 10);
    pack.set_int(P::handshake_timeout, 10);
    pack.set_int(P::peer_connect_timeout, 5);
    pack.set_int(P::min_reconnect_time, 1);
    pack.set_int(P::max_failcount, 100);
    pack.set_int(P::alert_queue_size, 20000);
    pack.set_int(P::active_limit, -1);
    pack.set_int(P::active_downloads, -1);
    pack.set_int(P::active_seeds, -1);
}

}  // namespace

Result<lt::session_params> session_params_for(const SessionSettings& settings) {
    CLARITY_TRY(const auto listen, parse_endpoint(settings.listen));
    lt::settings_pack pack;
    set_network(pack, settings, listen);
    set_pace(pack);
    pack.set_int(
        lt::settings_pack::alert_mask,
        static_cast<int>(static_cast<std::uint32_t>(
            lt::alert_category::error | lt::alert_category::status | lt::alert_category::peer |
            lt::alert_category::storage | lt::alert_category::piece_progress)));
    // No extensions: neither peer exchange nor metadata from peers.
    lt::session_params params(std::move(pack), {});
    params.disk_io_constructor = make_disk_io;
    return params;
}

}  // namespace clarity::swarm
