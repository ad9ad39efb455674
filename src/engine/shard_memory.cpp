// Residence: runs that leave memory, come back, and are found again after a crash.
#include <algorithm>

#include "engine/codec.hpp"
#include "engine/detail/run.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

/// A sleeper that is due sooner than this keeps a place in the heap of timers; later ones are found by the host's look into storage.
constexpr Millis kNear{30'000};
constexpr Millis kTryAgain{1000};

std::string listener_key(const OrganizationId& organization, std::string_view type) {
  std::string key(reinterpret_cast<const char*>(organization.uuid.bytes.data()), organization.uuid.bytes.size());
  key.append(type);
  return key;
}

}  // namespace

// ---- out of memory and back -----------------------------------------------------------------------------------------------------

/// A run that waits for nothing but time and messages may leave memory when it has done so for a while. Runs that somebody watches or waits
/// for stay.
void Shard::consider_sleep(Run& run) {
  const auto phase = run.machine ? run.machine->phase() : Phase::running;
  const bool quiet =
      (phase == Phase::waiting || phase == Phase::suspended || phase == Phase::pending) && run.effects.empty() && run.inbox.empty();
  const bool alone = run.finished.empty() && run.parents.empty() && run.subscribers.empty() && run.at_end.empty();
  if (!quiet || !alone || run.changed || run.commits > 0 || run.advancing || run.paused) return;
  const auto now = world_.clock.now();
  if (run.falling_asleep) return leave_memory(run);  // what it leaves behind is durable
  if (now < run.last_active + options_.snapshot_after) {
    if (!run.sleep_check) push_timer({run.last_active + options_.snapshot_after, run.identity.id, Timer::Kind::sleep_check, 0});
    run.sleep_check = true;
    return;
  }
  const auto timers = run.machine->pending_timers();
  const bool soon =
      std::any_of(timers.begin(), timers.end(), [&](const SetTimer& timer) { return timer.due < now + options_.snapshot_after; });
  if (soon) return;
  if (!run.row_resident) return leave_memory(run);  // came out of storage and was only looked at
  run.falling_asleep = true;
  touch(run);
}

void Shard::leave_memory(Run& run) {
  for (const auto& timer : run.machine->pending_timers()) {
    if (timer.due < world_.clock.now() + kNear) wake_at(run.identity.id, timer.due);
  }
  drop(run);
}

void Shard::want(const RunId& id, Missing then) {
  auto& waiting = wanted_[id];
  waiting.push_back(std::move(then));
  if (waiting.size() == 1) world_.host.load(id);
}

void Shard::loaded(const RunId& id, Result<StoredRun> stored) {
  const auto found = wanted_.find(id);
  if (found == wanted_.end()) return;
  const auto waiting = std::move(found->second);
  wanted_.erase(found);
  if (stored.has_error() && stored.error().kind == ErrorClass::unavailable) wake_at(id, world_.clock.now() + kTryAgain);
  if (stored.has_value() && std::holds_alternative<OpenRun>(stored.value()) && !runs_.contains(id)) {
    set_world(add_run(revive(std::get<OpenRun>(std::move(stored).value()))));
  }
  for (const auto& then : waiting) then(stored);
  // Not before those who asked for it have had their say.
  if (const auto here = runs_.find(id); here != runs_.end()) consider_sleep(*here->second);
}

void Shard::with_run(const OrganizationId& organization, const RunId& id, Found found, Missing missing) {
  const auto in_memory = runs_.find(id);
  if (in_memory != runs_.end()) {
    if (in_memory->second->identity.organization == organization) return found(*in_memory->second);
    Result<StoredRun> none = StoredRun{};
    return missing(none);
  }
  want(id, [this, organization, id, found = std::move(found), missing = std::move(missing)](Result<StoredRun>& stored) {
    if (const auto now_here = runs_.find(id); now_here != runs_.end() && now_here->second->identity.organization == organization)
      return found(*now_here->second);
    const auto* finished = stored.has_value() ? std::get_if<FinishedRun>(&stored.value()) : nullptr;
    if (stored.has_error() || (finished != nullptr && finished->identity.organization == organization)) return missing(stored);
    Result<StoredRun> none = StoredRun{};
    missing(none);
  });
}

// ---- replay -----------------------------------------------------------------------------------------------------------------------

Result<void> Shard::replay(Run& run, std::string_view events) {
  Decoder in(events);
  std::vector<Action> ignored;
  while (!in.at_end()) {
    const auto event = in.event(run.last_event);
    if (in.failed()) return damaged("event");
    PAWL_TRY_VOID(check_rules(event));
    ignored.clear();
    run.machine->apply(event, ignored);
    for (const auto& action : ignored) {
      if (const auto* changed = std::get_if<RecordChanged>(&action); changed != nullptr) publish_record(run, changed->record);
      if (std::holds_alternative<PhaseChanged>(action)) run.phase_update = ++run.updates;
    }
  }
  return {};
}

/// Makes the machine of a run whose identity is set, from its snapshot and events. On an error the run has no machine.
Result<void> Shard::rebuild(Run& run, const dsl::PlanPtr& plan, std::string_view snapshot, std::string_view events) {
  auto info = info_of(run, *plan, {});
  run.scrub = Scrub::of(info.secrets);
  run.last_event = run.identity.created_at;
  if (snapshot.empty()) {
    run.machine.emplace(plan, std::move(info), options_.machine);
  } else {
    PAWL_TRY(record, decode_snapshot(snapshot));
    PAWL_TRY(machine, Machine::restore(plan, std::move(info), record.data, options_.machine));
    run.machine.emplace(std::move(machine));
    run.last_event = record.at;
    run.updates = record.updates;
    run.phase_update = record.updates;
  }
  auto replayed = replay(run, events);
  if (replayed.has_error()) run.machine.reset();
  return replayed;
}

