#pragma once

#include <string>
#include <string_view>

#include "protocol/bytes.hpp"

/// Questions to a node, from its local ipc:// socket or its mesh port: one frame each way. The mesh
/// port carries mesh frames too, so the first byte of every frame on it says which it is.
namespace clarity::query {

/// First byte of a frame on the mesh port and the local socket.
enum class Channel : char { mesh = 'm', question = 'q', answer = 'a', greeting = 'h' };

inline constexpr std::size_t question_max_bytes = 4096;
inline constexpr std::size_t answer_max_bytes = 32U << 20;

/// The frame: channel byte, then the body.
[[nodiscard]] Bytes wrap(Channel channel, std::string_view body);
/// The body of a frame of that channel, or nothing.
[[nodiscard]] bool is(Channel channel, std::string_view frame);
[[nodiscard]] std::string_view body_of(std::string_view frame);

/// `name` is "status" (answer: protocol/status.hpp), "roster" ({"envelope": base64}, for the CLI's
/// cache of addresses), "version" ({"version", "server", "site"}), "artifact" (who has which share
/// of the one named in `path`: protocol/artifact_peers.hpp), or, on the local socket only,
/// "deliver": take the signed document in the file `path` on the node's host, as if a peer had
/// brought it (answer: {"accepted": kind}).
struct Question {
    std::string name;
    std::string path = {};
};

/// The envelope's bytes from a file that people carry: the envelope itself, or JSON with it
/// ({"envelope": base64}), as `clarity root` writes it.
[[nodiscard]] Result<Bytes> document_from_file(std::string_view contents);

/// The frame that asks.
[[nodiscard]] Bytes encode(const Question& question);
[[nodiscard]] Result<Question> decode_question(std::string_view frame);

/// The frame that answers with JSON text.
[[nodiscard]] Bytes encode_answer(std::string_view json);
/// The JSON text. A node's refusal ({"error":{"code","message"}}) stays JSON: the caller looks.
[[nodiscard]] Result<std::string> decode_answer(std::string_view frame);

}  // namespace clarity::query
