#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <string>

#include "protocol/envelope.hpp"
#include "protocol/manifest.hpp"
#include "protocol/root.hpp"
#include "protocol/sha256.hpp"
#include "storage/files.hpp"

namespace clarity::test {

/// A folder of its own under /tmp, removed at the end.
struct TempDir {
    std::string path;
    TempDir() {
        char name[] = "/tmp/clarity-coordinator-XXXXXX";
        path = mkdtemp(name);
    }
    ~TempDir() { (void)remove_all(path); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
};

/// The offline keys of an operator: root and publisher.
struct Operator {
    SigningKey root_key = SigningKey::generate();
    SigningKey publisher = SigningKey::generate();

    Root root(const PublicKey& coordinator, std::uint64_t version = 1) const {
        Root out;
        out.version = version;
        out.roles[role::root] = Role{{root_key.public_key()}, 1};
        out.roles[role::coordinator] = Role{{coordinator}, 1};
        out.roles[role::artifact] = Role{{publisher.public_key()}, 1};
        return out;
    }
    Envelope sign_root(const Root& root) const {
        auto out = Envelope::make(payload_type::root, root.encode());
        out.sign(root_key);
        return out;
    }
    Manifest manifest(const std::string& artifact, const std::string& version, ArtifactType type,
                      const std::string& contents) const {
        Manifest out;
        out.artifact = artifact;
        out.version = version;
        out.type = type;
        out.sha256 = sha256(contents);
        out.size_bytes = contents.size();
        out.piece_size_bytes = 16U << 10;
        out.piece_layer = sha256(contents).bytes();
        out.chunk_average_bytes = 64U << 10;
        out.sources = {Source{"main", artifact + "/" + version}};
        return out;
    }
    Envelope sign_manifest(const Manifest& manifest) const {
        auto out = Envelope::make(payload_type::manifest, manifest.encode());
        out.sign(publisher);
        return out;
    }
};

}  // namespace clarity::test
