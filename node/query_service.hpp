#pragma once

#include <functional>
#include <map>
#include <string>

#include "protocol/json.hpp"
#include "protocol/query.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity {

/// What questions are answered from. Run on the loop.
struct QuerySources {
    std::function<Json()> status;  ///< protocol/status.hpp
    std::function<Json()> version;
    std::function<Bytes()> roster_envelope;
    /// Who has which share of an artifact: "NAME" or "NAME@VERSION" (protocol/artifact_peers.hpp).
    std::function<Json(const std::string& name)> artifact;
    /// Takes a document that an operator brought in a file; says its kind.
    std::function<Result<std::string>(std::string_view bytes)> deliver;
};

/// Over which door a question came.
enum class Asker { remote, local_socket };

/// The answer frame for a question frame, whatever it is. Blocks for the file of "deliver".
[[nodiscard]] Bytes answer_question(std::string_view frame, Asker asker,
                                    const QuerySources& sources);

/// Answers questions of operators and other members: from the local socket, where the file's
/// permission lets in, and from the mesh port, where the key must be in the roster. Each asker has
/// a budget of questions. Loop thread only.
class QueryService {
  public:
    static constexpr double questions_per_s = 20;
    /// Everybody on this host shares one budget, and file permission has let them in.
    static constexpr double local_questions_per_s = 200;

    QueryService(wire::Wire& net, QuerySources sources) : net_(net), sources_(std::move(sources)) {}

    /// A frame of the question channel; answers through the wire.
    void receive(const std::string& user, const wire::Handle& from, std::string_view frame,
                 std::int64_t now_ms);

  private:
    struct Budget {
        double left = -1;  ///< none yet: begins full
        std::int64_t at_ms = 0;
    };
    wire::Wire& net_;
    QuerySources sources_;
    std::map<std::string, Budget> budgets_;

    [[nodiscard]] bool within_budget(const std::string& user, Asker asker, std::int64_t now_ms);
};

}  // namespace clarity
