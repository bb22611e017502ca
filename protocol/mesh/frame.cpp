#include "protocol/mesh/frame.hpp"

#include <algorithm>
#include <type_traits>

#include "protocol/codec.hpp"
#include "protocol/mesh/evidence.hpp"

namespace clarity::mesh {
namespace {

/// A frame as it travels: lists of small tuples are flat arrays of integers.
struct Wire {
    std::uint64_t version = frame_version;
    std::uint8_t type = 0;
    std::vector<std::uint64_t> updates, entries;
    Bytes heard;
    std::array<Bytes, set_count> buckets;
    std::vector<std::uint64_t> masks;
    Frame frame;
};

/// Written only when it says something, may be absent when read.
template <class A, class T>
void sparse(A& a, const char* key, T& list) {
    if constexpr (std::is_same_v<A, codec::Encoder>) {
        if (!list.empty()) a.value(key, list);
    } else {
        a.optional(key, list);
    }
}

template <class A>
void sparse_bin(A& a, const char* key, Bytes& bytes) {
    if constexpr (std::is_same_v<A, codec::Encoder>) {
        if (!bytes.empty()) a.bin(key, bytes);
    } else {
        a.optional_bin(key, bytes);
    }
}

template <class A>
void type_fields(A& a, Wire& w) {
    Frame& f = w.frame;
    using enum FrameType;
    switch (static_cast<FrameType>(w.type)) {
        case gossip: break;
        case ping_request:
            a.value("m", f.target);
            a.value("q", f.sequence);
            break;
        case nack: a.value("q", f.sequence); break;
        case ping:
        case ack:
            a.value("q", f.sequence);
            a.value("g", f.root);
            break;
        case announce:
            sparse(a, "e", w.entries);
            sparse(a, "a", f.ads);
            break;
        case records:
            a.value("b", f.bodies);
            a.value("x", f.more);
            break;
        case record_get: a.value("o", f.owners); break;
        case digest: a.value("r", w.masks); break;
        case buckets:
            sparse_bin(a, "b0", w.buckets[0]);
            sparse_bin(a, "b1", w.buckets[1]);
            sparse_bin(a, "b2", w.buckets[2]);
            sparse(a, "a", f.ads);
            break;
        case entries:
            a.value("w", f.request);
            a.value("r", w.masks);
            sparse(a, "e", w.entries);
            sparse(a, "a", f.ads);
            break;
        case document_get:
            a.value("d", f.digest);
            a.value("o", f.offset);
            break;
        case document_part:
            a.value("d", f.digest);
            a.value("o", f.offset);
            sparse(a, "a", f.ads);
            sparse_bin(a, "y", f.bytes);
            break;
    }
}

}  // namespace

// Found by the codec through their types' namespace.
template <class A>
void fields(A& a, DocumentAd& ad) {
    a.text("k", ad.kind);
    a.text("i", ad.key);
    a.value("n", ad.version);
    a.value("d", ad.digest);
    a.value("s", ad.size_bytes);
}

template <class A>
void fields(A& a, RecordBody& body) {
    a.value("o", body.owner);
    a.value("i", body.version.incarnation);
    a.value("n", body.version.seq);
    a.bin("y", body.bytes);
}

namespace {

template <class A>
void fields(A& a, Wire& w) {
    a.value("v", w.version);
    if (w.version != frame_version) return;
    a.value("s", w.frame.site);
    a.value("t", w.type);
    a.value("n", w.frame.incarnation);
    sparse(a, "u", w.updates);
    sparse_bin(a, "h", w.heard);
    type_fields(a, w);
}

Bytes pack(const Buckets& buckets) {
    Bytes out;
    out.reserve(bucket_count * 8);
    for (const auto bucket : buckets) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            out.push_back(static_cast<char>((bucket >> shift) & 0xffU));
        }
    }
    return out;
}

std::optional<Buckets> unpack(std::string_view bytes) {
    if (bytes.size() != bucket_count * 8) return std::nullopt;
    Buckets out{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        out[i / 8] |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * (i % 8));
    }
    return out;
}

