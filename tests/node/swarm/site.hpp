#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/swarm/swarm.hpp"
#include "origin.hpp"
#include "protocol/keys.hpp"
#include "storage/cache/cache.hpp"
#include "storage/kv.hpp"

/// A folder under /tmp, removed in the end.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    std::string path;
};

/// A CA that signs the members of a site.
struct TestCa {
    TestCa();
    struct Identity {
        std::string certificate_pem;
        std::string key_pem;
    };
    [[nodiscard]] Identity issue(const std::string& name) const;
    clarity::SigningKey key;
    std::string pem;
};

/// One agent's swarm with its cache. Its folder outlives stop(), as a disk does.
struct Node {
    std::string id;
    std::string address;
    std::string folder;
    TestCa::Identity identity;
    std::string ca_pem;
    std::unique_ptr<clarity::KeyValueStore> store;
    std::unique_ptr<clarity::ArtifactCache> cache;
    std::unique_ptr<clarity::Swarm> swarm;
    std::map<clarity::Digest, std::string> complete;
    std::vector<clarity::Error> errors;
    bool reachable = true;  ///< in the mesh
};

/// Several nodes on one loop, each on its own 127.x.y.z, with real TLS between them. The mesh is
/// played by share(): everybody's holdings and claims to everybody, ten times a second.
class Site {
  public:
    explicit Site(std::size_t nodes);
    ~Site();

    void start(Node& node, const std::function<void(clarity::SwarmSettings&)>& change = {});
    void stop(Node& node);  ///< as if killed: gone from the mesh too
    /// Each of these is alone: no news, no connections; or all are together again.
    void part(bool apart);
    void set_repository(const std::string& url);
    /// Writes `bytes` to the origin's file "artifact" and makes its manifest.
    [[nodiscard]] clarity::Manifest publish(const Origin& origin, const std::string& bytes,
                                            std::uint32_t piece_size_bytes = 128U << 10);
    /// A member that is none of ours: let in and dialled by all.
    void add_peer(clarity::SwarmPeer peer, clarity::ServerClaims claims);
    void want_everywhere(const clarity::Manifest& manifest);

    /// Runs the loop until it holds; false when it does not within the time.
    template <class Condition>
    bool run_until(Condition condition, std::chrono::seconds within = std::chrono::seconds(60)) {
        const auto deadline = std::chrono::steady_clock::now() + within;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            turn();
        }
        return true;
    }
    [[nodiscard]] bool all_complete(const clarity::Digest& sha256) const;
    [[nodiscard]] Node* fetcher(const clarity::Digest& sha256);
    [[nodiscard]] static clarity::Holding holding(const Node& node, const clarity::Digest& sha256);
    [[nodiscard]] std::uint64_t wan_bytes(const clarity::Digest& sha256) const;

    TempFolder folder;
    TestCa ca;
    boost::asio::io_context loop;
    std::vector<std::unique_ptr<Node>> nodes;
    clarity::RepositorySet repositories;
    std::vector<clarity::Manifest> manifests;  ///< older ones that every node still has

  private:
    std::chrono::steady_clock::time_point shared_{};
    std::map<std::string, clarity::ServerClaims> last_;
    bool apart_ = false;
    std::vector<clarity::SwarmPeer> others_;
    void turn();
    void share();
    void tell_peers();
};

/// Bytes that do not repeat, the same for a seed.
[[nodiscard]] std::string noise(std::size_t size_bytes, std::uint32_t seed);
/// Of a file, all of it.
[[nodiscard]] std::string contents(const std::string& path);
