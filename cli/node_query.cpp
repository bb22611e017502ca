#include "cli/node_query.hpp"

#include "protocol/wire/wire.hpp"

namespace clarity::cli {
namespace {

constexpr std::string_view tcp = "tcp://";

/// "10.0.0.1" of "10.0.0.1:8472" and of "[::1]:8472" "[::1]".
std::string host_of(std::string_view address) {
    const auto bracket = address.find(']');
    const auto colon = address.rfind(':');
    const bool port = colon != std::string_view::npos &&
                      (bracket == std::string_view::npos || colon > bracket) &&
                      (bracket != std::string_view::npos || address.find(':') == colon);
    return std::string(port ? address.substr(0, colon) : address);
}

Result<Json> answer_from(Result<Bytes> frame, const std::string& who) {
    if (!frame) return tl::unexpected<Error>(std::move(frame).error());
    auto text = query::decode_answer(*frame);
    if (!text) return tl::unexpected<Error>(std::move(text).error().within(who));
    auto json = parse_json(*text, query::answer_max_bytes);
    if (!json) return tl::unexpected<Error>(std::move(json).error().within(who));
    return json;
}

/// The frame that answers a question over the local socket.
Result<Bytes> ask_local(const std::string& socket, const query::Question& question,
                        int timeout_ms) {
    wire::AskSettings settings;
    settings.endpoint = socket.starts_with("ipc://") ? socket : "ipc://" + socket;
    auto frame = wire::ask(settings, query::encode(question), timeout_ms);
    // That nobody is there, or a file's permission, is no refusal of policy.
    if (!frame && frame.error().code == Errc::not_found) frame.error().code = Errc::network;
    if (!frame && frame.error().code == Errc::denied) frame.error().code = Errc::io;
    return frame;
}

Result<Json> status_from(Result<Bytes> frame, const std::string& who) {
    auto json = answer_from(std::move(frame), who);
    if (!json) return json;
    if (json->is_object() && json->contains("error")) {
        const auto error = json_or<Json>(*json, "error", Json::object());
        return fail(Errc::failed, "{}: {}", who,
                    json_or<std::string>(error, "message", "refused the question"));
    }
    return json;
}

}  // namespace

Result<NodeTarget> find_node(const std::vector<Roster>& rosters, const std::string& address) {
    const std::string_view wanted =
        address.starts_with(tcp) ? std::string_view(address).substr(tcp.size()) : address;
    const auto host = host_of(wanted);
    const bool with_port = host != wanted;
    for (const auto& roster : rosters) {
        for (const auto& member : roster.members) {
            std::string_view endpoint = member.mesh_endpoint;
            if (endpoint.starts_with(tcp)) endpoint.remove_prefix(tcp.size());
            const bool exact = with_port ? endpoint == wanted : host_of(endpoint) == host;
            if (exact || member.hostname == wanted || member.server_id == wanted) {
                return NodeTarget{member.hostname, member.mesh_endpoint, member.key};
            }
            if (with_port && member.hostname == host) {
                return NodeTarget{member.hostname, std::string(tcp) + std::string(wanted),
                                  member.key};
            }
        }
    }
    return fail(Errc::not_found,
                "{}: in no roster stored on this machine, so its key is not known; run clarity "
                "status once while the coordinator answers",
                address);
}

Result<Json> ask_node(const NodeTarget& node, const SigningKey& observer, int timeout_ms,
                      const query::Question& question) {
    wire::AskSettings settings;
    settings.endpoint = node.endpoint;
    CLARITY_TRY(settings.server_key, curve_public(node.key));
    settings.own_secret = observer.curve_secret();
    auto frame = wire::ask(settings, query::encode(question), timeout_ms);
    if (!frame) return tl::unexpected<Error>(std::move(frame).error().within(node.name));
    return status_from(std::move(frame), node.name + " at " + node.endpoint);
}

Result<Json> ask_socket(const std::string& path, int timeout_ms, const query::Question& question) {
    return status_from(ask_local(path, question, timeout_ms), path);
}

Result<Delivery> deliver_to_socket(const std::string& socket, const std::string& file,
                                   int timeout_ms) {
    const query::Question question{.name = "deliver", .path = file};
    CLARITY_TRY(const auto json, answer_from(ask_local(socket, question, timeout_ms), socket));
    using enum Delivery::Outcome;
    if (json.is_object() && json.contains("accepted")) {
        return Delivery{accepted, json_or<std::string>(json, "accepted", "")};
    }
    const auto error = json_or<Json>(json, "error", Json::object());
    const auto code = json_or<std::string>(error, "code", "");
    auto line = json_or<std::string>(error, "message", "refused without a reason");
    if (code == name_of(Errc::exists)) return Delivery{held, std::move(line)};
    if (code == name_of(Errc::unavailable)) return Delivery{busy, std::move(line)};
    // The path goes along in the agent's words; only reading the file fails in these ways.
    const bool unread = code == name_of(Errc::io) || code == name_of(Errc::not_found) ||
                        code == name_of(Errc::denied);
    if (unread) return fail(Errc::io, "the agent cannot read it: {}", line);
    return Delivery{refused, std::move(line)};
}

Result<SigningKey> observer_key(const ConfigStore& store) {
    const auto path = store.key_path("observer");
    if (!ConfigStore::exists(path)) {
        return fail(Errc::not_found,
                    "no observer key on this machine, which nodes ask for: run clarity login URL");
    }
    return ConfigStore::read_key(path, "");
}

}  // namespace clarity::cli
