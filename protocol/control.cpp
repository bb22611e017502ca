#include "protocol/control.hpp"

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/compression.hpp"
#include "protocol/control_words.hpp"
#include "protocol/sha256.hpp"
#include "protocol/view_table.hpp"

namespace clarity::control {
namespace {
constexpr std::size_t views_max = 20000;
/// A shorter message is sent as it is.
constexpr std::size_t compress_min_bytes = 160;
}  // namespace

template <class A>
void fields(A& a, Ad& ad) {
    a.text("kind", ad.kind);
    a.text("key", ad.key);
    a.value("version", ad.version);
    a.value("digest", ad.digest);
    a.value("size", ad.size_bytes);
}
template <class A>
void fields(A& a, Hello& h) {
    a.text("site", h.site);
    a.text("server", h.server_id);
    a.value("roster_epoch", h.roster_epoch);
    a.value("plan_seq", h.plan_seq);
    a.value("root_version", h.root_version);
    a.text("agent", h.agent_version);
}
// Short keys: these travel all day long.
template <class A>
void fields(A& a, View& v) {
    a.text("s", v.server_id);
    a.text("t", v.state);
    a.value("a", v.age_ms);
    a.text("w", v.witness);
    a.value("i", v.version.incarnation);
    a.value("n", v.version.seq);
    a.optional_bin("r", v.record);
}
template <class A>
void fields(A& a, Report& r) {
    a.value("q", r.seq);
    a.value("p", r.is_primary);
    a.value("d", r.digest);
    a.value("t", r.at_ms);
    a.value("f", r.fresh_ms);
    a.optional("x", r.stale);
    a.optional("m", r.replaced);
    a.optional("c", r.changes);
    a.optional("g", r.gone);
}
template <class A>
void fields(A& a, Ack& k) {
    a.value("q", k.seq);
    a.value("t", k.at_ms);
    a.optional("b", k.buckets);
    a.optional("w", k.wanted);
    a.optional("o", k.offer);
    a.optional_bin("n", k.beacon);
}
template <class A>
void fields(A& a, Ask& k) {
    a.value("n", k.nonce);
}
template <class A>
void fields(A& a, Fetch& f) {
    a.value("digest", f.digest);
    a.optional("offset", f.offset);
    a.optional("length", f.length_bytes);
}
template <class A>
void fields(A& a, OrderResult& o) {
    a.text("nonce", o.nonce);
    a.value("ok", o.ok);
    a.text("text", o.text);
}
template <class A>
void fields(A& a, Offer& o) {
    a.text("site", o.site);
    a.value("ads", o.ads);
}
template <class A>
void fields(A& a, Body& b) {
    a.value("digest", b.digest);
    a.value("offset", b.offset);
    a.value("total", b.total_bytes);
    a.bin("bytes", b.bytes);
}
template <class A>
void fields(A& a, Order& o) {
    a.bin("envelope", o.envelope);
}

namespace {

/// First byte of a frame, one per message; none is ever reused.
template <class T>
constexpr char tag = 0;
template <>
constexpr char tag<Hello> = 'h';
template <>
constexpr char tag<Report> = 'd';  // 'r' was the report without deltas
template <>
constexpr char tag<Fetch> = 'f';
template <>
constexpr char tag<OrderResult> = 'x';
template <>
constexpr char tag<Offer> = 'o';
template <>
constexpr char tag<Body> = 'b';
template <>
constexpr char tag<Order> = 'c';
template <>
constexpr char tag<Ack> = 'k';
template <>
constexpr char tag<Ask> = 'q';
/// A whole frame of another kind, compressed with control_words.
constexpr char compressed = 'z';

template <class T>
Result<Message> read(const char* what, std::string_view body) {
    CLARITY_TRY(auto out, codec::decode<T>(what, body, frame_max_bytes));
    return Message(std::move(out));
}

Result<void> within_limits(const Report& report) {
    const bool fits = report.changes.size() <= views_max && report.gone.size() <= views_max &&
                      report.stale.size() <= stale_max;
    return fits ? Result<void>() : fail(Errc::invalid, "report of too many servers");
}
Result<void> within_limits(const Offer& offer) {
    if (offer.ads.size() > ads_max) return fail(Errc::invalid, "offer of too many documents");
    return {};
}
Result<void> within_limits(const Body& body) {
    const bool fits = body.total_bytes <= document_max && body.offset <= body.total_bytes &&
                      body.bytes.size() <= body.total_bytes - body.offset;
    return fits ? Result<void>() : fail(Errc::invalid, "body lies outside its document");
}
Result<void> within_limits(const Ack& ack) {
    const bool fits = (ack.buckets.empty() || ack.buckets.size() == ViewTable::buckets_count) &&
                      ack.wanted.size() <= wanted_max;
    return fits ? Result<void>() : fail(Errc::invalid, "acknowledgement of a wrong size");
}
template <class T>
Result<void> within_limits(const T&) {
    return {};
}

}  // namespace

Bytes encode(const Message& message) {
    auto plain = std::visit(
        [](const auto& each) { return tag<std::decay_t<decltype(each)>> + codec::encode(each); },
        message);
    // What is too long as it stands is refused at the other end whether compressed or not.
    if (plain.size() < compress_min_bytes || plain.size() > frame_max_bytes) return plain;
    auto packed = compressed + compression::pack(plain, control_words);
    return packed.size() > 1 && packed.size() < plain.size() ? packed : plain;
}

Result<Message> decode(std::string_view frame) {
    Bytes unpacked;
    if (!frame.empty() && frame.front() == compressed) {
        CLARITY_TRY(unpacked, compression::unpack(frame.substr(1), frame_max_bytes, control_words));
        frame = unpacked;
    }
    if (frame.empty()) return fail(Errc::invalid, "control frame is empty");
    const auto body = frame.substr(1);
    Result<Message> out = fail(Errc::invalid, "control frame is of an unknown kind");
    switch (frame.front()) {
        case tag<Hello>: out = read<Hello>("hello", body); break;
        case tag<Report>: out = read<Report>("report", body); break;
        case tag<Fetch>: out = read<Fetch>("fetch", body); break;
        case tag<OrderResult>: out = read<OrderResult>("order result", body); break;
        case tag<Offer>: out = read<Offer>("offer", body); break;
        case tag<Body>: out = read<Body>("body", body); break;
        case tag<Order>: out = read<Order>("order", body); break;
        case tag<Ack>: out = read<Ack>("acknowledgement", body); break;
        case tag<Ask>: out = read<Ask>("question", body); break;
        default: break;
    }
    if (out) {
        CLARITY_CHECK(std::visit([](const auto& each) { return within_limits(each); }, *out));
    }
    return out;
}

std::uint64_t offer_hash(const std::vector<Ad>& ads) {
    const auto digest = sha256(codec::encode(Offer{{}, ads}));
    std::uint64_t out = 1;
    for (std::size_t i = 0; i < 4; ++i) out = out << 8 | digest.data[i];
    return out;
}

std::vector<Body> bodies_of(const Fetch& fetch, std::string_view document) {
    std::vector<Body> out;
    if (fetch.offset >= document.size()) return out;
    auto rest = document.substr(fetch.offset);
    if (fetch.length_bytes != 0) rest = rest.substr(0, fetch.length_bytes);
    for (std::size_t at = 0; at < rest.size(); at += chunk_bytes) {
        out.push_back(Body{fetch.digest, fetch.offset + at, document.size(),
                           Bytes(rest.substr(at, chunk_bytes))});
    }
    return out;
}

Result<std::optional<Bytes>> Assembler::add(const Body& body) {
    if (body.digest != digest_) return fail(Errc::invalid, "body of another document");
    if (body.total_bytes == 0 || body.total_bytes > document_max ||
        (total_bytes_ != 0 && body.total_bytes != total_bytes_)) {
        return fail(Errc::invalid, "document of {} bytes is over the limit or changed its size",
                    body.total_bytes);
    }
    total_bytes_ = body.total_bytes;
    if (body.offset > bytes_.size()) return fail(Errc::invalid, "a part of it is missing");
    const std::size_t known = bytes_.size() - body.offset;
    if (known < body.bytes.size()) bytes_.append(body.bytes, known);
    if (bytes_.size() > total_bytes_) return fail(Errc::invalid, "document is longer than it says");
    if (bytes_.size() < total_bytes_) return std::optional<Bytes>{};
    return std::optional<Bytes>(std::move(bytes_));
}

}  // namespace clarity::control
