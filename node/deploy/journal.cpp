#include "node/deploy/journal.hpp"

#include "protocol/json.hpp"
#include "protocol/sha256.hpp"

namespace clarity {
namespace {

/// A service travels in the one encoding it has: a plan of one server.
Json to_json(const std::optional<ServiceVersion>& version) {
    if (!version) return nullptr;
    Plan plan;
    plan.client = plan.datacenter = "-";
    plan.seq = 1;
    plan.manifests.push_back(version->service.manifest);
    plan.servers.push_back({"here", {version->service}});
    Json json;
    json["service"] = to_base64(plan.encode());
    json["sha256"] = version->sha256.hex();
    json["key"] = version->key;
    return json;
}

Result<std::optional<ServiceVersion>> version_from(const Json& json, const char* name) {
    if (!json.contains(name) || json.at(name).is_null()) return std::nullopt;
    const auto& inner = json.at(name);
    CLARITY_TRY(const auto text, json_get<std::string>(inner, "service"));
    CLARITY_TRY(const auto bytes, from_base64(text));
    CLARITY_TRY(auto plan, Plan::decode(bytes));
    if (plan.servers.size() != 1 || plan.servers[0].services.size() != 1) {
        return fail(Errc::invalid, "\"{}\" holds no service", name);
    }
    ServiceVersion out;
    out.service = std::move(plan.servers[0].services[0]);
    CLARITY_TRY(const auto digest, json_get<std::string>(inner, "sha256"));
    CLARITY_TRY(out.sha256, Digest::from_hex(digest));
    CLARITY_TRY(out.key, json_get<std::string>(inner, "key"));
    return out;
}

}  // namespace

Bytes JournalEntry::encode() const {
    Json json;
    json["name"] = name;
    json["step"] = std::string(name_of(step));
    json["target"] = to_json(target);
    json["good"] = to_json(good);
    json["previous"] = to_json(previous);
    json["installed"] = to_json(installed);
    json["failed"] = failed;
    json["finished"] = finished;
    json["detail"] = detail;
    json["since_unix_ms"] = since_unix_ms;
    json["plan_seq"] = plan_seq;
    json["deployed_seq"] = deployed_seq;
    json["boot_id"] = boot_id;
    return to_text(json);
}

Result<JournalEntry> JournalEntry::decode(std::string_view bytes) {
    CLARITY_TRY(const auto json, parse_json(bytes));
    JournalEntry out;
    CLARITY_TRY(out.name, json_get<std::string>(json, "name"));
    CLARITY_TRY(const auto step, json_get<std::string>(json, "step"));
    const auto known = step_from(step);
    if (!known) return fail(Errc::invalid, "unknown step \"{}\"", step);
    out.step = *known;
    CLARITY_TRY(out.target, version_from(json, "target"));
    CLARITY_TRY(out.good, version_from(json, "good"));
    CLARITY_TRY(out.previous, version_from(json, "previous"));
    CLARITY_TRY(out.installed, version_from(json, "installed"));
    out.failed = json_or(json, "failed", false);
    out.finished = json_or(json, "finished", false);
    out.detail = json_or<std::string>(json, "detail", {});
    out.since_unix_ms = json_or(json, "since_unix_ms", out.since_unix_ms);
    out.plan_seq = json_or(json, "plan_seq", out.plan_seq);
    out.deployed_seq = json_or(json, "deployed_seq", out.deployed_seq);
    out.boot_id = json_or<std::string>(json, "boot_id", {});
    return out;
}

std::string instance_key(const Service& service, const Digest& sha256) {
    Json json;
    json["version"] = service.version;
    json["type"] = std::string(name_of(service.type));
    json["sha256"] = sha256.hex();
    json["config"] = service.config_fingerprint.hex();
    json["command"] = service.command;
    for (const auto& each : service.ports) json["ports"].push_back({each.internal, each.external});
    for (const auto& each : service.volumes) {
        json["volumes"].push_back(
            {each.host_path, each.container_path, each.read_only ? "ro" : "rw"});
    }
    json["network"] = service.network;
    json["user"] = service.user;
    json["restart"] = std::string(name_of(service.restart));
    json["memory"] = service.memory_max_bytes;
    json["cpu"] = service.cpu_percent_max;
    return clarity::sha256(to_text(json)).hex().substr(0, 16);
}

Result<void> Journal::put(const JournalEntry& entry) {
    return store_.put(journal_prefix + entry.name, entry.encode(), Sync::yes);
}

Result<void> Journal::erase(const std::string& name) {
    return store_.erase(journal_prefix + name, Sync::yes);
}

std::map<std::string, JournalEntry> Journal::load(std::vector<std::string>& problems) {
    std::map<std::string, JournalEntry> out;
    const auto scanned =
        store_.scan(journal_prefix, [&](std::string_view key, std::string_view value) {
            auto entry = JournalEntry::decode(value);
            if (entry) out.emplace(entry->name, std::move(*entry));
            else problems.push_back(std::string(key) + ": " + entry.error().message);
            return true;
        });
    if (!scanned) problems.push_back(scanned.error().message);
    return out;
}

}  // namespace clarity
