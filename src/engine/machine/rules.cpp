// Which rules there are; event.hpp says what that means.
#include <fmt/format.h>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine {

// 0  what wrote no number: everything before there was one
// 1  the same, with the number
// 2  a run that would complete faults where something was not undone of which no error told the workflow; errors of runs with nothing left
//    to undo name what was not undone, too; of more than 128 calls in a turn of an agent only so many have records; calls of one id get
//    ids of their own; an answer that has come before the end of an agent's time was looked at counts as what it took
// 3  what was not undone of an attempt of a `try` is told once the error is caught for good: where a further attempt succeeds, by the run's
//    end; an error that a `try` had told of what it could not undo names it no more once a retry of the run has undone it
const std::uint32_t kRules = 3;

namespace detail {

Error newer_rules(std::uint64_t rules) {
  return {
      ErrorClass::conflict, "run.newer_rules",
      fmt::format("The run follows rules {} of the engine, and this program knows them up to {}: a newer version has begun it, and that "
                  "one or a later one can go on with it.",
                  rules, kRules)};
}

}  // namespace detail

Result<void> check_rules(const Event& event) {
  std::uint32_t rules = 0;
  if (const auto* started = std::get_if<RunStarted>(&event.body)) rules = started->rules;
  if (const auto* queued = std::get_if<RunQueued>(&event.body)) rules = queued->rules;
  if (rules > kRules) return detail::newer_rules(rules);
  return {};
}

}  // namespace pawl::engine
