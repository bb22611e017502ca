#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace clarity {

/// Where a service is. Journalled by name before the step's effect: after a kill the step is done
/// again.
enum class Step {
    wait,  ///< for its wave's turn and for the services it comes after
    validate,
    artifact,  ///< for its bytes
    prepare,   ///< unpack or load, beside what runs
    configure,
    stop_old,
    set_up,
    start,
    watch,  ///< the start is looked at until it is stable
    running,
    heal,       ///< ended though it should run: being started again, with backoff
    back_stop,  ///< the new version failed: return to the last good one
    back_prepare,
    back_configure,
    back_set_up,
    back_start,
    back_watch,
    failed,     ///< the wanted version does not run; the last good one may
    back_heal,  ///< heal, of the last good version
    held,       ///< stopped by a command
    remove,
    gone,
};

enum class Event {
    ok,           ///< the step's work is done
    error,        ///< it failed and there is a last good version to return to
    error_alone,  ///< it failed and there is none, or the plan wants no return
    exited,       ///< what should run does not
    replace,      ///< another version or configuration is wanted
    drop,         ///< the plan has the service no more
    recall,       ///< the site's rollout failed: back to the last good version
    retry,        ///< a failed service with nothing to go back to is tried again
    hold,         ///< command stop
    release,      ///< command start
};

struct Transition {
    Step from;
    Event event;
    Step to;
};

/// The whole table; what is not in it cannot happen.
[[nodiscard]] std::span<const Transition> transitions();
[[nodiscard]] std::optional<Step> next_step(Step from, Event event);

[[nodiscard]] std::string_view name_of(Step step);
[[nodiscard]] std::optional<Step> step_from(std::string_view name);

/// Nothing more happens by itself unless the host changes.
[[nodiscard]] bool is_at_rest(Step step);

}  // namespace clarity
