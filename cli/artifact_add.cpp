#include <algorithm>
#include <ctime>

#include "cli/artifact.hpp"
#include "cli/artifact_store.hpp"
#include "cli/commands.hpp"
#include "cli/inventory_facts.hpp"
#include "cli/session.hpp"
#include "cli/view/units.hpp"
#include "protocol/http/client.hpp"
#include "protocol/manifest.hpp"
#include "storage/files.hpp"
#include "storage/ingest.hpp"
#include "storage/repositories/repository.hpp"
#include "storage/store_zstd.hpp"

namespace clarity::cli {
namespace {

/// Bytes read so far on standard error: a line redrawn on a terminal, a line per quarter off it.
class ReadProgress {
  public:
    ReadProgress(Session& session, std::string what) : session_(session), what_(std::move(what)) {}

    void show(std::uint64_t bytes, std::uint64_t total) {
        const auto now = monotonic_ms();
        const double seconds = static_cast<double>(now - started_ms_) / 1000;
        const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
        const int percent = total == 0 ? 100 : static_cast<int>(bytes * 100 / total);
        auto& terminal = session_.terminal();
        if (terminal.can_redraw()) {
            if (now - shown_ms_ < 100 && bytes < total) return;
            shown_ms_ = now;
            const auto left = rate > 0 ? static_cast<double>(total - bytes) / rate : -1;
            terminal.draw({fmt::format("{}: {}% of {} at {}{}", what_, percent, format_bytes(total),
                                       format_rate(rate),
                                       left > 0 ? ", " + format_duration(left) + " left" : "")});
            return;
        }
        // Short reads say nothing: a script's log is for what takes long.
        if (seconds < 2 || percent / 25 <= told_ / 25) return;
        told_ = percent;
        session_.note("{}: {}% of {} at {}", what_, percent, format_bytes(total),
                      format_rate(rate));
    }

