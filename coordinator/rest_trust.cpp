#include <charconv>

#include "coordinator/clock.hpp"
#include "coordinator/enrolment.hpp"
#include "coordinator/rest_api.hpp"
#include "protocol/log/log.hpp"
#include "protocol/x509.hpp"

namespace clarity::coordinator {
namespace {

Answer get_root(Api& api, Call& call) {
    CLARITY_CHECK(api.core.trust.current());
    const auto& chain = api.core.trust.chain();  // from version 1 on
    const auto text = call.query("version");
    if (text.empty()) return json_answer(envelope_json(chain.back()));
    std::size_t version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (error != std::errc() || end != text.data() + text.size() || version < 1) {
        return fail(Errc::invalid, "version must be a number from 1 on, not \"{}\"", text);
    }
    if (version > chain.size()) {
        return fail(Errc::not_found, "there is no root version {}; the newest is {}", version,
                    chain.size());
    }
    return json_answer(envelope_json(chain[version - 1]));
}

Answer put_root(Api& api, Call& call) {
    CLARITY_TRY(const auto bytes, envelope_of(call.body));
    const auto before = api.core.trust.version();
    CLARITY_TRY(const auto digest, api.core.trust.put(bytes));
    const auto version = api.core.trust.version();
    if (version != before) {
        api.audit(call, "root.put", fmt::format("version {}", version), digest.hex());
        log::info("root of trust: version {} is in force", version);
        api.effects.members_changed();
    }
    return json_answer(Json{{"digest", digest.hex()}, {"version", version}});
}

Answer create_token(Api& api, Call& call) {
    CLARITY_CHECK(api.core.trust.current());
    TokenGrant grant;
    CLARITY_TRY(grant.site, json_get<std::string>(call.body, "site"));
    grant.server = json_or<std::string>(call.body, "server", "");
    if (call.body.contains("ttl_s")) {
        CLARITY_TRY(grant.ttl_s, json_get<std::int64_t>(call.body, "ttl_s"));
    }
    if (!api.core.knows_site(grant.site)) {
        return fail(Errc::not_found,
                    "the inventory has no datacenter {}; write it as CLIENT/DATACENTER, and "
                    "\"clarity apply\" uploads the inventory",
                    grant.site);
    }
    CLARITY_TRY(const auto ca, x509::fingerprint_sha256(api.core.identity->ca_pem));
    CLARITY_TRY(const auto token,
                api.core.tokens.create(grant, ca, api.core.trust.first_digest(), call.now_s()));
    api.audit(call, "token.create", grant.site,
              fmt::format("server \"{}\", {} s", grant.server, grant.ttl_s));
    return json_answer(Json{{"token", token.text}, {"expires_at", utc_text(token.expires_unix_s)}},
                       201);
}

Result<EnrolRequest> enrol_request(const Call& call) {
    EnrolRequest out;
    out.token = call.request.bearer_token();
    if (out.token.empty()) return fail(Errc::denied, "enrolment needs a join token as bearer");
    CLARITY_TRY(out.server, json_get<std::string>(call.body, "server"));
    CLARITY_TRY(out.csr_pem, json_get<std::string>(call.body, "csr_pem"));
    CLARITY_TRY(const auto key, json_get<std::string>(call.body, "public_key"));
    auto parsed = PublicKey::from_hex(key);
    if (!parsed) return fail_within("\"public_key\"", std::move(parsed));
    out.public_key = *parsed;
    CLARITY_TRY(out.mesh_endpoint, json_get<std::string>(call.body, "mesh_endpoint"));
    CLARITY_TRY(out.swarm_endpoint, json_get<std::string>(call.body, "swarm_endpoint"));
    return out;
}

Answer enrol_server(Api& api, Call& call) {
    Core& core = api.core;
    CLARITY_TRY(const auto request, enrol_request(call));
    const auto enrolled = enrol(core, request, call.now_s());
    if (!enrolled) {
        if (enrolled.error().code == Errc::denied) core.metrics.count("tokens_refused_total");
        if (!core.auth.is_blocked(call.request.remote_address, call.now_ms)) {
            core.auth.note_failure(call.request.remote_address, call.now_ms);
            log::warning("enrolment of \"{}\" from {} refused: {}", request.server.substr(0, 64),
                         call.request.remote_address, enrolled.error().message);
        }
        return tl::unexpected(enrolled.error());
    }
    call.actor = "server " + enrolled->server_id;
    api.audit(call, enrolled->replaced ? "enrol.replace" : "enrol", enrolled->site,
              fmt::format("{} key {}", enrolled->hostname, request.public_key.hex()));
    log::info("{} of {} has enrolled{}", enrolled->hostname, enrolled->site,
              enrolled->replaced ? " anew: its old key is revoked" : "");
    core.metrics.count("enrolments_total");
    api.effects.members_changed();
    Json roots = Json::array();
    for (const auto& bytes : core.trust.chain()) roots.push_back(to_base64(bytes));
    const auto& address = core.rosters.common().address;
    return json_answer(Json{{"server_id", enrolled->server_id},
                            {"hostname", enrolled->hostname},
                            {"site", enrolled->site},
                            {"certificate_pem", enrolled->certificate_pem},
                            {"ca_pem", core.identity->ca_pem},
                            {"root", roots},
                            {"roster", to_base64(core.rosters.find(enrolled->site)->bytes)},
                            {"control_endpoint", address.control_endpoint},
                            {"control_curve_key", address.curve_key.hex()}});
}

Answer add_observer(Api& api, Call& call) {
    CLARITY_TRY(const auto text, json_get<std::string>(call.body, "public_key"));
    auto key = PublicKey::from_hex(text);
    if (!key) return fail_within("\"public_key\"", std::move(key));
    CLARITY_TRY(const bool added, api.core.rosters.add_observer(*key, call.actor, call.now_s()));
    if (added) {
        api.audit(call, "observer.add", key->hex());
        api.effects.members_changed();
    }
    return json_answer(Json{{"public_key", key->hex()}, {"added", added}});
}

}  // namespace

void Api::add_trust_routes(Router& router) {
    router.add("GET", "/api/v1/root", Access::admin,
               [this](Call& call) { return get_root(*this, call); });
    router.add("PUT", "/api/v1/root", Access::admin,
               [this](Call& call) { return put_root(*this, call); });
    router.add("GET", "/api/v1/tokens", Access::admin, [this](Call& call) -> Answer {
        CLARITY_TRY(const auto rows, core.tokens.list(call.now_s()));
        return json_answer(rows);
    });
    router.add("POST", "/api/v1/tokens", Access::admin,
               [this](Call& call) { return create_token(*this, call); });
    router.add("POST", "/api/v1/enrol", Access::join,
               [this](Call& call) { return enrol_server(*this, call); });
    router.add("GET", "/api/v1/observers", Access::admin, [this](Call&) -> Answer {
        Json out = Json::array();
        for (const auto& key : core.rosters.observers()) out.push_back(key.hex());
        return json_answer(out);
    });
    router.add("POST", "/api/v1/observers", Access::admin,
               [this](Call& call) { return add_observer(*this, call); });
}

}  // namespace clarity::coordinator
