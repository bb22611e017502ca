#include "protocol/control.hpp"

#include <algorithm>

#include "protocol/codec.hpp"

namespace clarity::control {
namespace {
constexpr std::size_t views_max = 20000;
/// Room for a message's own keys beside what it carries.
constexpr std::size_t overhead_bytes = 4U << 10;
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
template <class A>
void fields(A& a, View& v) {
    a.text("server", v.server_id);
    a.text("state", v.state);
    a.value("age", v.age_ms);
    a.text("witness", v.witness);
    a.optional_bin("record", v.record);
}
template <class A>
void fields(A& a, Report& r) {
    a.text("site", r.site);
    a.value("views", r.views);
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
constexpr char tag<Report> = 'r';
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

template <class T>
Result<Message> read(const char* what, std::string_view body) {
    CLARITY_TRY(auto out, codec::decode<T>(what, body, frame_max_bytes));
    return Message(std::move(out));
}

Result<void> within_limits(const Message& message) {
    if (const auto* report = std::get_if<Report>(&message); report != nullptr) {
        if (report->views.size() > views_max) return fail(Errc::invalid, "report of too many");
    } else if (const auto* offer = std::get_if<Offer>(&message); offer != nullptr) {
        if (offer->ads.size() > ads_max) return fail(Errc::invalid, "offer of too many documents");
    } else if (const auto* body = std::get_if<Body>(&message); body != nullptr) {
        const bool fits = body->total_bytes <= document_max && body->offset <= body->total_bytes &&
                          body->bytes.size() <= body->total_bytes - body->offset;
        if (!fits) return fail(Errc::invalid, "body lies outside its document");
    }
    return {};
}

}  // namespace

Bytes encode(const Message& message) {
    return std::visit(
        [](const auto& each) { return tag<std::decay_t<decltype(each)>> + codec::encode(each); },
        message);
}

Result<Message> decode(std::string_view frame) {
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
        default: break;
    }
    if (out) CLARITY_CHECK(within_limits(*out));
    return out;
}

std::vector<Bytes> encode_report(const std::string& site, const std::vector<View>& views) {
    std::vector<Bytes> frames;
    Report part{site, {}};
    std::size_t size = overhead_bytes;
    const auto flush = [&] {
        frames.push_back(encode(part));
        part.views.clear();
        size = overhead_bytes;
    };
    for (auto view : views) {
        if (view.record.size() > record_max_bytes + overhead_bytes) view.record.clear();
        const std::size_t cost =
            view.record.size() + view.server_id.size() + view.witness.size() + 96;
        if (!part.views.empty() && size + cost > frame_max_bytes) flush();
        size += cost;
        part.views.push_back(std::move(view));
    }
    if (!part.views.empty()) flush();
    return frames;
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
