#include "cli/config_store.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "protocol/http/client.hpp"
#include "protocol/json.hpp"
#include "storage/files.hpp"

namespace clarity::cli {
namespace {

constexpr std::string_view roster_suffix = ".roster";

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view{} : std::string_view(value);
}

/// "denied" here would read as the coordinator's refusal to whoever looks at the exit code.
template <class T>
Result<T> local(Result<T> result) {
    if (!result && result.error().code == Errc::denied) result.error().code = Errc::io;
    return result;
}

}  // namespace

Result<std::string> read_local(const std::string& path, std::size_t size_max) {
    return local(read_file(path, size_max));
}

Result<std::string> read_stdin(std::size_t size_max) {
    std::string text;
    char buffer[16384];
    while (true) {
        const auto count = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(Errc::io, "standard input: {}", std::strerror(errno));
        if (count == 0) return text;
        text.append(buffer, static_cast<std::size_t>(count));
        if (text.size() > size_max) {
            return fail(Errc::invalid, "standard input: more than {} bytes", size_max);
        }
    }
}

Result<ConfigStore> ConfigStore::find() {
    if (const auto folder = variable("CLARITY_CONFIG_DIR"); !folder.empty()) {
        return ConfigStore(std::string(folder));
    }
    if (const auto base = variable("XDG_CONFIG_HOME"); !base.empty()) {
        return ConfigStore(std::string(base) + "/clarity");
    }
    if (const auto home = variable("HOME"); !home.empty()) {
        return ConfigStore(std::string(home) + "/.config/clarity");
    }
    return fail(Errc::not_found, "no folder for keys and contexts: set HOME or CLARITY_CONFIG_DIR");
}

Result<Context> ConfigStore::context() const {
    if (folder_.empty()) return tl::unexpected<Error>(find().error());
    const auto path = folder_ + "/context.json";
    const auto text = read_local(path, 1U << 20);
    if (!text && text.error().code == Errc::not_found) {
        return fail(Errc::not_found, "not logged in to a coordinator: run clarity login URL");
    }
    if (!text) return tl::unexpected<Error>(text.error());
    auto json = parse_json(*text);
    if (!json || !json->is_object()) {
        return fail(Errc::invalid, "{}: not readable: run clarity login again", path);
    }
    Context context;
    context.url = json_or<std::string>(*json, "url", "");
    context.ca_pem = json_or<std::string>(*json, "ca_pem", "");
    context.token = json_or<std::string>(*json, "token", "");
    context.coordinator_key = json_or<std::string>(*json, "coordinator_key", "");
    context.root = from_base64(json_or<std::string>(*json, "root", "")).value_or("");
    if (context.url.empty() || context.ca_pem.empty()) {
        return fail(Errc::invalid, "{}: has no url or ca_pem: run clarity login again", path);
    }
    return context;
}

Result<void> ConfigStore::save(const Context& context) const {
    const Json json{{"url", context.url},
                    {"ca_pem", context.ca_pem},
                    {"token", context.token},
                    {"coordinator_key", context.coordinator_key},
                    {"root", to_base64(context.root)}};
    CLARITY_CHECK(local(make_dirs(folder_, 0700)));
    return local(write_file_atomic(folder_ + "/context.json", to_text(json, 2) + "\n", 0600));
}

std::string ConfigStore::key_path(std::string_view name) const {
    return folder_ + "/keys/" + std::string(name) + ".key";
}

bool ConfigStore::exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

bool ConfigStore::is_encrypted(const std::string& path) {
    const auto text = read_local(path, 4096);
    return text && text->find("argon2id") != std::string::npos;
}

Result<SigningKey> ConfigStore::read_key(const std::string& path, std::string_view passphrase) {
    CLARITY_TRY(const auto text, read_local(path, 4096));
    auto key = decode_key_file(text, passphrase);
    if (!key) return tl::unexpected<Error>(std::move(key).error().within(path));
    return key;
}

Result<void> ConfigStore::write_key(const std::string& path, const SigningKey& key,
                                    std::string_view passphrase) {
    if (exists(path)) {
        return fail(Errc::exists, "{}: there is a key already; move it away first", path);
    }
    const auto slash = path.rfind('/');
    if (slash != std::string::npos && slash > 0) {
        CLARITY_CHECK(local(make_dirs(path.substr(0, slash), 0700)));
    }
    return local(write_file_atomic(path, encode_key_file(key, passphrase), 0600));
}

Result<void> ConfigStore::save_roster(std::string_view site, const Envelope& envelope) const {
    const auto folder = folder_ + "/rosters";
    CLARITY_CHECK(local(make_dirs(folder, 0700)));
    const auto path = folder + "/" + url_encode(site) + std::string(roster_suffix);
    return local(write_file_atomic(path, envelope.encode(), 0600));
}

std::vector<Roster> ConfigStore::rosters(const Root& root) const {
    std::vector<Roster> found;
    const auto folder = folder_ + "/rosters";
    DIR* entries = ::opendir(folder.c_str());
    if (entries == nullptr) return found;
    while (const auto* entry = ::readdir(entries)) {
        const std::string name = entry->d_name;
        if (!name.ends_with(roster_suffix)) continue;
        const auto bytes = read_local(folder + "/" + name);
        if (!bytes) continue;
        const auto envelope = Envelope::decode(*bytes);
        if (!envelope) continue;
        const auto claimed = Roster::decode(envelope->payload);
        if (!claimed) continue;
        auto roster = verify_roster(root, claimed->site, *envelope);
        if (roster) found.push_back(*std::move(roster));
    }
    ::closedir(entries);
    return found;
}

}  // namespace clarity::cli