  private:
    Session& session_;
    std::string what_;
    std::int64_t started_ms_ = monotonic_ms();
    std::int64_t shown_ms_ = -1000;
    int told_ = 0;
};

/// Reads the artifact from its repository, hashing as it comes; nothing is written to disk.
Result<Manifest> ingest_from(Session& session, const RepositoryAccess& access,
                             const std::string& path, std::uint32_t chunk_average_bytes) {
    CLARITY_TRY(const auto repository, make_repository(access));
    CLARITY_TRY(const auto size, repository->size(path));
    std::stop_source stop;
    CLARITY_TRY(const auto ingest, Ingest::start(size, {.chunk_average_bytes = chunk_average_bytes,
                                                        .stop = stop.get_token()}));
    ReadProgress progress(session, access.id + ":" + path);
    Result<void> written;
    std::uint64_t bytes = 0;
    ReadRequest request;
    request.path = path;
    request.expected_size = size;
    request.stop = stop.get_token();
    const auto outcome = repository->read(request, [&](std::string_view part) {
        if (Terminal::interrupted()) return false;
        written = ingest->write(part);
        bytes += part.size();
        progress.show(bytes, size);
        return written.has_value();
    });
    if (!written) return tl::unexpected<Error>(std::move(written).error());
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    return ingest->finish();
}

Result<Manifest> ingest_local(Session& session, const std::string& path,
                              std::uint32_t chunk_average_bytes) {
    ReadProgress progress(session, path);
    std::stop_source stop;
    auto manifest =
        ingest_file(path, {.chunk_average_bytes = chunk_average_bytes, .stop = stop.get_token()},
                    [&](std::uint64_t bytes, std::uint64_t total) {
                        if (Terminal::interrupted()) stop.request_stop();
                        progress.show(bytes, total);
                    });
    if (!manifest && manifest.error().code == Errc::denied) manifest.error().code = Errc::io;
    return manifest;
}

/// Writes the file for the repository.
Result<StoredForm> store_local(Session& session, const std::string& path, const Manifest& manifest,
                               const StoreOptions& options, const EarlierVersions& earlier) {
    ReadProgress progress(session, options.output);
    std::stop_source stop;
    StoreSettings settings;
    settings.level = options.level;
    settings.known = [&](const ChunkHash& hash) { return earlier.chunks.contains(hash); };
    settings.stop = stop.get_token();
    return store_zstd(path, manifest, options.output, settings,
                      [&](std::uint64_t bytes, std::uint64_t total) {
                          if (Terminal::interrupted()) stop.request_stop();
                          progress.show(bytes, total);
                      });
}

/// Everything but the hashes.
struct Described {
    ArtifactName name;
    ArtifactType type = ArtifactType::binary;
    std::string description;
    Source source;
    std::vector<Dependency> dependencies;
    InventoryFiles files;
};

Result<Described> describe(Session& session, const Arguments& arguments) {
    Described out;
    CLARITY_TRY(out.name, parse_artifact_name(arguments.text("NAME@VERSION")));
    // The inventory helps where it can be had; with everything given it is not needed.
    auto files = files_from(session, arguments.text("dir"));
    const bool needed = !arguments.has("FILE") || !arguments.has("type") ||
                        !arguments.has("repository") || !arguments.has("path");
    if (!files && (needed || arguments.has("dir"))) {
        return tl::unexpected<Error>(std::move(files).error());
    }
    if (files) out.files = *std::move(files);
    const auto facts = facts_of(out.files, out.name.artifact, out.name.version);
    const auto type =
        arguments.has("type") ? artifact_type_from(arguments.text("type")) : facts.type;
    if (!type) {
        const auto what = arguments.has("type")
                              ? "--type " + arguments.text("type")
                              : out.name.artifact + " is not in artifacts/registry.yml";
        return fail(Errc::invalid, "{}: say which --type: jar, war, lxc, docker, binary or script",
                    what);
    }
    if (facts.type && *facts.type != *type) {
        return fail(Errc::invalid, "--type {}: artifacts/registry.yml says that {} is of type {}",
                    name_of(*type), out.name.artifact, name_of(*facts.type));
    }
    out.type = *type;
    out.description = arguments.text_or("description", facts.description);
    if (facts.source) out.source = *facts.source;
    if (arguments.has("repository")) out.source.repository_id = arguments.text("repository");
    if (arguments.has("path")) out.source.path = arguments.text("path");
    if (out.source.repository_id.empty() || out.source.path.empty()) {
        return fail(Errc::invalid, "{}: say where servers get it with --repository ID and --path P",
                    arguments.text("NAME@VERSION"));
    }
    out.dependencies = facts.dependencies;
    for (const auto& text : arguments.list("depends")) {
        CLARITY_TRY(const auto on, parse_artifact_name(text));
        out.dependencies.push_back({on.artifact, on.version});
    }
    return out;
}

Result<Manifest> read_all(Session& session, const Arguments& arguments, const Described& what,
                          std::uint32_t chunk_average_bytes) {
    if (arguments.has("FILE")) {
        // A repository that the inventory does not have would only be noticed by the servers.
        if (!what.files.empty()) {
            const auto access = access_of(what.files, what.source.repository_id);
            if (!access && access.error().code == Errc::not_found) {
                return tl::unexpected<Error>(access.error());
            }
        }
        return ingest_local(session, arguments.text("FILE"), chunk_average_bytes);
    }
    CLARITY_TRY(const auto access, access_of(what.files, what.source.repository_id));
    return ingest_from(session, access, what.source.path, chunk_average_bytes);
}

/// The key that signs, and whether its signature counts.
Result<SigningKey> publisher_key(Session& session, const Arguments& arguments) {
    const auto path = arguments.text_or("key", session.store().key_path("publisher"));
    if (!ConfigStore::exists(path)) {
        return fail(Errc::not_found,
                    "{}: no publisher's key here; run clarity root init, or give "
                    "--key FILE",
                    path);
    }
    CLARITY_TRY(const auto key, session.open_key(path, "the publisher's key"));
    CLARITY_TRY(const auto root, session.root());
    const auto& keys = root.find(role::artifact)->keys;
    if (std::find(keys.begin(), keys.end(), key.public_key()) == keys.end()) {
        return fail(Errc::bad_signature,
                    "{}: this key is not in the root's role \"artifact\"; see "
                    "clarity root show",
                    path);
    }
    return key;
}

/// Fails where this name and version are taken by other contents, as far as the size tells.
Result<void> check_not_taken(const Api& api, const Arguments& arguments, const ArtifactName& name) {
    const auto list = api.get("/api/v1/manifests?artifact=" + url_encode(name.artifact));
    if (!list && list.error().code == Errc::not_found) return {};
    if (!list) return tl::unexpected<Error>(list.error());
    if (!list->is_array() || !arguments.has("FILE")) return {};
    const auto size = file_size(arguments.text("FILE"));
    if (!size) return {};  // reading it says why
    for (const auto& each : *list) {
        if (json_or<std::string>(each, "version", "") != name.version ||
            json_or<std::string>(each, "artifact", "") != name.artifact ||
            json_or<std::uint64_t>(each, "size_bytes", *size) == *size) {
            continue;
        }
        return fail(Errc::exists,
                    "{}@{} is registered already with other contents (sha256 {}); "
                    "give it a new version",
                    name.artifact, name.version, json_or<std::string>(each, "sha256", ""));
    }
    return {};
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(auto what, describe(session, arguments));
    CLARITY_TRY(const auto options, store_options(arguments));
    // The inventory names the artifact; the repository is to hold another file.
    if (options.zstd && !arguments.has("path") && !what.source.path.ends_with(".zst")) {
        what.source.path += ".zst";
    }
    CLARITY_TRY(const auto api, session.api());
    // What can be wrong is looked at first: nobody wants to hear of it, or be asked for a
    // passphrase, after ten minutes of reading.
    CLARITY_TRY(const auto key, publisher_key(session, arguments));
    CLARITY_CHECK(check_not_taken(api, arguments, what.name));
    const auto earlier = earlier_versions(api, what.name.artifact);
    const auto average = options.chunk_average_bytes != 0 ? options.chunk_average_bytes
                                                          : earlier.chunk_average_bytes;
    const auto started_ms = monotonic_ms();
    CLARITY_TRY(auto manifest, read_all(session, arguments, what, average));
    const auto seconds = std::max(0.001, static_cast<double>(monotonic_ms() - started_ms) / 1000);
    manifest.artifact = what.name.artifact;
    manifest.version = what.name.version;
    manifest.type = what.type;
    manifest.description = what.description;
    manifest.sources = {what.source};
    manifest.dependencies = what.dependencies;
    manifest.created_unix_s = std::time(nullptr);
    if (options.zstd) {
        CLARITY_TRY(manifest.stored,
                    store_local(session, arguments.text("FILE"), manifest, options, earlier));
        session.note("wrote {}: {}; put it into repository {} as {}", options.output,
                     format_bytes(manifest.stored->size_bytes), what.source.repository_id,
                     what.source.path);
    }
    auto envelope = Envelope::make(payload_type::manifest, manifest.encode());
    envelope.sign(key);
    CLARITY_TRY(const auto answer,
                api.post("/api/v1/manifests", Json{{"envelope", to_base64(envelope.encode())}}));
    session.note("registered {}@{}: {} read at {}", manifest.artifact, manifest.version,
                 format_bytes(manifest.size_bytes),
                 format_rate(static_cast<double>(manifest.size_bytes) / seconds));
    Json json{{"artifact", manifest.artifact},
              {"version", manifest.version},
              {"type", name_of(manifest.type)},
              {"sha256", manifest.sha256.hex()},
              {"size_bytes", manifest.size_bytes},
              {"pieces", manifest.piece_count()},
              {"chunks", manifest.chunks.size() / chunk_entry_bytes},
              {"digest", json_or<std::string>(answer, "digest", envelope.digest().hex())}};
    if (manifest.stored) {
        json["stored"] = manifest.stored->form;
        json["stored_bytes"] = manifest.stored->size_bytes;
        json["stored_file"] = options.output;
    }
    session.emit(json, [&] { return manifest.sha256.hex() + "\n"; });
    return ExitCode::done;
}

}  // namespace

Command artifact_add_command() {
    return {.path = "artifact add",
            .summary = "hash, sign and register an artifact version",
            .arguments = {positional("NAME@VERSION", "such as smsgateway@3.2.1"),
                          positional("FILE", "its bytes; default: read from the repository", false),
                          option("type", "T",
                                 "jar, war, lxc, docker, binary or script; default: "
                                 "as artifacts/registry.yml says"),
                          option("repository", "ID",
                                 "of repositories/config.yml, from which "
                                 "servers get it"),
                          option("path", "P", "its path in the repository"),
                          option("dir", "DIR",
                                 "inventory folder; default: the coordinator's "
                                 "inventory"),
                          option("store", "FORM",
                                 "what the repository holds: plain (default), or zstd: "
                                 "written to --output"),
                          option("output", "FILE", "with --store zstd; default: FILE.zst"),
                          option("level", "N", "of zstd, 1 to 19; default: 12",
                                 Argument::Check::number),
                          option("chunk-average", "BYTES",
                                 "a power of two; default: as earlier versions, or by the size",
                                 Argument::Check::number),
                          option("description", "TEXT", "one line"),
                          list_option("depends", "NAME@VERSION", "what must run first, repeated"),
                          option("key", "FILE", "publisher's key; default: keys/publisher.key")},
            .run = run,
            .details =
                "Prints the SHA-256 of the bytes. The bytes themselves are not uploaded:\n"
                "one server of each site fetches them from the repository. With --store\n"
                "zstd, put the written .zst file there: sites then pull compressed bytes,\n"
                "and of a new version what they lack. zstd -d gives back the artifact."};
}

}  // namespace clarity::cli
