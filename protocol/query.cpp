#include "protocol/query.hpp"

#include "protocol/codec.hpp"
#include "protocol/json.hpp"

namespace clarity::query {

template <class A>
void fields(A& a, Question& q) {
    a.text("query", q.name);
    a.optional("path", q.path);
}

Bytes wrap(Channel channel, std::string_view body) {
    Bytes out;
    out.reserve(body.size() + 1);
    out.push_back(static_cast<char>(channel));
    out.append(body);
    return out;
}

bool is(Channel channel, std::string_view frame) {
    return !frame.empty() && frame.front() == static_cast<char>(channel);
}

std::string_view body_of(std::string_view frame) {
    return frame.empty() ? frame : frame.substr(1);
}

Result<Bytes> document_from_file(std::string_view contents) {
    if (!contents.starts_with('{')) return Bytes(contents);
    CLARITY_TRY(const auto json, parse_json(contents, 2 * codec::document_max_bytes));
    CLARITY_TRY(const auto text, json_get<std::string>(json, "envelope"));
    return from_base64(text);
}

Bytes encode(const Question& question) {
    return wrap(Channel::question, codec::encode(question));
}

Result<Question> decode_question(std::string_view frame) {
    if (!is(Channel::question, frame)) return fail(Errc::invalid, "frame is not a question");
    return codec::decode<Question>("question", body_of(frame), question_max_bytes);
}

Bytes encode_answer(std::string_view json) {
    return wrap(Channel::answer, json);
}

Result<std::string> decode_answer(std::string_view frame) {
    if (!is(Channel::answer, frame)) return fail(Errc::invalid, "frame is not an answer");
    if (frame.size() > answer_max_bytes) {
        return fail(Errc::invalid, "answer of {} bytes is over the limit", frame.size());
    }
    return std::string(body_of(frame));
}

}  // namespace clarity::query
