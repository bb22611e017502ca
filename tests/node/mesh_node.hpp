#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <chrono>

#include "node/mesh_driver.hpp"
#include "protocol/query.hpp"

/// Nodes of a site within one test program: real sockets on loopback, one loop.
namespace clarity::test {

inline bool run_until(boost::asio::io_context& loop, const std::function<bool()>& done,
                      std::chrono::milliseconds most = std::chrono::seconds(15)) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
        loop.restart();
        loop.run_for(std::chrono::milliseconds(10));
    }
    return done();
}

/// One node's transport and mesh, as the agent joins them.
struct Node {
    Node(boost::asio::io_context& io, std::string name,
         const std::string& endpoint = "tcp://127.0.0.1:0")
        : loop(io), id(std::move(name)), key(SigningKey::generate()) {
        net = *wire::Wire::start(
            {key.curve_secret(),
             [&io](std::function<void()> f) { boost::asio::post(io, std::move(f)); },
             {}});
        const auto bound =
            net->listen({endpoint,
                         "mesh.listen",
                         true,
                         0,
                         [this](const std::string& user, const wire::Handle& from, Bytes frame) {
                             if (mesh && query::is(query::Channel::mesh, frame)) {
                                 mesh->receive(user, from, query::body_of(frame));
                             }
                         },
                         [this](const wire::Handle& handle) {
                             if (mesh) mesh->lost(handle);
                         },
                         {.site = "acme/dc-1", .server = id}});
        REQUIRE(bound);
        listener = *bound;
        MeshCallbacks hooks;
        hooks.changed = [] {};
        hooks.ad_seen = [this](const mesh::DocumentAd& ad) { mesh->want(ad.digest); };
        hooks.document = [this](const mesh::DocumentAd&, const Bytes& body) {
            documents.push_back(body);
        };
        hooks.store_incarnation = [this](std::uint64_t value) -> Result<void> {
            if (disk_full) return fail(Errc::no_space, "disk full");
            incarnation = value;
            return {};
        };
        hooks.record_jump = [] {};
        hooks.equivocation = [](const mesh::Equivocation&) {};
        MeshDriverSettings settings;
        settings.site = "acme/dc-1";
        settings.self = id;
        mesh = std::make_unique<MeshDriver>(io, *net, settings, std::move(hooks));
    }
    ~Node() {
        net.reset();
        mesh.reset();
    }
    Member member() const { return {id, id, key.public_key(), listener.endpoint, ""}; }
    void join(const Roster& roster) {
        std::map<CurveKey, std::string> users;
        for (const auto& each : roster.members) users[*curve_public(each.key)] = each.server_id;
        net->set_authorised(listener.id, users);
        mesh->set_roster(roster);
    }
    void publish(std::uint64_t plan_seq) {
        Record record;
        record.site = "acme/dc-1";
        record.server_id = id;
        record.version = mesh->next_version();
        record.plan_seq = plan_seq;
        record.endpoints = where;
        auto envelope = Envelope::make(payload_type::record, record.encode());
        envelope.sign(key);
        mesh->set_own_record(record.version, envelope.encode());
    }
    bool sees_alive(const std::string& other) const {
        for (const auto& each : mesh->mesh().members()) {
            if (each.id == other) return each.state == mesh::State::alive;
        }
        return false;
    }
    boost::asio::io_context& loop;
    std::string id;
    SigningKey key;
    bool disk_full = false;
    Endpoints where = {};  ///< as its record says
    std::uint64_t incarnation = 0;
    std::vector<Bytes> documents;
    wire::Listener listener;
    std::unique_ptr<wire::Wire> net;
    std::unique_ptr<MeshDriver> mesh;
};

inline Roster roster_of(const std::vector<Node*>& nodes) {
    Roster out;
    out.site = "acme/dc-1";
    out.epoch = 1;
    for (const auto* node : nodes) out.members.push_back(node->member());
    return out;
}

}  // namespace clarity::test
