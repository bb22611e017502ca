#pragma once

#include <string>

#include "protocol/plan.hpp"
#include "protocol/record.hpp"

namespace clarity::test {

/// A key that is the same in every run: its seed is 32 times `fill`.
inline SigningKey fixed_key(char fill) {
    return *SigningKey::from_seed(Bytes(32, fill));
}

inline Root sample_root() {
    Root root;
    root.roles[role::root] = {{fixed_key('r').public_key()}, 1};
    root.roles[role::coordinator] = {{fixed_key('c').public_key()}, 1};
    root.roles[role::artifact] = {{fixed_key('a').public_key()}, 1};
    return root;
}

inline Roster sample_roster() {
    Roster roster{.site = "acme/dc-1",
                  .epoch = 3,
                  .members = {},
                  .coordinators = {},
                  .observers = {},
                  .ca_pem = "PEM"};
    roster.members.push_back(
        {"s-1", "edge-1", fixed_key('1').public_key(), "tcp://127.0.0.1:8472", "127.0.0.1:8473"});
    roster.members.push_back(
        {"s-2", "edge-2", fixed_key('2').public_key(), "tcp://127.0.0.2:8472", "127.0.0.2:8473"});
    roster.coordinators.push_back({"tcp://127.0.0.9:8471",
                                   *curve_public(fixed_key('c').public_key()),
                                   "https://127.0.0.9:8470"});
    return roster;
}

inline Manifest sample_manifest() {
    Manifest manifest;
    manifest.artifact = "smsgateway";
    manifest.version = "3.2.1";
    manifest.type = ArtifactType::jar;
    manifest.sha256 = *Digest::from(Bytes(32, '\x5a'));
    manifest.size_bytes = 40000;
    manifest.piece_size_bytes = 32768;
    manifest.piece_layer = Bytes(64, '\x11');
    manifest.chunk_average_bytes = 65536;
    manifest.chunks = Bytes("\x30\x75\x00\x00", 4) + Bytes(16, '\x22') +  // 30,000 bytes
                      Bytes("\x10\x27\x00\x00", 4) + Bytes(16, '\x23');   // 10,000
    manifest.stored =
        StoredForm{"zstd", 15'040,
                   Bytes("\x10\x27\x00\x00\x01\x00", 6) + Bytes("\x88\x13\x00\x00\x01\x00", 6)};
    manifest.sources = {{"origin", "smsgateway/3.2.1.jar"}};
    manifest.dependencies = {{"jre", "17.0.0"}};
    manifest.created_unix_s = 1700000000;
    return manifest;
}

inline Plan sample_plan() {
    Plan plan;
    plan.id = "d-1";
    plan.client = "acme";
    plan.datacenter = "dc-1";
    plan.seq = 41;
    plan.previous = *Digest::from(Bytes(32, '\x01'));
    plan.created_unix_s = 1700000000;
    plan.correlation_id = "c-1";
    plan.manifests = {*Digest::from(Bytes(32, '\x02'))};
    Service service;
    service.name = "smsgateway";
    service.version = "3.2.1";
    service.type = ArtifactType::jar;
    service.manifest = plan.manifests.front();
    service.after = {"database"};
    service.ports = {{2775, 2775}};
    service.volumes = {{"/data", "/var/data", true}};
    service.sealed_config = "sealed";
    plan.servers = {{"s-1", {service}}, {"s-2", {service}}};
    plan.sealed_repositories["s-1"] = "sealed too";
    return plan;
}

inline Record sample_record() {
    Record record;
    record.site = "acme/dc-1";
    record.server_id = "s-1";
    record.version = {7, 9};
    record.agent_version = "0.1.0";
    record.plan_seq = 41;
    record.services = {{"smsgateway",
                        "3.2.1",
                        ServiceState::running,
                        Health::healthy,
                        1700000000000,
                        41,
                        0,
                        "",
                        {}}};
    record.holdings = {
        {*Digest::from(Bytes(32, '\x5a')), "smsgateway", "3.2.1", 40000, 2, 2, true, 40000, 0, ""}};
    record.claims = {{*Digest::from(Bytes(32, '\x5b')), 1700000000000, 4, 100}};
    record.refusals = {{"plan", "00ff", 40, "conflict", "old plan", 1700000000000}};
    record.notices = {"no Docker engine on this host"};
    return record;
}

inline Envelope sealed_by(std::string_view type, Bytes payload, const SigningKey& key) {
    auto envelope = Envelope::make(type, std::move(payload));
    envelope.sign(key);
    return envelope;
}

}  // namespace clarity::test
