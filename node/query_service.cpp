#include "node/query_service.hpp"

#include <algorithm>

#include "protocol/codec.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

Json error_json(const Error& error) {
    return Json{{"error", {{"code", name_of(error.code)}, {"message", error.message}}}};
}

Result<Json> deliver(const query::Question& question, Asker asker, const QuerySources& sources) {
    if (asker != Asker::local_socket) {
        return fail(Errc::denied, "documents are delivered over the local socket only");
    }
    if (!question.path.starts_with('/')) {
        return fail(Errc::invalid, "deliver: \"{}\" is no absolute path", question.path);
    }
    CLARITY_TRY(const auto contents, read_file(question.path, 2 * codec::document_max_bytes));
    CLARITY_TRY(const auto bytes, query::document_from_file(contents));
    CLARITY_TRY(const auto kind, sources.deliver(bytes));
    return Json{{"accepted", kind}};
}

Result<Json> answer(std::string_view frame, Asker asker, const QuerySources& sources) {
    CLARITY_TRY(const auto question, query::decode_question(frame));
    if (question.name == "status") return sources.status();
    if (question.name == "version") return sources.version();
    if (question.name == "roster") {
        return Json{{"envelope", to_base64(sources.roster_envelope())}};
    }
    if (question.name == "artifact") return sources.artifact(question.path);
    if (question.name == "deliver") return deliver(question, asker, sources);
    return fail(Errc::invalid,
                "unknown question; known are status, roster, version, artifact, deliver");
}

}  // namespace

Bytes answer_question(std::string_view frame, Asker asker, const QuerySources& sources) {
    const auto json = answer(frame, asker, sources);
    return query::encode_answer(to_text(json ? *json : error_json(json.error())));
}

void QueryService::receive(const std::string& user, const wire::Handle& from,
                           std::string_view frame, std::int64_t now_ms) {
    // Local connections have no key; the wire lets none but those of the roster in elsewhere.
    const auto asker = from.key.is_zero() ? Asker::local_socket : Asker::remote;
    if (!within_budget(user, asker, now_ms)) {
        const auto text =
            to_text(error_json({Errc::unavailable, "too many questions; ask again in a second"}));
        net_.reply(from, query::encode_answer(text));
        return;
    }
    net_.reply(from, answer_question(frame, asker, sources_));
}

bool QueryService::within_budget(const std::string& user, Asker asker, std::int64_t now_ms) {
    const double per_s = asker == Asker::remote ? questions_per_s : local_questions_per_s;
    auto& budget = budgets_[user];  // users are the roster's and "local": few
    const auto passed = static_cast<double>(now_ms - budget.at_ms) / 1000.0;
    budget.left = budget.left < 0 ? per_s : std::min(per_s, budget.left + passed * per_s);
    budget.at_ms = now_ms;
    if (budget.left < 1) return false;
    budget.left -= 1;
    return true;
}

}  // namespace clarity