bool unpack_lists(const Wire& w, const Roll* roll, Frame& f) {
    if (w.updates.size() % 4 != 0 || w.updates.size() / 4 > updates_max ||
        w.entries.size() % 4 != 0 || w.entries.size() / 4 > entries_max ||
        !unpack_evidence(w.heard, roll, f.heard, f.roll_hash)) {
        return false;
    }
    for (std::size_t i = 0; i < w.updates.size(); i += 4) {
        if (w.updates[i + 1] > static_cast<std::uint64_t>(State::left)) return false;
        f.updates.push_back({w.updates[i], static_cast<State>(w.updates[i + 1]), w.updates[i + 2],
                             w.updates[i + 3]});
    }
    for (std::size_t i = 0; i < w.entries.size(); i += 4) {
        f.entries.push_back({w.entries[i], {w.entries[i + 1], w.entries[i + 2]}, w.entries[i + 3]});
    }
    return true;
}

bool within_limits(const Frame& f) {
    if (f.ads.size() > ads_max || f.bodies.size() > bodies_max || f.owners.size() > entries_max) {
        return false;
    }
    for (const auto& ad : f.ads) {
        if (ad.kind.size() > 32 || ad.key.size() > 128 || ad.size_bytes > mesh_document_max_bytes) {
            return false;
        }
    }
    return f.incarnation <= incarnation_max;
}

bool has_roots(FrameType type) {
    return type == FrameType::digest || type == FrameType::entries;
}

}  // namespace

Bytes encode_frame(Frame frame, const Roll* roll) {
    Wire w;
    w.type = static_cast<std::uint8_t>(frame.type);
    for (const auto& u : frame.updates) {
        w.updates.insert(w.updates.end(),
                         {u.member, static_cast<std::uint64_t>(u.state), u.incarnation, u.accuser});
    }
    w.heard = pack_evidence(frame.heard, roll);
    for (const auto& e : frame.entries) {
        w.entries.insert(w.entries.end(), {e.owner, e.version.incarnation, e.version.seq, e.hash});
    }
    if (has_roots(frame.type)) {
        const auto& words = frame.type == FrameType::digest ? frame.roots : frame.masks;
        w.masks.assign(words.begin(), words.end());
    }
    for (std::size_t i = 0; i < set_count; ++i) {
        if (frame.buckets[i]) w.buckets[i] = pack(*frame.buckets[i]);
    }
    w.frame = std::move(frame);
    codec::Encoder encoder;
    fields(encoder, w);
    return encoder.finish();
}

FrameFault decode_frame(std::string_view bytes, Frame& out, const Roll* roll) {
    auto wire = codec::decode<Wire>("mesh frame", bytes, frame_max_bytes);
    if (!wire) return FrameFault::malformed;
    if (wire->version != frame_version) return FrameFault::version;
    out = std::move(wire->frame);
    out.type = static_cast<FrameType>(wire->type);
    if (wire->type > static_cast<std::uint8_t>(FrameType::document_part)) {
        out.type = FrameType::gossip;  // from a newer agent: what it carries is still good
    }
    if (!unpack_lists(*wire, roll, out) || !within_limits(out)) return FrameFault::malformed;
    if (has_roots(out.type)) {
        if (wire->masks.size() != set_count) return FrameFault::malformed;
        auto& words = out.type == FrameType::digest ? out.roots : out.masks;
        std::copy(wire->masks.begin(), wire->masks.end(), words.begin());
    }
    for (std::size_t i = 0; i < set_count; ++i) {
        if (wire->buckets[i].empty()) continue;
        out.buckets[i] = unpack(wire->buckets[i]);
        if (!out.buckets[i]) return FrameFault::malformed;
    }
    return FrameFault::none;
}

std::string_view frame_type_name(std::size_t type) {
    static constexpr std::array<std::string_view, frame_type_count> names{
        "gossip",     "ping",   "ack",     "nack",    "ping_request", "announce",     "records",
        "record_get", "digest", "buckets", "entries", "document_get", "document_part"};
    return type < names.size() ? names[type] : "unknown";
}

}  // namespace clarity::mesh
