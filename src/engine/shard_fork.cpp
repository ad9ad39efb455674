// Forks: new runs that take over what another one has done up to some task.
//
// A fork's history begins with the events of the run before it, up to the moment in which that was about to start the task. In front of
// them stands a `RetryRequested`, which says where to stop: replayed, the machine stands there like a run that was cancelled, and a second
// `RetryRequested` makes it go on. So a fork is a run like any other: recovery, views and further forks need to know nothing about it. What
// was taken over happened, for the fork, when it was made.
#include <algorithm>
#include <utility>

#include "engine/approval.hpp"
#include "engine/codec.hpp"
#include "engine/detail/run.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

Error not_found(const RunId& run) {
  return {ErrorClass::not_found, "run.not_found", "run " + run.to_string() + " does not exist or belongs to another organization"};
}

Result<json::Value> first_input(std::string_view snapshot, std::string_view events, TimePoint created_at) {
  if (!snapshot.empty()) {
    PAWL_TRY(record, decode_snapshot(snapshot));
    return record.input;
  }
  Decoder in(events);
  auto at = created_at;
  while (!in.at_end()) {
    const auto event = in.event(at);
    if (in.failed()) break;
    if (const auto* started = std::get_if<RunStarted>(&event.body)) return started->input;
    if (const auto* queued = std::get_if<RunQueued>(&event.body)) return queued->input;
  }
  return damaged("start");
}

/// It stands where the fork goes on; a fork of a fork stops where that one did as well.
bool has_stopped(const Machine& machine, const std::string& from) {
  return machine.phase() == Phase::cancelled && machine.error().get("instance") == json::Value(from) &&
         machine.error().get("title") == json::Value("Forked");
}

bool can_undo(const dsl::Plan& plan) {
  return std::any_of(plan.tasks.begin(), plan.tasks.end(), [](const dsl::Task& task) { return !task.compensation.tasks.empty(); });
}

/// Whether the run has begun to undo what it did. Whoever went on behind a task that was undone would take for done what is not.
Result<bool> has_undone(const dsl::PlanPtr& plan, const RunInfo& info, const MachineLimits& limits, std::string_view events, TimePoint at) {
  if (!can_undo(*plan)) return false;
  Machine whole(plan, info, limits);
  std::vector<Action> ignored;
  Decoder in(events);
  while (!in.at_end()) {
    const auto event = in.event(at);
    if (in.failed()) return damaged("event");
    PAWL_TRY_VOID(check_rules(event));
    ignored.clear();
    whole.apply(event, ignored);
  }
  return whole.has_undone();
}

/// The task that this one helps to undo.
dsl::TaskIndex undone_by(const dsl::Plan& plan, dsl::TaskIndex task) {
  for (auto parent = plan.task(task).parent; parent != dsl::kNoTask; task = std::exchange(parent, plan.task(parent).parent)) {
    const auto& undo = plan.task(parent).compensation.tasks;
    if (!undo.empty() && undo.front() == task) return parent;
  }
  return dsl::kNoTask;
}

/// Whether a call undoes one of the tasks that had completed when a fork branched off.
bool undoes_any(const Machine& fork, const StepKey& step) {
  const auto task = undone_by(fork.plan(), step.task);
  if (task == dsl::kNoTask) return false;
  const auto is_it = [&](const TaskRecord& record) {
    return record.task == task && record.status == TaskStatus::completed && record.iteration.size() <= step.iteration.size() &&
           std::equal(record.iteration.begin(), record.iteration.end(), step.iteration.begin());
  };
  return fork.records_dropped() > 0 || std::any_of(fork.records().begin(), fork.records().end(), is_it);
}

Error not_forkable(const RunId& run, std::string_view how) {
  return {ErrorClass::conflict, "run.not_forkable", "Run " + run.to_string() + " has undone what it did" + std::string(how)};
}

}  // namespace

void Shard::fork(const OrganizationId& organization, const RunId& id, Engine::ForkRequest request, Engine::Started done) {
  const auto found = [this, organization, id, request, done](Run& run) {
    if (run.is_final()) {  // its end is on the way to the disk, and took the events along: again from there
      run.at_end.emplace_back([this, organization, id, request, done](Run&) {
        want(id, [this, organization, id, request, done](Result<StoredRun>&) { fork(organization, id, request, done); });
      });
      return;
    }
    if (!run.machine) return done(Error{ErrorClass::unavailable, "run.broken", run.broken});
    branch_off(run.identity, run.trigger, run.snapshot, run.events, request, done);
  };
  const auto missing = [this, id, request, done](Result<StoredRun>& stored) {
    if (stored.has_error()) return done(stored.error());
    const auto* finished = std::get_if<FinishedRun>(&stored.value());
    if (finished == nullptr) return done(not_found(id));
    branch_off(finished->identity, finished->history.trigger, finished->history.snapshot, finished->history.events, request, done);
  };
  with_run(organization, id, found, missing);
}

