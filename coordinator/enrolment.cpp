#include "coordinator/enrolment.hpp"

#include "coordinator/core.hpp"
#include "protocol/x509.hpp"

namespace clarity::coordinator {
namespace {

constexpr std::size_t endpoint_max_bytes = 256;

/// Who may take a server's place: a used token only serves the very server it let in, as long as
/// that one belongs (its answer was lost); and another key than the enrolled one needs a token made
/// for that server, so that no stray token of a site turns into one of its running servers.
Result<void> check_place(const Core& core, const TokenRow& token, const EnrolRequest& request,
                         const inventory::Server& server) {
    const auto before = core.rosters.locate(server.id);
    const bool same = before && before->second.key == request.public_key;
    if (token.used() && !same) {
        return fail(Errc::denied,
                    "this join token was used, and {} is not enrolled with this key any more; make "
                    "a new one with \"clarity token create\"",
                    server.hostname);
    }
    if (before && !same && token.server().empty()) {
        return fail(Errc::denied,
                    "{} is enrolled with another key; to replace it, make a token for it with "
                    "\"clarity token create {} --server {}\"",
                    server.hostname, token.site(), server.hostname);
    }
    return {};
}

/// The request's key, proved, and not another server's.
Result<void> check_key(const Core& core, const EnrolRequest& request,
                       const std::string& server_id) {
    auto proved = x509::public_key_of_csr(request.csr_pem);
    if (!proved) return fail_within("\"csr_pem\"", std::move(proved));
    if (*proved != request.public_key) {
        return fail(Errc::bad_signature,
                    "\"csr_pem\" is signed by another key than \"public_key\"");
    }
    CLARITY_CHECK(curve_public(request.public_key));
    const auto holder = core.rosters.locate(request.public_key);
    if (holder && holder->second.server_id != server_id) {
        return fail(Errc::conflict,
                    "this key is {}'s already; every server makes its own: remove the copied state "
                    "folder",
                    holder->second.hostname);
    }
    return {};
}

}  // namespace

Result<void> check_endpoint(std::string_view what, std::string_view endpoint,
                            std::string_view scheme) {
    const auto bad = [&] {
        return fail(Errc::invalid, "{} \"{}\" is not {}HOST:PORT", what,
                    endpoint.substr(0, endpoint_max_bytes), scheme);
    };
    if (endpoint.size() > endpoint_max_bytes || !endpoint.starts_with(scheme)) return bad();
    const auto rest = endpoint.substr(scheme.size());
    const auto host = host_of(rest);
    if (host.empty() || is_wildcard(host) || port_of(rest) == 0) return bad();
    for (const char c : rest) {
        const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
                          c == ']';
        if (!good) return bad();
    }
    return {};
}

Result<Enrolled> enrol(Core& core, const EnrolRequest& request, std::int64_t now_unix_s) {
    CLARITY_CHECK(core.trust.current());
    const auto token = JoinToken::decode(request.token);
    if (!token) return fail(Errc::denied, "{}", token.error().message);
    CLARITY_TRY(const auto row, core.tokens.check(*token, request.public_key, now_unix_s));
    const auto site = row.site();
    CLARITY_TRY(const auto inventory, core.inventory.current());
    const auto server = find_server(inventory->inventory, site, request.server);
    if (!server) {
        return fail(Errc::not_found,
                    "the inventory has no server \"{}\" at {}; give its id or hostname with "
                    "--server, or add it to servers.yml and \"clarity apply\"",
                    request.server.substr(0, 64), site);
    }
    if (!row.server().empty() && row.server() != server->id && row.server() != server->hostname) {
        return fail(Errc::denied, "this join token is for server \"{}\", not for {}", row.server(),
                    server->hostname);
    }
    CLARITY_CHECK(check_place(core, row, request, *server));
    CLARITY_CHECK(check_endpoint("\"mesh_endpoint\"", request.mesh_endpoint, "tcp://"));
    CLARITY_CHECK(check_endpoint("\"swarm_endpoint\"", request.swarm_endpoint, ""));
    CLARITY_CHECK(check_key(core, request, server->id));

    Enrolled out{server->id, server->hostname, site, {}, false};
    // Names over the limit of X.509 are cut: the roster says who is who, the name is for people.
    const x509::Subject subject{
        .common_name = server->id.substr(0, 64), .sans = {"DNS:*"}, .now_unix_s = now_unix_s};
    CLARITY_TRY(out.certificate_pem,
                x509::issue({core.identity->ca, core.identity->ca_pem}, request.csr_pem, subject));
    if (const auto before = core.rosters.locate(server->id)) {
        out.replaced = before->second.key != request.public_key;
    }
    const Member member{server->id, server->hostname, request.public_key, request.mesh_endpoint,
                        request.swarm_endpoint};
    CLARITY_CHECK(core.rosters.put_member(
        site, member, {Tokens::spent(row, request.public_key, server->id, now_unix_s)}));
    return out;
}

}  // namespace clarity::coordinator
