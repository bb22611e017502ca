#pragma once

#include <string>
#include <vector>

#include "protocol/envelope.hpp"

namespace clarity::cli {

/// A signed document in a file that people carry.
struct DocumentFile {
    std::string path;  ///< absolute
    std::string kind;  ///< "root", "roster", "manifest", "plan", "beacon"
    Envelope envelope;
};

/// The document in a file: an envelope, or JSON with one. Nothing is verified.
[[nodiscard]] Result<DocumentFile> read_document(const std::string& path);

/// The documents of files and folders (their *.envelope files), in the order in which an agent can
/// take them: roots by version, roster, manifests, plans. An error names the first file that is
/// none; nothing has been done then.
[[nodiscard]] Result<std::vector<DocumentFile>> read_documents(
    const std::vector<std::string>& paths);

/// "kind-name.envelope" in `folder`, written atomically; characters that no file name may have
/// become '_'. Returns the path.
[[nodiscard]] Result<std::string> write_document(const std::string& folder, const std::string& name,
                                                 const Envelope& envelope);

}  // namespace clarity::cli