void Shard::branch_off(const RunIdentity& original, const json::Value& trigger, std::string_view snapshot, std::string_view events,
                       Engine::ForkRequest request, Engine::Started done) {
  if (draining_) return done(Error{ErrorClass::unavailable, "engine.stopping", "the engine is stopping"});
  if (runs_.size() >= options_.max_runs_in_memory)
    return done(Error{ErrorClass::unavailable, "engine.overloaded", "too many runs are in progress"});
  if (!request.from.empty() && !snapshot.empty()) {
    return done(Error{
        ErrorClass::conflict, "run.not_forkable",
        "The first events of run " + original.id.to_string() + " were replaced by a snapshot: it can only be forked from the beginning."});
  }
  const auto plan = world_.plans.plan(original.workflow, original.version);
  if (plan.has_error()) return done(plan.error());
  auto fresh = std::make_unique<Run>();
  fresh->identity = original;
  fresh->identity.id = make_id();
  fresh->identity.created_at = world_.clock.now();
  fresh->trigger = json::Value::object({{"type", "fork"}, {"run_id", original.id.to_string()}, {"from", request.from}});
  set_starters(fresh->trigger, request.requester, trigger);
  for (const auto* const wish : {"concurrency", "priority"}) {
    if (const auto* const found = trigger.find(wish)) fresh->trigger.set(wish, *found);
  }
  recall_wishes(*fresh);
  fresh->last_event = fresh->identity.created_at;
  fresh->last_active = fresh->identity.created_at;
  auto info = info_of(*fresh, **plan, {});
  fresh->scrub = Scrub::of(info.secrets);
  if (!request.from.empty()) {
    const auto undone = has_undone(*plan, info, options_.machine, events, original.created_at);
    if (undone.has_error()) return done(undone.error());
    if (*undone) {
      return done(not_forkable(original.id, ": it can only be forked from the beginning."));
    }
  }
  fresh->machine.emplace(*plan, std::move(info), options_.machine);
  RetryRequested go_on{request.from, std::move(request.input)};
  if (request.from.empty()) {
    if (!go_on.input) {
      auto same = first_input(snapshot, events, original.created_at);
      if (same.has_error()) return done(same.error());
      go_on.input = std::move(*same);
    }
  } else {
    if (const auto taken = take_over(*fresh, original, events, request.from); taken.has_error()) return done(taken.error());
    if (const auto possible = fresh->machine->check_retry(go_on); possible.has_error()) return done(possible.error());
  }
  const auto placed = take_place(*fresh, Concurrency::Policy::skip);
  if (placed.has_error()) return done(placed.error());
  fresh->let_in = true;
  auto& run = add_run(std::move(fresh));
  run.started.push_back(std::move(done));
  ++counters_.runs_started;
  if (request.from.empty()) return input(run, RunStarted{*std::move(go_on.input)});
  // Not by `input`, as in `reopen`: the machine is in a final phase, and this is the one event that leads out of it.
  ++run.inputs;
  apply(run, std::move(go_on), [] { return true; });
  if (!run.paused) ++run.applied;
  advance(run);
}

/// The events of the original up to the place become the first ones of the fork, unless a `try` of the original has undone later what the
/// fork would take for done.
Result<void> Shard::take_over(Run& run, const RunIdentity& original, std::string_view events, const std::string& from) {
  std::vector<Action> ignored;
  const auto take = [&](Event event) {
    event.at = run.last_event;
    ignored.clear();
    run.machine->apply(event, ignored);
    Encoder(run.events).event(event, run.last_event);
    for (const auto& action : ignored) {
      if (const auto* changed = std::get_if<RecordChanged>(&action); changed != nullptr) publish_record(run, changed->record);
      if (std::holds_alternative<PhaseChanged>(action)) run.phase_update = ++run.updates;
    }
  };
  Decoder in(events);
  auto at = original.created_at;
  bool has_started = false;
  RunStarted queued_start;  // a fork does not wait: it starts where the original was let in, by the rules of that one
  PAWL_TRY(plan, world_.plans.plan(original.workflow, original.version));
  Machine whole(plan, run.machine->info(), options_.machine);
  const bool is_watched = can_undo(*plan);
  std::vector<Action> done;
  while (!in.at_end() && !has_stopped(*run.machine, from)) {
    auto event = in.event(at);
    if (in.failed()) return damaged("event");
    PAWL_TRY_VOID(check_rules(event));
    done.clear();
    if (is_watched) whole.apply(event, done);
    if (const auto* queued = std::get_if<RunQueued>(&event.body)) {
      queued_start = {queued->input, queued->rules};
      continue;
    }
    if (std::holds_alternative<RunAdmitted>(event.body)) event.body = queued_start;
    if (std::holds_alternative<RunStarted>(event.body) && !std::exchange(has_started, true)) take({{}, RetryRequested{from, {}}});
    take(std::move(event));
  }
  const auto undoes = [&](const Action& action) {
    const auto* const start = std::get_if<StartEffect>(&action);
    return start != nullptr && undoes_any(*run.machine, start->step);
  };
  while (has_stopped(*run.machine, from)) {
    if (std::any_of(done.begin(), done.end(), undoes)) {
      return not_forkable(original.id, " before `" + from + "`: fork it from the beginning, or from a task before what was undone.");
    }
    if (in.at_end() || !is_watched) return {};
    const auto event = in.event(at);
    if (in.failed()) return damaged("event");
    done.clear();
    whole.apply(event, done);
  }
  return Error(ErrorClass::unprocessable, "run.unknown_task",
               "Run " + original.id.to_string() + " has not come to a task `" + from + "`: it cannot be forked from there.");
}

}  // namespace pawl::engine
