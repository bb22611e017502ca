#include "cli/session.hpp"

#include <cstdlib>

#include "cli/view/yaml_text.hpp"
#include "protocol/http/client.hpp"

namespace clarity::cli {
namespace {

constexpr std::uint64_t root_chain_max = 1000;

std::string without_line_end(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

}  // namespace

Result<Api> Session::api() const {
    CLARITY_TRY(const auto context, store_.context());
    Api::Settings settings;
    settings.url = context.url;
    settings.ca_pem = context.ca_pem;
    settings.token = context.token;
    settings.timeout_ms = std::min<std::int64_t>(timeout_ms(30), 30'000);
    return Api(std::move(settings));
}

std::int64_t Session::timeout_ms(std::int64_t fallback_s) const {
    return options_.timeout_s.value_or(fallback_s) * 1000;
}

void Session::emit(const Json& json, const std::function<std::string()>& table) {
    switch (options_.format) {
        case Format::json: terminal_.out(to_text(json, 2) + "\n"); return;
        case Format::yaml: terminal_.out(yaml_text(json)); return;
        case Format::table: terminal_.out(table()); return;
    }
}

Result<void> Session::confirm(const std::string& question) {
    if (options_.yes) return {};
    if (!may_ask()) {
        return fail(Errc::invalid, "{} Nobody can be asked here: give --yes to go on", question);
    }
    const auto answer = Terminal::ask(question + " [y/N]", false);
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (*answer == "y" || *answer == "Y" || *answer == "yes") return {};
    return fail(Errc::cancelled, "nothing was done");
}

Result<std::string> Session::ask_secret(const std::string& question, std::string_view instead) {
    if (!may_ask()) {
        return fail(Errc::invalid, "{} Nobody can be asked here: {}", question, instead);
    }
    return Terminal::ask(question, true);
}

Result<std::optional<std::string>> Session::given_passphrase() const {
    if (const char* value = std::getenv("CLARITY_PASSPHRASE"); value != nullptr) {
        return std::optional<std::string>(value);
    }
    if (options_.passphrase_file.empty()) return std::optional<std::string>{};
    CLARITY_TRY(auto text, read_local(options_.passphrase_file, 4096));
    return std::optional<std::string>(without_line_end(std::move(text)));
}

Result<std::string> Session::passphrase(const std::string& what) {
    if (passphrase_) return *passphrase_;
    CLARITY_TRY(auto given, given_passphrase());
    if (!given) {
        CLARITY_TRY(given, ask_secret("Passphrase of " + what + ":",
                                      "set CLARITY_PASSPHRASE or give --passphrase-file"));
    }
    passphrase_ = given;
    return *given;
}

Result<std::string> Session::new_passphrase(const std::string& what) {
    CLARITY_TRY(const auto given, given_passphrase());
    if (given) return *given;
    if (!may_ask()) return std::string{};
    CLARITY_TRY(const auto first,
                Terminal::ask("New passphrase for " + what + " (empty = none):", true));
    if (first.empty()) return first;
    CLARITY_TRY(const auto second, Terminal::ask("The same again:", true));
    if (first != second) return fail(Errc::invalid, "the two passphrases differ; nothing was done");
    passphrase_ = first;
    return first;
}

Result<SigningKey> Session::open_key(const std::string& path, const std::string& what) {
    std::string secret;
    if (ConfigStore::is_encrypted(path)) {
        CLARITY_TRY(secret, passphrase(what));
    }
    auto key = ConfigStore::read_key(path, secret);
    // A wrong passphrase is this person's mistake, not a refusal of policy.
    if (!key && key.error().code == Errc::denied) key.error().code = Errc::failed;
    return key;
}

Result<Root> Session::stored_root() const {
    CLARITY_TRY(const auto context, store_.context());
    if (context.root.empty()) {
        return fail(Errc::not_found, "no root of trust yet: run clarity root init");
    }
    CLARITY_TRY(const auto envelope, Envelope::decode(context.root));
    return Root::decode(envelope.payload);
}

Result<Envelope> envelope_from(const Json& answer) {
    CLARITY_TRY(const auto text, json_get<std::string>(answer, "envelope"));
    CLARITY_TRY(const auto bytes, from_base64(text));
    return Envelope::decode(bytes);
}

Result<std::vector<Envelope>> Session::root_chain(std::uint64_t from, std::uint64_t to) const {
    CLARITY_TRY(const auto coordinator, api());
    std::vector<Envelope> out;
    for (auto version = from; version <= to; ++version) {
        CLARITY_TRY(const auto answer,
                    coordinator.get(fmt::format("/api/v1/root?version={}", version)));
        CLARITY_TRY(auto envelope, envelope_from(answer));
        out.push_back(std::move(envelope));
    }
    return out;
}

Result<Root> Session::root() {
    CLARITY_TRY(auto context, store_.context());
    CLARITY_TRY(const auto coordinator, api());
    auto answer = coordinator.get("/api/v1/root");
    const bool none = !answer && (answer.error().code == Errc::not_found ||
                                  answer.error().code == Errc::conflict);
    if (none) {
        return fail(Errc::not_found, "the coordinator has no root yet: run clarity root init");
    }
    if (!answer) return tl::unexpected<Error>(std::move(answer).error());
    CLARITY_TRY(const auto newest, envelope_from(*answer));
    CLARITY_TRY(const auto claimed, Root::decode(newest.payload));
    std::optional<Root> trusted;
    if (!context.root.empty()) {
        CLARITY_TRY(trusted, stored_root());
        CLARITY_TRY(const auto held, Envelope::decode(context.root));
        if (held.digest() == newest.digest()) return *trusted;
    }
    const auto from = trusted ? trusted->version + 1 : 1;
    std::vector<Envelope> chain;
    if (claimed.version > from && claimed.version - from < root_chain_max) {
        CLARITY_TRY(chain, root_chain(from, claimed.version - 1));
    }
    chain.push_back(newest);
    for (const auto& envelope : chain) {
        // The first is trusted with the CA, on first use; each other by the one before it.
        auto next = trusted ? verify_next_root(*trusted, envelope) : verify_first_root(envelope);
        if (!next) {
            next.error().code = Errc::bad_signature;
            return tl::unexpected<Error>(std::move(next).error().within(
                "the coordinator's root does not follow the one of your login; if its change is "
                "known to you, run clarity login with --new-root"));
        }
        trusted = *std::move(next);
    }
    context.root = newest.encode();
    CLARITY_CHECK(store_.save(context));
    return *trusted;
}

Result<std::string> site_path(std::string_view site) {
    const auto slash = site.find('/');
    const bool one =
        slash != std::string_view::npos && site.find('/', slash + 1) == std::string_view::npos;
    if (!one || slash == 0 || slash + 1 == site.size()) {
        return fail(Errc::invalid,
                    "\"{}\" is not a site: write CLIENT/DATACENTER, such as acme/dc-1", site);
    }
    return url_encode(site.substr(0, slash)) + "/" + url_encode(site.substr(slash + 1));
}

std::vector<std::string> site_names(const Json& sites) {
    std::vector<std::string> names;
    const Json& list = sites.is_object() && sites.contains("sites") ? sites.at("sites") : sites;
    if (!list.is_array()) return names;
    for (const auto& each : list) {
        auto name =
            each.is_string() ? each.get<std::string>() : json_or<std::string>(each, "site", "");
        if (!name.empty()) names.push_back(std::move(name));
    }
    return names;
}

Result<std::string> Session::site_or_only(const std::string& named) {
    if (!named.empty()) {
        CLARITY_CHECK(site_path(named));
        return named;
    }
    CLARITY_TRY(const auto coordinator, api());
    CLARITY_TRY(const auto sites, coordinator.get("/api/v1/sites"));
    const auto names = site_names(sites);
    if (names.size() == 1) return names.front();
    if (names.empty()) {
        return fail(Errc::not_found, "the coordinator has no site: run clarity apply DIR first");
    }
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
    return fail(Errc::invalid, "there are {} sites, name one: {}", names.size(), list);
}

Result<Roster> Session::refresh_roster(const std::string& site) {
    CLARITY_TRY(const auto path, site_path(site));
    CLARITY_TRY(const auto coordinator, api());
    CLARITY_TRY(const auto trusted, root());
    CLARITY_TRY(const auto answer, coordinator.get("/api/v1/sites/" + path + "/roster"));
    CLARITY_TRY(const auto envelope, envelope_from(answer));
    CLARITY_TRY(auto roster, verify_roster(trusted, site, envelope));
    CLARITY_CHECK(store_.save_roster(site, envelope));
    return roster;
}

}  // namespace clarity::cli
