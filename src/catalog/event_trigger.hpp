/// Which events start a workflow (`schedule.on`): matching and collecting, without storage or threads.
///
/// `one` and `any`: each matching event starts a run. `all`: a run starts when every filter has had its event; with correlation, events are
/// collected apart for each correlation key. `until` has no meaning for a schedule.
#pragma once

#include <optional>

#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::catalog {

/// Correlation keys that wait for the rest of their events; further ones are dropped.
inline constexpr std::size_t kMaxCollectedKeys = 1000;

/// True where the event passes the filter's attributes and its correlations with an expectation.
[[nodiscard]] bool matches(const dsl::EventFilter& filter, const json::Value& event, TimePoint now);

struct EventDecision {
  bool matched = false;              ///< the event is used up: it must not count again
  std::optional<json::Value> input;  ///< of the run to start: an array of events as `read` says
};
/// `collected` is the state of `all` (an object, changed in place).
[[nodiscard]] EventDecision on_event(const dsl::EventStrategy& strategy, dsl::ReadAs read, const json::Value& event, TimePoint now,
                                     json::Value& collected);

}  // namespace pawl::catalog
