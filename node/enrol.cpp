#include "node/enrol.hpp"

#include "protocol/http/client.hpp"
#include "protocol/join_token.hpp"
#include "protocol/json.hpp"
#include "protocol/roster.hpp"
#include "protocol/x509.hpp"

namespace clarity {
namespace {

/// The coordinator's CA certificate, once it is known to be the one that the token pins.
Result<std::string> pinned_ca(const EnrolSettings& settings, const JoinToken& token) {
    HttpRequest request;
    request.url = settings.coordinator_url + "/api/v1/info";
    request.insecure_any_server = true;  // only to learn the CA, which is then compared
    request.timeout_ms = settings.timeout_ms;
    request.response_max_bytes = 1U << 20;
    CLARITY_TRY(const auto response, http_request(request));
    CLARITY_TRY(const auto json, parse_json(response.body));
    CLARITY_TRY(auto ca_pem, json_get<std::string>(json, "ca_pem"));
    CLARITY_TRY(const auto fingerprint, x509::fingerprint_sha256(ca_pem));
    if (fingerprint != token.ca_fingerprint) {
        return fail(Errc::bad_signature,
                    "{} is not the coordinator that made this join token (its CA is {})",
                    settings.coordinator_url, fingerprint.hex());
    }
    return ca_pem;
}

Result<Json> post_enrol(const EnrolSettings& settings, const JoinToken& token,
                        const Identity& identity, const std::string& ca_pem) {
    CLARITY_TRY(const auto csr, x509::make_csr(identity.key, settings.server));
    HttpRequest request;
    request.method = "POST";
    request.url = settings.coordinator_url + "/api/v1/enrol";
    request.ca_pem = ca_pem;
    request.timeout_ms = settings.timeout_ms;
    request.headers = {{"Authorization", "Bearer " + token.encode()},
                       {"Content-Type", "application/json"}};
    request.body = to_text(Json{{"server", settings.server},
                                {"csr_pem", csr},
                                {"public_key", identity.key.public_key().hex()},
                                {"mesh_endpoint", settings.mesh_endpoint},
                                {"swarm_endpoint", settings.swarm_endpoint}});
    CLARITY_TRY(const auto response, http_request(request));
    auto json = parse_json(response.body);
    if (response.status >= 200 && response.status < 300) return json;
    std::string why = fmt::format("status {}", response.status);
    if (json && json->contains("error")) {
        why = json_or<std::string>((*json)["error"], "message", why);
    }
    const Errc code = response.status == 401 || response.status == 403 ? Errc::denied
                      : response.status >= 500                         ? Errc::network
                                                                       : Errc::invalid;
    return fail(code, "the coordinator refused to enrol {}: {}", settings.server, why);
}

Result<Envelope> envelope_from(const std::string& base64) {
    CLARITY_TRY(const auto bytes, from_base64(base64));
    return Envelope::decode(bytes);
}

}  // namespace

Result<Enrolment> enrol(const EnrolSettings& settings, const Identity& identity) {
    auto token = JoinToken::decode(settings.token);
    if (!token) return fail_within("join token", std::move(token));
    CLARITY_TRY(const auto ca_pem, pinned_ca(settings, *token));
    CLARITY_TRY(const auto answer, post_enrol(settings, *token, identity, ca_pem));

    Enrolment out{.identity = identity, .roots = {}, .roster = {}};
    out.identity.ca_pem = ca_pem;
    CLARITY_TRY(out.identity.server_id, json_get<std::string>(answer, "server_id"));
    CLARITY_TRY(out.identity.site, json_get<std::string>(answer, "site"));
    CLARITY_TRY(out.identity.certificate_pem, json_get<std::string>(answer, "certificate_pem"));
    CLARITY_TRY(const auto roots, json_get<std::vector<std::string>>(answer, "root"));
    Root root;
    for (const auto& text : roots) {
        CLARITY_TRY(auto envelope, envelope_from(text));
        if (out.roots.empty()) {
            if (envelope.digest() != token->root_digest) {
                return fail(Errc::bad_signature,
                            "the coordinator's root document is not the one the token pins");
            }
            CLARITY_TRY(root, verify_first_root(envelope));
        } else {
            CLARITY_TRY(root, verify_next_root(root, envelope));
        }
        out.roots.push_back(std::move(envelope));
    }
    if (out.roots.empty()) return fail(Errc::invalid, "the coordinator sent no root document");
    CLARITY_TRY(const auto roster_text, json_get<std::string>(answer, "roster"));
    CLARITY_TRY(out.roster, envelope_from(roster_text));
    CLARITY_TRY(const auto roster, verify_roster(root, out.identity.site, out.roster));
    const Member* self = roster.find(out.identity.server_id);
    if (self == nullptr || self->key != identity.key.public_key()) {
        return fail(Errc::invalid, "the roster that came with the enrolment does not name us");
    }
    out.identity.hostname = self->hostname;
    return out;
}

}  // namespace clarity
