#include "cli/documents.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "cli/config_store.hpp"
#include "protocol/codec.hpp"
#include "protocol/query.hpp"
#include "protocol/root.hpp"
#include "storage/files.hpp"

namespace clarity::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view extension = ".envelope";

struct Kind {
    std::string_view type;
    std::string_view name;
};
/// In the order of delivery.
constexpr std::array<Kind, 5> kinds = {{{payload_type::root, "root"},
                                        {payload_type::roster, "roster"},
                                        {payload_type::manifest, "manifest"},
                                        {payload_type::plan, "plan"},
                                        {payload_type::beacon, "beacon"}}};

/// Place in the order: by kind, roots by version.
std::pair<std::size_t, std::uint64_t> rank_of(const DocumentFile& file) {
    const auto at = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const Kind& kind) { return kind.name == file.kind; });
    std::uint64_t version = 0;
    if (file.kind == "root") {
        if (const auto root = Root::decode(file.envelope.payload)) version = root->version;
    }
    return {static_cast<std::size_t>(at - kinds.begin()), version};
}

Result<std::vector<std::string>> files_of(const std::string& path) {
    std::error_code ec;
    if (!fs::is_directory(path, ec)) return std::vector<std::string>{path};
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(path, ec)) {
        if (entry.path().extension() == extension) out.push_back(entry.path().string());
    }
    if (ec) return fail(Errc::io, "{}: cannot be listed: {}", path, ec.message());
    if (out.empty()) {
        return fail(Errc::not_found,
                    "{}: no {} files in it; clarity deployments export writes "
                    "them",
                    path, extension);
    }
    return out;
}

}  // namespace

Result<DocumentFile> read_document(const std::string& path) {
    CLARITY_TRY(const auto contents, read_local(path, 2 * codec::document_max_bytes));
    const auto bytes = query::document_from_file(contents);
    auto envelope =
        bytes ? Envelope::decode(*bytes) : Result<Envelope>(tl::unexpected<Error>(bytes.error()));
    if (!envelope) {
        return fail(Errc::invalid, "{}: not a signed document: {}", path, envelope.error().message);
    }
    const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                   [&](const Kind& each) { return each.type == envelope->type; });
    if (kind == kinds.end()) {
        return fail(Errc::invalid, "{}: a document of type \"{}\" is not for delivery", path,
                    envelope->type.substr(0, 80));
    }
    std::error_code ec;
    auto absolute = fs::absolute(path, ec);
    if (ec) return fail(Errc::io, "{}: {}", path, ec.message());
    return DocumentFile{absolute.lexically_normal().string(), std::string(kind->name),
                        *std::move(envelope)};
}

Result<std::vector<DocumentFile>> read_documents(const std::vector<std::string>& paths) {
    std::vector<DocumentFile> out;
    for (const auto& path : paths) {
        CLARITY_TRY(const auto files, files_of(path));
        for (const auto& file : files) {
            CLARITY_TRY(auto document, read_document(file));
            out.push_back(std::move(document));
        }
    }
    std::stable_sort(out.begin(), out.end(), [](const DocumentFile& a, const DocumentFile& b) {
        return rank_of(a) < rank_of(b);
    });
    return out;
}

Result<std::string> write_document(const std::string& folder, const std::string& name,
                                   const Envelope& envelope) {
    std::string file = name;
    for (char& c : file) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '@' || c == '+';
        if (!plain) c = '_';
    }
    const auto path = folder + "/" + file + std::string(extension);
    CLARITY_CHECK(write_file_atomic(path, envelope.encode(), 0644));
    return path;
}

}  // namespace clarity::cli
