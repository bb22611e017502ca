#include "protocol/wire/greeting.hpp"

#include <algorithm>

#include "protocol/codec.hpp"
#include "protocol/query.hpp"

namespace clarity::wire {
namespace {

constexpr std::size_t values_max = 64;

bool is_text(std::string_view text, std::size_t max_bytes) {
    return text.size() <= max_bytes && std::none_of(text.begin(), text.end(), [](char c) {
               return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
           });
}

}  // namespace

template <class A>
void fields(A& a, Greeting& g) {
    a.text("site", g.site);
    a.text("server", g.server);
    a.value("min", g.version_min);
    a.value("max", g.version_max);
}

Bytes Greeting::encode() const {
    return query::wrap(query::Channel::greeting, codec::encode(*this));
}

bool Greeting::is(std::string_view frame) {
    return query::is(query::Channel::greeting, frame);
}

Result<Greeting> Greeting::decode(std::string_view frame) {
    if (!is(frame)) return fail(Errc::invalid, "frame is not a greeting");
    CLARITY_TRY(auto out, codec::decode<Greeting>("greeting", query::body_of(frame),
                                                  frame_max_bytes, values_max));
    if (out.site.empty() || !is_text(out.site, site_max_bytes) ||
        !is_text(out.server, server_max_bytes)) {
        return fail(Errc::invalid, "greeting without a site, or with one that is no name");
    }
    if (out.version_min > out.version_max) {
        return fail(Errc::invalid, "greeting with an empty range of versions");
    }
    return out;
}

std::optional<std::string> disagreement(const Greeting& ours, const Greeting& theirs) {
    if (theirs.site != ours.site) {
        return fmt::format(
            "is of site \"{}\", this server is of \"{}\"; look which site that server was enrolled "
            "for",
            theirs.site, ours.site);
    }
    if (theirs.version_max < ours.version_min || theirs.version_min > ours.version_max) {
        return fmt::format(
            "speaks protocol {} to {}, this server {} to {}; update the older of the two",
            theirs.version_min, theirs.version_max, ours.version_min, ours.version_max);
    }
    return std::nullopt;
}

}  // namespace clarity::wire
