#include "hostile_peer.hpp"

#include <catch2/catch.hpp>
#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/extensions.hpp>
#include <libtorrent/peer_class.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "node/swarm/session_settings.hpp"
#include "node/swarm/torrent.hpp"

using namespace clarity;

namespace {

constexpr int slow_bytes_s = 2000;

struct Seen {
    std::atomic<std::uint64_t> asked{0};
};

/// Notes requests; swallows them when told to.
class Counting final : public lt::peer_plugin {
  public:
    Counting(std::shared_ptr<Seen> seen, bool swallows)
        : seen_(std::move(seen)), swallows_(swallows) {}
    bool on_request(const lt::peer_request&) override {
        ++seen_->asked;
        return swallows_;
    }

  private:
    std::shared_ptr<Seen> seen_;
    bool swallows_;
};

class CountingTorrent final : public lt::torrent_plugin {
  public:
    CountingTorrent(std::shared_ptr<Seen> seen, bool swallows)
        : seen_(std::move(seen)), swallows_(swallows) {}
    std::shared_ptr<lt::peer_plugin> new_connection(const lt::peer_connection_handle&) override {
        return std::make_shared<Counting>(seen_, swallows_);
    }

  private:
    std::shared_ptr<Seen> seen_;
    bool swallows_;
};

}  // namespace

struct HostilePeer::Impl {
    std::shared_ptr<Seen> seen = std::make_shared<Seen>();
    std::unique_ptr<lt::session> session;
    lt::torrent_handle torrent;
    std::string address;
};

HostilePeer::HostilePeer(const TestCa& ca, const std::string& address, const std::string& folder,
                         const Manifest& manifest, const std::string& bytes, Way way)
    : impl_(std::make_unique<Impl>()) {
    impl_->address = address;
    const auto identity = ca.issue("mallory");
    swarm::SessionSettings settings;
    settings.listen = address + ":0";
    auto session = swarm::session_params_for(settings).value();
    impl_->session = std::make_unique<lt::session>(std::move(session));
    if (way == Way::slow) {
        auto local = impl_->session->get_peer_class(lt::session::local_peer_class_id);
        local.upload_limit = slow_bytes_s;
        impl_->session->set_peer_class(lt::session::local_peer_class_id, local);
    }
    const auto file = swarm::make_torrent(manifest, ca.pem).value();
    std::filesystem::create_directories(folder);
    auto content = bytes;
    if (way == Way::wrong) {
        for (auto& byte : content) byte = static_cast<char>(byte ^ 0x55);
    }
    std::ofstream(folder + "/" + file.name, std::ios::binary) << content;
    lt::add_torrent_params params;
    params.ti = std::make_shared<lt::torrent_info>(file.bytes, lt::from_span);
    params.save_path = folder;
    params.have_pieces.resize(params.ti->num_pieces(), true);
    params.flags = lt::torrent_flags::paused | lt::torrent_flags::no_verify_files;
    params.extensions.emplace_back(
        [seen = impl_->seen, way](const lt::torrent_handle&, const lt::client_data_t&) {
            return std::make_shared<CountingTorrent>(seen, way == Way::silent);
        });
    impl_->torrent = impl_->session->add_torrent(std::move(params));
    impl_->torrent.set_ssl_certificate_buffer(identity.certificate_pem, identity.key_pem,
                                              swarm::dh_params_pem);
    impl_->torrent.resume();
    REQUIRE(impl_->torrent.status().is_seeding);
}

HostilePeer::~HostilePeer() = default;

std::string HostilePeer::endpoint() const {
    return impl_->address + ":" + std::to_string(impl_->session->ssl_listen_port());
}

std::uint64_t HostilePeer::asked() const {
    return impl_->seen->asked;
}

std::uint64_t HostilePeer::sent_bytes() const {
    return static_cast<std::uint64_t>(impl_->torrent.status().total_payload_upload);
}
