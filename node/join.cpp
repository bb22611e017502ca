#include "node/join.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <random>
#include <thread>

#include "node/enrol.hpp"
#include "node/own_endpoints.hpp"
#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr std::int64_t backoff_min_ms = 1000;
constexpr std::int64_t backoff_max_ms = 30'000;
constexpr std::size_t token_max_bytes = 4096;

Result<EnrolSettings> settings_of(const AgentConfig& config) {
    EnrolSettings out;
    if (config.coordinator.empty()) {
        return fail(Errc::invalid,
                    "this server is not enrolled: set coordinator (https://host:8470) and "
                    "join_token_file, or run orchestrix-agent enrol");
    }
    out.coordinator_url = config.coordinator;
    out.token = config.join_token;
    if (out.token.empty() && config.join_token_file.empty()) {
        return fail(Errc::invalid,
                    "this server is not enrolled: set join_token_file to a file with a token of "
                    "\"clarity token create\"");
    }
    if (out.token.empty()) {
        auto text = read_file(config.join_token_file, token_max_bytes);
        if (!text) return fail_within("join_token_file", std::move(text));
        out.token = *std::move(text);
        while (!out.token.empty() && std::isspace(static_cast<unsigned char>(out.token.back()))) {
            out.token.pop_back();
        }
    }
    out.server = config.server;
    out.mesh_endpoint = resolve_interface(config.mesh_advertise);
    out.swarm_endpoint = resolve_interface(config.swarm_advertise);
    CLARITY_CHECK(check_advertised("mesh.advertise", out.mesh_endpoint));
    CLARITY_CHECK(check_advertised("swarm.advertise", out.swarm_endpoint));
    return out;
}

bool worth_a_retry(const Error& error) {
    return error.code == Errc::network || error.code == Errc::timeout;
}

Result<Enrolment> enrol_with_retries(const EnrolSettings& settings, const Identity& identity,
                                     std::uint32_t tries) {
    std::minstd_rand random(std::random_device{}());
    auto backoff = backoff_min_ms;
    for (std::uint32_t attempt = 1;; ++attempt) {
        auto enrolment = enrol(settings, identity);
        if (enrolment || !worth_a_retry(enrolment.error()) || attempt == tries) return enrolment;
        log::warning("not enrolled yet, trying again: {}", enrolment.error().message);
        std::uniform_int_distribution<std::int64_t> jitter(backoff / 2, backoff);
        std::this_thread::sleep_for(std::chrono::milliseconds(jitter(random)));
        backoff = std::min(backoff * 2, backoff_max_ms);
    }
}

}  // namespace

Result<Joined> join_site(const AgentConfig& config, KeyValueStore& store, std::uint32_t tries) {
    CLARITY_TRY(auto identity, load_identity(config.state_dir));
    if (!identity.enrolled()) {
        CLARITY_TRY(const auto settings, settings_of(config));
        CLARITY_TRY(auto enrolment, enrol_with_retries(settings, identity, tries));
        CLARITY_TRY(auto trust, TrustStore::open(store, enrolment.identity.site));
        CLARITY_CHECK(trust.begin(enrolment.roots, enrolment.roster));
        // Last: from here on the server counts as enrolled.
        CLARITY_CHECK(store_enrolment(config.state_dir, enrolment.identity));
        log::info("enrolled as {} of site {}", enrolment.identity.hostname,
                  enrolment.identity.site);
        return Joined{std::move(enrolment.identity), std::move(trust)};
    }
    CLARITY_TRY(auto trust, TrustStore::open(store, identity.site));
    if (trust.roster().epoch == 0) {
        return fail(Errc::not_found,
                    "{}: enrolled, but the documents are lost; remove {}/identity/enrolment.json "
                    "and enrol again with a new token",
                    config.state_dir, config.state_dir);
    }
    return Joined{std::move(identity), std::move(trust)};
}

}  // namespace clarity
