// Places: runs with a concurrency key take one, wait for one, and give it back.
#include <fmt/format.h>

#include "engine/concurrency.hpp"
#include "engine/detail/run.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

constexpr Millis kTryAgain{1000};

Error busy(const RunId& in_the_way) {
  return {ErrorClass::conflict, "run.concurrency_busy", fmt::format("Run {} holds the place of this key.", in_the_way.to_string())};
}

}  // namespace

/// What of a start has to be there after a restart, too, stands in the run's trigger.
void Shard::note_wishes(Run& run, const std::optional<Concurrency>& concurrency, std::int32_t priority) {
  run.priority = priority;
  if ((priority != 0 || concurrency) && !run.trigger.is_object()) run.trigger = json::Value::object();
  if (priority != 0) run.trigger.set("priority", priority);
  if (!concurrency) return;
  auto wish = json::Value::object({{"limit", static_cast<std::int64_t>(concurrency->limit)}, {"policy", to_text(concurrency->policy)}});
  if (!concurrency->key.empty()) wish.set("key", concurrency->key);
  run.trigger.set("concurrency", std::move(wish));
  run.seat = seat_of(run.identity.organization, run.identity.workflow, *concurrency, priority);
}

/// The other way round, of a run that comes out of storage.
void Shard::recall_wishes(Run& run) {
  if (const auto& priority = run.trigger.get("priority"); priority.is_integer()) {
    run.priority = static_cast<std::int32_t>(priority.as_integer());
  }
  if (run.identity.dry_run) return;
  if (const auto concurrency = concurrency_of(run.trigger)) {
    run.seat = seat_of(run.identity.organization, run.identity.workflow, *concurrency, run.priority);
  }
}

/// Whether the run may start at once; an error: not at all. `policy` is that of the start.
Result<bool> Shard::take_place(Run& run, Concurrency::Policy policy) {
  if (!run.seat) return true;
  using Entry = ConcurrencyGate::Decision::Entry;
  const auto decision = world_.gate.enter(run.identity.id, *run.seat, policy);
  if (decision.entry == Entry::refused) return busy(*decision.in_the_way);
  if (decision.entry == Entry::full) {
    return Error{ErrorClass::unavailable, "run.queue_full", "Too many runs with this concurrency key are waiting already."};
  }
  for (const auto& other : decision.replaced) {
    world_.host.on_shard_of(other, [organization = run.identity.organization, other, by = run.identity.id](Shard& shard) {
      shard.cancel(organization, other, {"replaced by run " + by.to_string(), false}, [](Result<void>) {});
    });
  }
  return decision.entry == Entry::admitted;
}

/// The run's end is durable, or it never came to be: others may go on.
void Shard::leave_place(const RunId& run) {
  for (const auto& next : world_.gate.leave(run)) {
    world_.host.on_shard_of(next, [next](Shard& shard) { shard.let_in(next); });
  }
}

/// A run that waited has got a place. One that cannot be found any more, or has ended meanwhile, passes it on; a broken one keeps it until
/// somebody mends or cancels it.
void Shard::let_in(const RunId& id) {
  if (draining_) return;  // the next process lets it in
  const auto begin = [this](Run& run) {
    run.let_in = true;
    if (run.machine && run.machine->phase() == Phase::pending) input(run, RunAdmitted{});
  };
  if (const auto found = runs_.find(id); found != runs_.end()) return begin(*found->second);
  want(id, [this, id, begin](Result<StoredRun>& stored) {
    if (const auto found = runs_.find(id); found != runs_.end()) return begin(*found->second);
    if (stored.has_value()) return leave_place(id);
    wake_at(id, world_.clock.now() + kTryAgain);  // not readable now; `set_world` sees that it has a place
  });
}

}  // namespace pawl::engine