std::unique_ptr<Shard::Run> Shard::revive(OpenRun stored) {
  auto run = std::make_unique<Run>();
  run->identity = stored.identity;
  run->trigger = stored.trigger;
  run->next_sequence = stored.next_sequence;
  run->row_phase = stored.phase;
  run->row_resident = stored.resident;
  run->had_slept = true;
  run->last_active = world_.clock.now();
  run->last_event = stored.identity.created_at;
  recall_wishes(*run);
  auto plan = world_.plans.plan(stored.identity.workflow, stored.identity.version);
  std::optional<Error> failure;
  if (!stored.unreadable.empty()) {
    failure = damaged(stored.unreadable);
  } else if (plan.has_error()) {
    failure = plan.error();
  } else if (const auto rebuilt = rebuild(*run, plan.value(), stored.snapshot, stored.events); rebuilt.has_error()) {
    failure = rebuilt.error();
  }
  run->told_start = stored.phase != Phase::pending;
  run->told_suspension = stored.phase == Phase::suspended;
  run->snapshot = stored.snapshot;
  run->events = stored.events;
  run->appended = run->events.size();
  if (run->seat) run->row_let_in = run->let_in = stored.phase != Phase::pending;
  if (failure) {
    run->broken = "the run cannot go on: " + failure->message;
    run->stored = std::move(stored);
  }
  return run;
}

Result<std::unique_ptr<Shard::Run>> Shard::revive(const FinishedRun& stored) {
  auto run = std::make_unique<Run>();
  run->identity = stored.identity;
  run->trigger = stored.history.trigger;
  recall_wishes(*run);
  PAWL_TRY(plan, world_.plans.plan(stored.identity.workflow, stored.identity.version));
  PAWL_TRY_VOID(rebuild(*run, plan, stored.history.snapshot, stored.history.events));
  run->snapshot = stored.history.snapshot;
  run->events = stored.history.events;
  run->told_start = true;
  run->had_slept = !run->snapshot.empty();
  run->last_active = world_.clock.now();
  return run;
}

/// Sets up what a machine that came out of storage waits for.
void Shard::set_world(Run& run) {
  if (!run.machine) return touch(run);  // its row is to say so
  for (const auto& timer : run.machine->pending_timers()) schedule(run, timer.timer, timer.due);
  for (auto& asked : run.machine->pending_approvals()) run.questions.insert_or_assign(asked.approval, std::move(asked));
  set_listens(run);
  restart_effects(run);
  if (!run.gated.empty()) touch(run);
  const bool was_let_in = run.seat && !run.let_in && world_.gate.waiting_reason(run.identity.id).empty();
  if (was_let_in) let_in(run.identity.id);
}

void Shard::recover(OpenRun stored) {
  auto& run = add_run(revive(std::move(stored)));
  recovered_.push_back(&run);
}

void Shard::resume_recovered() {
  for (auto* const run : std::exchange(recovered_, {})) set_world(*run);
}

// ---- listening --------------------------------------------------------------------------------------------------------------------

void Shard::remove_listens(Run& run) {
  for (const auto& type : std::exchange(run.listens, {})) {
    const auto entry = listeners_.find(listener_key(run.identity.organization, type));
    if (entry == listeners_.end()) continue;
    entry->second.erase(&run);
    if (entry->second.empty()) listeners_.erase(entry);
  }
}

void Shard::set_listens(Run& run) {
  remove_listens(run);
  run.listens = run.machine->listens();
  for (const auto& type : run.listens) {
    listeners_[listener_key(run.identity.organization, type)].insert(&run);
    if (type.starts_with(kLifecyclePrefix)) world_.lifecycle.follow(run.identity.organization);
  }
}

void Shard::deliver_to_listeners(const OrganizationId& organization, const json::Value& event, std::function<void()> done) {
  // `done` when everybody has arrived: each run that the event goes to, and this call itself. Nobody arrives by being destroyed: what never
  // becomes durable is never acknowledged.
  struct Joint {
    std::size_t left = 1;
    std::function<void()> done;
    void arrive() {
      if (--left == 0) done();
    }
  };
  const auto joint = std::make_shared<Joint>();
  joint->done = std::move(done);
  const auto deliver_to = [this, organization, event, joint](const RunId& id) {
    deliver(organization, id, event, [joint](Result<void>) { joint->arrive(); });
  };
  const std::string type(event.get("type").is_string() ? event.get("type").as_string() : std::string_view());
  std::vector<RunId> targets;
  for (const auto& key : {listener_key(organization, type), listener_key(organization, {})}) {
    const auto entry = listeners_.find(key);
    if (entry == listeners_.end()) continue;
    for (const auto* run : entry->second) targets.push_back(run->identity.id);
  }
  joint->left += targets.size() + wanted_.size();
  for (auto& [id, waiting] : wanted_) {
    waiting.push_back([this, organization, type, joint, deliver_to, run_id = id](Result<StoredRun>&) {
      const auto run = runs_.find(run_id);
      if (run == runs_.end() || run->second->identity.organization != organization) return joint->arrive();
      const auto& types = run->second->listens;
      const bool listens = std::any_of(types.begin(), types.end(), [&](const std::string& each) { return each.empty() || each == type; });
      if (!listens) return joint->arrive();
      deliver_to(run_id);
    });
  }
  for (const auto& id : targets) deliver_to(id);
  joint->arrive();
}

}  // namespace pawl::engine
