#include "node/deploy/steps.hpp"

#include <array>
#include <utility>

namespace clarity {
namespace {

using enum Step;
using enum Event;

// One line per (state, event, next).
constexpr auto table = std::to_array<Transition>({
    {wait, ok, validate},
    {validate, ok, artifact},
    {artifact, ok, prepare},
    {prepare, ok, configure},
    {configure, ok, stop_old},
    {stop_old, ok, set_up},
    {set_up, ok, start},
    {start, ok, watch},
    {watch, ok, running},
    {validate, error, failed},
    {validate, error_alone, failed},
    {artifact, error, failed},
    {artifact, error_alone, failed},
    {prepare, error, failed},
    {prepare, error_alone, failed},
    {configure, error, back_stop},
    {configure, error_alone, failed},
    {stop_old, error, back_stop},
    {stop_old, error_alone, failed},
    {set_up, error, back_stop},
    {set_up, error_alone, failed},
    {start, error, back_stop},
    {start, error_alone, failed},
    {watch, error, back_stop},
    {watch, error_alone, failed},
    {running, exited, heal},
    {running, recall, back_stop},
    {running, hold, held},
    {heal, ok, running},
    {heal, error, heal},
    {heal, error_alone, heal},
    {heal, hold, held},
    {heal, recall, back_stop},
    {back_stop, ok, back_prepare},
    {back_stop, error, failed},
    {back_stop, error_alone, failed},
    {back_prepare, ok, back_configure},
    {back_prepare, error, failed},
    {back_prepare, error_alone, failed},
    {back_configure, ok, back_set_up},
    {back_configure, error, failed},
    {back_configure, error_alone, failed},
    {back_set_up, ok, back_start},
    {back_set_up, error, failed},
    {back_set_up, error_alone, failed},
    {back_start, ok, back_watch},
    {back_start, error, failed},
    {back_start, error_alone, failed},
    {back_watch, ok, failed},
    {back_watch, error, failed},
    {back_watch, error_alone, failed},
    {failed, exited, back_heal},
    {failed, retry, validate},
    {failed, hold, held},
    {back_heal, ok, failed},
    {back_heal, error, back_heal},
    {back_heal, error_alone, back_heal},
    {back_heal, hold, held},
    {held, release, heal},
    {held, ok, held},
    {held, error, held},
    {held, error_alone, held},
    {wait, replace, wait},
    {validate, replace, wait},
    {artifact, replace, wait},
    {prepare, replace, wait},
    {configure, replace, wait},
    {stop_old, replace, wait},
    {set_up, replace, wait},
    {start, replace, wait},
    {watch, replace, wait},
    {running, replace, wait},
    {heal, replace, wait},
    {back_stop, replace, wait},
    {back_prepare, replace, wait},
    {back_configure, replace, wait},
    {back_set_up, replace, wait},
    {back_start, replace, wait},
    {back_watch, replace, wait},
    {failed, replace, wait},
    {back_heal, replace, wait},
    {held, replace, wait},
    {wait, drop, remove},
    {validate, drop, remove},
    {artifact, drop, remove},
    {prepare, drop, remove},
    {configure, drop, remove},
    {stop_old, drop, remove},
    {set_up, drop, remove},
    {start, drop, remove},
    {watch, drop, remove},
    {running, drop, remove},
    {heal, drop, remove},
    {back_stop, drop, remove},
    {back_prepare, drop, remove},
    {back_configure, drop, remove},
    {back_set_up, drop, remove},
    {back_start, drop, remove},
    {back_watch, drop, remove},
    {failed, drop, remove},
    {back_heal, drop, remove},
    {held, drop, remove},
    {remove, ok, gone},
    {remove, error, remove},
    {remove, error_alone, remove},
    {remove, replace, wait},
    {gone, replace, wait},
});

constexpr auto names = std::to_array<std::pair<Step, std::string_view>>({
    {wait, "wait"},
    {validate, "validate"},
    {artifact, "artifact"},
    {prepare, "prepare"},
    {configure, "configure"},
    {stop_old, "stop_old"},
    {set_up, "set_up"},
    {start, "start"},
    {watch, "watch"},
    {running, "running"},
    {heal, "heal"},
    {back_stop, "back_stop"},
    {back_prepare, "back_prepare"},
    {back_configure, "back_configure"},
    {back_set_up, "back_set_up"},
    {back_start, "back_start"},
    {back_watch, "back_watch"},
    {failed, "failed"},
    {back_heal, "back_heal"},
    {held, "held"},
    {remove, "remove"},
    {gone, "gone"},
});

}  // namespace

std::span<const Transition> transitions() {
    return table;
}

std::optional<Step> next_step(Step from, Event event) {
    for (const auto& each : table) {
        if (each.from == from && each.event == event) return each.to;
    }
    return std::nullopt;
}

std::string_view name_of(Step step) {
    for (const auto& [each, name] : names) {
        if (each == step) return name;
    }
    return "unknown";
}

std::optional<Step> step_from(std::string_view text) {
    for (const auto& [each, name] : names) {
        if (name == text) return each;
    }
    return std::nullopt;
}

bool is_at_rest(Step step) {
    return step == running || step == failed || step == held || step == gone;
}

}  // namespace clarity
