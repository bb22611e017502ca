#include <cstdlib>

#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "protocol/x509.hpp"

namespace clarity::cli {
namespace {

/// Hex digits of a fingerprint, however it is written: colons, blanks, upper case.
std::string bare(std::string_view fingerprint) {
    std::string out;
    if (fingerprint.starts_with("sha256:")) fingerprint.remove_prefix(7);
    for (const char c : fingerprint) {
        if (c == ':' || c == ' ') continue;
        out += c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
    }
    return out;
}

/// Decides whether this CA is the coordinator's: by the fingerprint given, the CA of an earlier
/// login to the same address, or the person.
Result<void> trust(Session& session, const std::string& url, const std::string& ca_pem,
                   const Arguments& arguments) {
    CLARITY_TRY(const auto digest, x509::fingerprint_sha256(ca_pem));
    const auto fingerprint = digest.hex();
    if (arguments.has("ca-fingerprint")) {
        if (bare(arguments.text("ca-fingerprint")) == fingerprint) return {};
        return fail(Errc::bad_signature,
                    "{}: its CA has the fingerprint {}, not the one given; nothing was stored", url,
                    fingerprint);
    }
    const auto before = session.store().context();
    if (before && before->url == url) {
        if (before->ca_pem == ca_pem) return {};
        session.note("WARNING: {} has another CA than at the last login", url);
        if (session.options().yes) {
            return fail(Errc::bad_signature,
                        "{}: its CA changed to fingerprint {}; if that is right, say so with "
                        "--ca-fingerprint",
                        url, fingerprint);
        }
    }
    session.note("{} presents a CA with the SHA-256 fingerprint", url);
    session.note("  {}", fingerprint);
    session.note("The coordinator's log of its first start has the same one, and on its host");
    session.note("\"orchestrix --fingerprint\" prints it.");
    return session.confirm("Is this the CA of your coordinator?");
}

Result<std::string> token_of(Session& session, const Arguments& arguments) {
    std::string token = arguments.text("token");
    if (token.empty() && arguments.has("token-file")) {
        const auto path = arguments.text("token-file");
        auto text = path == "-" ? read_stdin(65536) : read_local(path, 65536);
        if (!text) return text;
        token = *std::move(text);
    }
    if (token.empty()) {
        if (const char* value = std::getenv("CLARITY_TOKEN"); value != nullptr) token = value;
    }
    if (token.empty()) {
        CLARITY_TRY(token, session.ask_secret("Token:", "give --token-file FILE or CLARITY_TOKEN"));
    }
    const auto end = token.find_last_not_of(" \t\r\n");
    token.erase(end == std::string::npos ? 0 : end + 1);
    token.erase(0, token.find_first_not_of(" \t\r\n"));
    if (token.empty() || token.find_first_of(" \t\r\n") != std::string::npos) {
        return fail(Errc::invalid, "the token is empty or has blanks in it");
    }
    return token;
}

/// The key that nodes let in for questions; made once, no passphrase: it may only ask.
Result<SigningKey> own_observer_key(const ConfigStore& store) {
    const auto path = store.key_path("observer");
    if (ConfigStore::exists(path)) return ConfigStore::read_key(path, "");
    const auto key = SigningKey::generate();
    CLARITY_CHECK(ConfigStore::write_key(path, key, ""));
    return key;
}

/// What is good to have when only nodes answer; its absence does not make the login fail.
void store_for_later(Session& session, const Api& api) {
    if (const auto root = session.root(); !root) {
        session.note("{}", root.error().message);
        return;
    }
    const auto sites = api.get("/api/v1/sites");
    if (!sites) return;
    for (const auto& site : site_names(*sites)) (void)session.refresh_roster(site);
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto url, normal_url(arguments.text("URL")));
    const auto timeout_ms = session.timeout_ms(15);
    const Api stranger(
        {.url = url, .ca_pem = {}, .token = {}, .timeout_ms = timeout_ms, .unverified = true});
    CLARITY_TRY(const auto claimed, stranger.get("/api/v1/info"));
    CLARITY_TRY(const auto ca_pem, json_get<std::string>(claimed, "ca_pem"));
    CLARITY_CHECK(trust(session, url, ca_pem, arguments));

    Context context;
    context.url = url;
    context.ca_pem = ca_pem;
    CLARITY_TRY(context.token, token_of(session, arguments));
    // From here on everything is verified by that CA, its own description of itself too.
    const Api api({.url = url, .ca_pem = ca_pem, .token = context.token, .timeout_ms = timeout_ms});
    CLARITY_TRY(const auto info, api.get("/api/v1/info"));
    CLARITY_TRY(context.coordinator_key, json_get<std::string>(info, "coordinator_key"));
    CLARITY_TRY(const auto observer, own_observer_key(session.store()));
    CLARITY_CHECK(api.post("/api/v1/observers", Json{{"public_key", observer.public_key().hex()}}));
    const auto before = session.store().context();
    const bool same = before && before->ca_pem == ca_pem && !arguments.has("new-root");
    if (same) context.root = before->root;
    CLARITY_CHECK(session.store().save(context));
    session.note("logged in to {}; stored in {}", url, session.store().folder());
    store_for_later(session, api);
    return ExitCode::done;
}

}  // namespace

Command login_command() {
    return {
        .path = "login",
        .summary = "choose a coordinator and pin its CA",
        .arguments = {positional("URL", "https://HOST:8470"),
                      option("token", "T", "bearer token; other users of this machine can see it"),
                      option("token-file", "FILE", "file with the token (- = standard input)"),
                      option("ca-fingerprint", "HEX",
                             "SHA-256 of the CA's certificate, known from elsewhere"),
                      flag("new-root",
                           "forget the root of the last login: trust this "
                           "coordinator's as at first")},
        .run = run,
        .details =
            "Without --ca-fingerprint it shows the fingerprint and asks; --yes trusts it. On\n"
            "the coordinator's host, orchestrix --fingerprint prints the same one.\n"
            "Writes context.json and keys/observer.key in ~/.config/clarity, or in\n"
            "CLARITY_CONFIG_DIR."};
}

}  // namespace clarity::cli
