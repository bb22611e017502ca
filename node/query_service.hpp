#pragma once

#include <functional>
#include <map>
#include <string>

#include "protocol/query.hpp"
#include "protocol/status.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity {

/// What questions are answered from. Run on the loop.
struct QuerySources {
    std::function<SiteView()> site;
    std::function<Bytes()> roster;  ///< its envelope
};

/// Answers questions of operators and other members: from the local socket, where the file's
/// permission lets in, and from the mesh port, where the key must be in the roster. Each asker has
/// a budget of questions. Loop thread only.
class QueryService {
  public:
    static constexpr double questions_per_s = 20;

    QueryService(wire::Wire& net, QuerySources sources)
        : net_(net), sources_(std::move(sources)) {}

    /// A frame of the question channel; answers through the wire.
    void receive(const std::string& user, const wire::Handle& from, std::string_view frame,
                 std::int64_t now_ms);
    /// The JSON text that answers.
    [[nodiscard]] std::string answer(std::string_view frame) const;

  private:
    struct Budget {
        double left = questions_per_s;
        std::int64_t at_ms = 0;
    };
    wire::Wire& net_;
    QuerySources sources_;
    std::map<std::string, Budget> budgets_;

    [[nodiscard]] bool within_budget(const std::string& user, std::int64_t now_ms);
};

}  // namespace clarity
