#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace clarity {

/// What kind of failure, for callers that decide by it; people read Error::message.
enum class Errc {
    invalid,        ///< input breaks a rule: malformed, wrong type, over a limit
    not_found,      ///< the thing named does not exist
    exists,         ///< it exists already, with other contents
    io,             ///< a file, disk or device failed
    no_space,       ///< the disk or a configured limit is full
    network,        ///< unreachable, refused, cut off
    timeout,        ///< a deadline passed
    denied,         ///< authentication or permission
    bad_signature,  ///< signature, threshold or policy refused
    conflict,       ///< a newer state is already there
    unavailable,    ///< this host cannot do it (no engine, no service manager)
    failed,         ///< it was tried and did not work
    cancelled,      ///< somebody asked to stop
};

/// Short stable name of a code, for logs, JSON and metrics ("not_found").
[[nodiscard]] std::string_view name_of(Errc code);

/// What failed (`code`, for callers) and how we got there (`message`, for people).
struct Error {
    Errc code = Errc::failed;
    std::string message;

    /// The same error with one more layer of context in front: "context: message".
    [[nodiscard]] Error within(std::string_view context) && {
        message.insert(0, std::string(context) + ": ");
        return std::move(*this);
    }
};

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(Errc::invalid, "{}: no such server", name);`
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(Errc code, fmt::format_string<Args...> format,
                                         Args&&... args) {
    return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

/// Passes a failed result's error on, with context in front.
template <class T>
[[nodiscard]] tl::unexpected<Error> fail_within(std::string_view context, Result<T>&& result) {
    return tl::unexpected<Error>(std::move(result).error().within(context));
}

}  // namespace clarity

#define CLARITY_CONCAT_INNER(a, b) a##b
#define CLARITY_CONCAT(a, b) CLARITY_CONCAT_INNER(a, b)

/// `CLARITY_TRY(auto text, read_file(path));` binds the value or returns the error.
#define CLARITY_TRY(declaration, expression) \
    CLARITY_TRY_AS(CLARITY_CONCAT(clarity_try_, __COUNTER__), declaration, expression)
#define CLARITY_TRY_AS(name, declaration, expression)                          \
    auto name = (expression);                                                  \
    if (!name) return tl::unexpected<clarity::Error>(std::move(name).error()); \
    declaration = std::move(*name)

/// `CLARITY_CHECK(write_file(path, text));` returns the error of a Result<void>, if any.
#define CLARITY_CHECK(expression)                              \
    if (auto clarity_checked = (expression); !clarity_checked) \
    return tl::unexpected<clarity::Error>(std::move(clarity_checked).error())
