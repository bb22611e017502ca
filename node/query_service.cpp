#include "node/query_service.hpp"

#include <algorithm>

namespace clarity {
namespace {

std::string error_json(const Error& error) {
    return to_text(Json{{"error", {{"code", name_of(error.code)}, {"message", error.message}}}});
}

}  // namespace

void QueryService::receive(const std::string& user, const wire::Handle& from,
                           std::string_view frame, std::int64_t now_ms) {
    const auto text = within_budget(user, now_ms)
                          ? answer(frame)
                          : error_json({Errc::unavailable, "too many questions; ask again later"});
    net_.reply(from, query::encode_answer(text));
}

std::string QueryService::answer(std::string_view frame) const {
    const auto question = query::decode_question(frame);
    if (!question) return error_json(question.error());
    if (question->name == "status") return to_text(status_json(sources_.site()));
    if (question->name == "roster") {
        return to_text(Json{{"envelope", to_base64(sources_.roster())}});
    }
    if (question->name == "version") {
        const auto site = sources_.site();
        return to_text(Json{{"version", CLARITY_VERSION},
                            {"server", site.answered_by},
                            {"site", site.site}});
    }
    return error_json({Errc::invalid, "unknown question; known are status, roster, version"});
}

bool QueryService::within_budget(const std::string& user, std::int64_t now_ms) {
    auto& budget = budgets_[user];  // users are the roster's and "local": few
    const auto passed = static_cast<double>(now_ms - budget.at_ms) / 1000.0;
    budget.left = std::min(questions_per_s, budget.left + passed * questions_per_s);
    budget.at_ms = now_ms;
    if (budget.left < 1) return false;
    budget.left -= 1;
    return true;
}

}  // namespace clarity
