#include "site.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "protocol/x509.hpp"
#include "storage/files.hpp"
#include "storage/ingest.hpp"

using namespace clarity;

namespace {
std::int64_t now_s() {
    return std::time(nullptr);
}
}  // namespace

TempFolder::TempFolder() {
    char name[] = "/tmp/clarity-swarm-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
}
TempFolder::~TempFolder() {
    std::filesystem::remove_all(path);
}

TestCa::TestCa() : key((init_crypto(), SigningKey::generate())) {
    pem = x509::make_ca(key, "test site", now_s()).value();
}

TestCa::Identity TestCa::issue(const std::string& name) const {
    const auto member = SigningKey::generate();
    const auto csr = x509::make_csr(member, name).value();
    return {x509::issue({key, pem}, csr, {name, {"DNS:*"}, now_s()}).value(),
            x509::private_key_pem(member).value()};
}

Site::Site(std::size_t count) {
    std::random_device random;
    const auto net =
        "127." + std::to_string(20 + random() % 200) + "." + std::to_string(random() % 250) + ".";
    for (std::size_t i = 0; i < count; ++i) {
        auto node = std::make_unique<Node>();
        node->id = "server-" + std::to_string(i + 1);
        node->address = net + std::to_string(i + 1);
        node->folder = folder.path + "/" + node->id;
        node->identity = ca.issue(node->id);
        node->ca_pem = ca.pem;
        std::filesystem::create_directories(node->folder);
        start(*node);
        nodes.push_back(std::move(node));
    }
    tell_peers();
}

Site::~Site() {
    for (auto& node : nodes) node->swarm.reset();
}

void Site::start(Node& node, const std::function<void(SwarmSettings&)>& change) {
    node.store = KeyValueStore::open(node.folder + "/kv").value();
    CacheSettings cache;
    cache.root = node.folder + "/cache";
    cache.disk_reserve_bytes = 0;
    node.cache = ArtifactCache::open(cache, *node.store).value();
    SwarmSettings settings;
    settings.server_id = node.id;
    settings.listen = node.address + ":0";
    settings.state_dir = node.folder + "/swarm";
    settings.certificate_pem = node.identity.certificate_pem;
    settings.private_key_pem = node.identity.key_pem;
    settings.ca_pem = node.ca_pem;
    settings.error_backoff_min_ms = 2000;
    if (change) change(settings);
    SwarmCallbacks callbacks;
    callbacks.on_complete = [&node](const Digest& sha256, const std::string& path) {
        node.complete[sha256] = path;
    };
    callbacks.on_error = [&node](const Digest&, const Error& error) {
        node.errors.push_back(error);
    };
    callbacks.versions = [this](const std::string& artifact) {
        std::vector<const Manifest*> found;
        for (const auto& each : manifests) {
            if (each.artifact == artifact) found.push_back(&each);
        }
        return found;
    };
    auto swarm = Swarm::start(loop, settings, *node.cache, callbacks);
    if (!swarm) FAIL(swarm.error().message);
    node.swarm = std::move(*swarm);
    node.swarm->set_repositories(repositories);
    node.reachable = true;
    tell_peers();
}

void Site::stop(Node& node) {
    node.swarm.reset();
    node.cache.reset();
    node.store.reset();
    node.reachable = false;
    node.complete.clear();
    tell_peers();
}

void Site::set_repository(const std::string& url) {
    repositories.repositories = {{"origin-1", "http", url, {}}};
    for (auto& node : nodes) {
        if (node->swarm) node->swarm->set_repositories(repositories);
    }
}

Manifest Site::publish(const Origin& origin, const std::string& bytes,
                       std::uint32_t piece_size_bytes) {
    const std::string path = origin.root() + "/artifact";
    std::ofstream(path, std::ios::binary) << bytes;
    IngestSettings settings;
    settings.piece_size_bytes = piece_size_bytes;
    auto manifest = ingest_file(path, settings).value();
    manifest.artifact = "smsgateway";
    manifest.version = "3.2.1";
    manifest.sources = {{"origin-1", "artifact"}};
    set_repository(origin.url());
    return Manifest::decode(manifest.encode()).value();
}

void Site::want_everywhere(const Manifest& manifest) {
    for (auto& node : nodes) {
        if (node->swarm) node->swarm->want(manifest, "test");
    }
}

void Site::add_peer(SwarmPeer peer, ServerClaims claims) {
    last_[peer.server_id] = std::move(claims);
    others_.push_back(std::move(peer));
    tell_peers();
}

void Site::part(bool apart) {
    apart_ = apart;
    for (const auto& node : nodes) {
        if (node->swarm && apart) node->swarm->set_peers({});  // refused, and those there are cut
    }
    if (!apart) tell_peers();
    share();
}

void Site::tell_peers() {
    std::vector<SwarmPeer> peers = others_;
    for (const auto& node : nodes) {
        if (!node->swarm) continue;
        peers.push_back({node->id, node->id,
                         node->address + ":" + std::to_string(node->swarm->port()),
                         node->reachable});
    }
    for (const auto& node : nodes) {
        if (node->swarm) node->swarm->set_peers(peers);
    }
}

void Site::share() {
    for (const auto& node : nodes) {
        auto& claims = last_[node->id];
        claims.alive = node->swarm && node->reachable;
        if (!node->swarm) continue;
        claims.holdings = node->swarm->holdings();
        claims.claims = node->swarm->claims();
        claims.passes = node->swarm->passes();
        const auto wan = node->swarm->wan().value_or(WanReport{});
        claims.wan_closed = wan.state != "open";
        claims.wan_rate_bytes_s = wan.rate_bytes_s;
    }
    for (const auto& node : nodes) {
        if (!node->swarm || !node->reachable) continue;
        auto seen = last_;
        for (auto& [id, claims] : seen) claims.alive = claims.alive && (!apart_ || id == node->id);
        node->swarm->set_site({seen});
    }
}

void Site::turn() {
    loop.restart();
    loop.run_for(std::chrono::milliseconds(20));
    const auto now = std::chrono::steady_clock::now();
    if (now - shared_ < std::chrono::milliseconds(100)) return;
    shared_ = now;
    share();
}

bool Site::all_complete(const Digest& sha256) const {
    for (const auto& node : nodes) {
        if (node->swarm && !node->complete.contains(sha256)) return false;
    }
    return true;
}

Node* Site::fetcher(const Digest& sha256) {
    for (const auto& node : nodes) {
        if (!node->swarm) continue;
        for (const auto& claim : node->swarm->claims()) {
            if (claim.sha256 == sha256) return node.get();
        }
    }
    return nullptr;
}

Holding Site::holding(const Node& node, const Digest& sha256) {
    for (const auto& each : node.swarm->holdings()) {
        if (each.sha256 == sha256) return each;
    }
    return {};
}

std::uint64_t Site::wan_bytes(const Digest& sha256) const {
    std::uint64_t out = 0;
    for (const auto& node : nodes) {
        if (node->swarm) out += holding(*node, sha256).wan_bytes;
    }
    return out;
}

std::string noise(std::size_t size_bytes, std::uint32_t seed) {
    std::mt19937_64 random(seed);
    std::string out(size_bytes, '\0');
    for (std::size_t i = 0; i + 8 <= size_bytes; i += 8) {
        const auto value = random();
        std::memcpy(out.data() + i, &value, 8);
    }
    return out;
}

std::string contents(const std::string& path) {
    return read_file(path, 256U << 20).value_or("");
}
