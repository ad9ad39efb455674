// Events that start workflows, as one schedule after the other is offered them: each event counts once for a schedule, and a circle of
// workflows that start each other ends. What an event matches is for `event_trigger.hpp` to say. Neither storage nor threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "catalog/detail/schedule_entry.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::catalog::detail {

/// What is the same for every schedule that an event is offered to. `event` is the caller's.
struct OfferedEvent {
  explicit OfferedEvent(const json::Value& offered);

  const json::Value& event;
  std::string digest;  ///< of `source` and `id`, which name it
  json::Value cause;   ///< what the run's trigger remembers: `after` which run it comes, the length of the `chain`; null for other events
};

struct EventOutcome {
  enum class Kind : std::uint8_t {
    passed_over,  ///< does not concern the schedule, or counted already
    in_circle,    ///< would start it, but too many ends of workflows have led here
    taken,        ///< counts from now on; the entry is dirty
  };
  Kind kind = Kind::passed_over;
  std::optional<json::Value> input{};  ///< of `taken`: of the run to start; nothing where other events are still to come
};
/// Offers the event to a schedule of its organization.
[[nodiscard]] EventOutcome offer(const OfferedEvent& offered, ScheduleEntry& entry, TimePoint now);

/// Whether a strategy waits for what runs tell of themselves, which they do only where somebody listens.
[[nodiscard]] bool follows_lifecycle(const dsl::EventStrategy& strategy);

}  // namespace pawl::catalog::detail
