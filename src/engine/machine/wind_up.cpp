// The end of a run. When its main part is over in any way, what it had done is undone if the run faulted or was cancelled (the
// compensations of finished tasks, newest first, each exactly once), then `finally` runs; only then the run has ended, as its main part
// did.
//
// - Each compensation and `finally` is a tree of activations of its own, one after the other, with a list as its root.
// - A compensation that fails is noted in its `Finished`, and the next one runs. The run's error names those that failed.
// - A run that would complete faults where a compensation has failed of which no error told the workflow: one that had been cut loose from
//   its `try`. A retry runs it again, and then the run has completed (rules 2; before, nothing told of it).
// - `finally` that fails makes the run fault; the error of the main part is its `cause`.
// - A cancel while the run winds up changes nothing, unless the run is suspended and a person cancels it: that breaks off what is going on.
// - `try` with `metadata.compensate: true` undoes what a failed attempt had finished by the same means, below itself (try_task.cpp).
// - A compensation that has begun goes on to its end, whatever happens around it: where a limit of time, a fault or a cancel takes away the
//   `try`, it is set adrift, and whoever would undo the same task next takes it back: a `try` further out, or the run, which does not end
//   before.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"
#include "engine/machine/dry_run.hpp"
#include "json/size.hpp"

namespace pawl::engine::detail {
namespace {

using Stage = WindUp::Stage;
using Status = Finished::Status;

bool is_open(const Finished& entry) { return entry.status == Status::done; }

/// The workflow knows that it could not be undone, and has completed all the same.
bool is_accepted(const Core& core, const Finished& entry) {
  return core.rules >= 2 && core.wind_up.ending == Phase::completed && entry.status == Status::failed && !entry.is_untold;
}

json::Value rounds_of(const Finished& entry) {
  if (entry.iteration.empty()) return {};
  auto rounds = json::Value::array();
  for (const auto round : entry.iteration) rounds.push_back(json::Value(round));
  return rounds;
}

/// Whether a failure that an error names is of this run, and undone since. It may be of a workflow that the run has called.
bool is_undone_since(const Core& core, const json::Value& failure) {
  return std::any_of(core.wind_up.finished.begin(), core.wind_up.finished.end(), [&](const Finished& entry) {
    return entry.status == Status::undone && failure.get("task") == json::Value(core.plan->task(entry.task).reference) &&
           failure.get("iteration") == rounds_of(entry);
  });
}

/// About as many bytes as JSON, of what is in it once.
std::size_t size_of(const Finished& entry) {
  std::size_t bytes = 0;
  for (const auto* value : {&entry.input, &entry.output, &entry.context, &entry.variables}) bytes += json::rough_size(*value);
  return bytes;
}

}  // namespace

/// Whether it is, or lies below, what undoes a task.
bool Core::is_undoing(const Activation& act) const {
  for (const auto* place = &act; place != nullptr; place = parent_of(*place)) {
    if (place->kind == Kind::list && place->role == ListRole::undo) return true;
  }
  return false;
}

/// A task has completed. What undoes something is not undone itself, even where it calls a function that could be.
void Core::note_finished(const Activation& act) {
  const auto& task = task_of(act);
  if (task.compensation.tasks.empty() || wind_up.stage != Stage::main || is_undoing(act)) return;
  if (act.step == Step::before) return;  // an extension has ended it before it did anything
  auto& entry = wind_up.finished.emplace_back();
  entry.task = act.task;
  entry.iteration = iteration_of(act);
  entry.started_at = act.started_at;
  entry.input = act.input;
  entry.output = act.output;
  entry.context = context_of(act);
  entry.variables = TaskScope(*this, parent_of(act), act.input).locals();
  entry.bytes = size_of(entry);
  wind_up.bytes += entry.bytes;
}

/// Calls that were answered while the run was suspended have been made: their tasks finish, so that they are undone.
void Core::take_answers() {
  auto point = std::move(fault_point);
  const auto record = fault_record;
  for (auto i = queue_head; i < queue.size(); ++i) {
    const auto item = queue[i];
    auto* const act = item.op == WorkItem::Op::answered ? find(item) : nullptr;
    if (act == nullptr || is_undoing(*act)) continue;
    if (act->error.is_null() && !task_of(*act).compensation.tasks.empty()) answered(*act);
  }
  fault_point = std::move(point);
  fault_record = record;
}

/// `problem` is null where it completed.
void Core::end_main(Phase ending, json::Value problem) {
  const bool has_begun = root != kNone;
  if (has_begun && ending != Phase::completed) take_answers();
  // What a `try` has begun to undo, and does not wait for any more, is awaited also by a run that completes.
  const auto is_left = [&](const Finished& entry) { return is_open(entry) && (ending != Phase::completed || entry.attempt > 0); };
  const bool undoes = std::any_of(wind_up.finished.begin(), wind_up.finished.end(), is_left);
  const auto is_to_tell = [&](const Finished& entry) {
    return ending == Phase::completed ? entry.is_untold : entry.status == Status::failed;
  };
  const bool tells = rules >= 2 && std::any_of(wind_up.finished.begin(), wind_up.finished.end(), is_to_tell);
  if (!has_begun || (!undoes && !tells && plan->finally.tasks.empty())) {
    output = std::exchange(wind_up.output, {});
    error = std::move(problem);
    return close(ending);
  }
  wind_up.ending = ending;
  wind_up.error = std::move(problem);
  wind_up.context = activations[root]->context;
  wind_up.point = std::exchange(fault_point, {});
  wind_up.record = std::exchange(fault_record, kNone);
  drop_all();
  suspended = false;
  if (!undoes) return start_finally();
  wind_up.undid = ending != Phase::completed;
  wind_up.stage = Stage::undoing;
  undo_next();
}

void Core::undo_next() {
  if (!wind_up.adrift.empty()) return start_undo(nullptr, activations[wind_up.adrift.back()]->number);
  for (auto number = wind_up.finished.size(); number-- > 0;) {
    const auto& entry = wind_up.finished[number];
    const bool is_left = is_open(entry) && (wind_up.ending != Phase::completed || entry.attempt > 0);
    if (is_left) return start_undo(nullptr, static_cast<std::uint32_t>(number));
  }
  start_finally();
}

/// Below a `try`, or (`parent` is null) as what the run does now.
void Core::start_undo(Activation* parent, std::uint32_t number) {
  if (take_back(parent, number)) return;
  auto& list = create(Kind::list, parent, number);
  if (parent == nullptr) root = list.id;
  const auto& entry = wind_up.finished[number];
  list.role = ListRole::undo;
  list.task = entry.task;
  list.tasks = &list_of(list);
  // The same place may have finished several times (a backward `then`, a retry), and a compensation may have been broken off.
  list.attempt = 1;
  for (const auto& other : wind_up.finished) {
    if (other.task == entry.task && other.iteration == entry.iteration) list.attempt = std::max(list.attempt, other.attempt + 1);
  }
  list.max_attempt = list.attempt;
  wind_up.finished[number].attempt = list.attempt;
  list.owns_context = true;
  list.context_owner = list.id;
  list.context = entry.context;
  list.output = entry.output;
  if (parent != nullptr) list.extra = parent->extra;
  if (parent == nullptr && info.dry_run) list.timeout_timer = set_timer(list, kDryRunTime, TimerUse::run_timeout);
  step_list(list);
}

void Core::set_adrift(Activation& list) {
  list.payer = list.parent;
  detach(list);
  wind_up.adrift.push_back(list.id);
}

/// Of what is under way: from now on it is awaited there.
bool Core::take_back(Activation* parent, std::uint32_t number) {
  auto& adrift = wind_up.adrift;
  const auto found = std::find_if(adrift.begin(), adrift.end(), [&](ActivationId list) { return activations[list]->number == number; });
  if (found == adrift.end()) return false;
  auto& list = *activations[*found];
  adrift.erase(found);
  move_holds(list, true);
  list.payer = kNone;
  if (parent != nullptr) {
    adopt(*parent, list);
    move_holds(list, false);
  } else {
    root = list.id;
    if (info.dry_run && list.timeout_timer == 0) list.timeout_timer = set_timer(list, kDryRunTime, TimerUse::run_timeout);
  }
  return true;
}

/// One that nobody waits for yet has ended.
void Core::drifted(Activation& list) {
  std::erase(wind_up.adrift, list.id);
  const auto number = list.number;
  auto problem = list.ending == Ending::faulted ? std::move(list.error) : json::Value();
  release(list);
  undone(number, std::move(problem));
}

/// A compensation has ended. What it needed is not needed any more, unless it failed: then it can be retried.
void Core::undone(std::uint32_t number, json::Value problem) {
  auto& entry = wind_up.finished[number];
  entry.status = problem.is_null() ? Status::undone : Status::failed;
  entry.error = std::move(problem);
  entry.is_untold = rules >= 2 && entry.status == Status::failed;  // until the `try` that waits for it tells
  if (entry.status == Status::failed) return;
  wind_up.bytes -= std::exchange(entry.bytes, 0);
  entry.input = {};
  entry.output = {};
  entry.context = {};
  entry.variables = {};
}

void Core::start_finally() {
  if (wind_up.has_closed || plan->finally.tasks.empty()) return finish(wind_up.ending, {});
  wind_up.stage = Stage::finally;
  auto& list = create(Kind::list, nullptr, 0);
  root = list.id;
  list.role = ListRole::finally;
  list.tasks = &plan->finally;
  list.attempt = wind_up.attempt + 1;
  list.max_attempt = list.attempt;
  list.owns_context = true;
  list.context_owner = list.id;
  list.context = wind_up.context;
  list.output = wind_up.output;
  if (info.dry_run) list.timeout_timer = set_timer(list, kDryRunTime, TimerUse::run_timeout);
  step_list(list);
}

/// What winds the run up has come to its end, or (`problem`) failed.
void Core::part_ended(json::Value problem) {
  const auto number = activations[root]->number;
  drop_all();
  if (wind_up.stage == Stage::undoing) {
    undone(number, std::move(problem));
    return undo_next();
  }
  // Behind compensations that are retried first a `finally` that failed runs again: else the run would complete without it.
  wind_up.has_closed = problem.is_null() || !hides_failures();
  if (rules >= 2 && !problem.is_null() && wind_up.ending == Phase::completed && !hides_failures()) {
    wind_up.undid = false;  // nothing is left to undo: it is `finally` that can be retried
  }
  const auto last = problem.is_null() ? wind_up.ending : Phase::faulted;
  finish(last, std::move(problem));
}

void Core::break_off(json::Value problem) {
  if (wind_up.stage == Stage::undoing) {
    wind_up.undid = true;
    undone(activations[root]->number, problem);
    for (const auto list : wind_up.adrift) undone(activations[list]->number, problem);
  }
  finish(Phase::cancelled, std::move(problem));
}

/// `problem`: of winding up.
void Core::finish(Phase last, json::Value problem) {
  error = wind_up.error;
  if (hides_failures()) {
    error = make_error("runtime", 500, "Not undone",
                       "The run's main part completed, but something that it was to undo meanwhile was not undone.");
    error.set("instance", undo_failures(nullptr).at(0).get("task"));
    if (last == Phase::completed) last = Phase::faulted;
    wind_up.undid = true;  // so a retry undoes what is left, and repeats nothing of the main part
  }
  tell_failures();
  if (!problem.is_null()) {
    if (!error.is_null()) problem.set("cause", std::move(error));
    error = std::move(problem);
  }
  if (wind_up.ending != Phase::completed) {  // else it is `finally` that can be retried
    fault_point = std::exchange(wind_up.point, {});
    fault_record = wind_up.record;
  }
  if (last == Phase::completed) output = std::move(wind_up.output);
  close(last);
}

/// It would complete though a compensation has failed of which nobody knows.
bool Core::hides_failures() const {
  return wind_up.ending == Phase::completed &&
         std::any_of(wind_up.finished.begin(), wind_up.finished.end(), [](const auto& entry) { return entry.is_untold; });
}

/// In the run's error, where it has one.
void Core::tell_failures() {
  auto failures = undo_failures(nullptr);
  // The error of a `try` names what it could not undo then; a retry of the run has undone it since. What a workflow that was called could
  // not undo stays named.
  const auto told = rules >= 3 && error.is_object() ? error.get("compensation_failures") : json::Value();
  if (failures.empty() && told.is_array()) {
    auto left = json::Value::array();
    for (const auto& failure : told.items()) {
      if (!is_undone_since(*this, failure)) left.push_back(failure);
    }
    error.erase("compensation_failures");
    if (!left.empty()) error.set("compensation_failures", std::move(left));
  }
  if (failures.empty() || !error.is_object()) return;
  std::string names;
  for (const auto& failure : failures.items()) fmt::format_to(std::back_inserter(names), " {}", failure.get("task").as_string());
  const auto& detail = error.get("detail");
  error.set("detail", fmt::format("{}{}Not undone:{}", detail.is_string() ? detail.as_string() : "", detail.is_string() ? " " : "", names));
  error.set("compensation_failures", std::move(failures));
}

/// Of compensations that failed: of the whole run, or of those within a `try`.
json::Value Core::undo_failures(const Activation* within) const {
  auto failures = json::Value::array();
  for (const auto& entry : wind_up.finished) {
    if (entry.status != Status::failed || (within != nullptr && !lies_in(entry, *within))) continue;
    if (within == nullptr && is_accepted(*this, entry)) continue;
    auto failure = json::Value::object({{"task", plan->task(entry.task).reference}, {"error", entry.error}});
    if (!entry.iteration.empty()) failure.set("iteration", rounds_of(entry));
    failures.push_back(std::move(failure));
  }
  return failures;
}

/// Whether it finished below this very execution of a `try`.
bool Core::lies_in(const Finished& entry, const Activation& act) const {
  const auto index = static_cast<std::size_t>(&entry - wind_up.finished.data());
  return index >= act.cursor && stands_below(entry, act);
}

bool Core::stands_below(const Finished& entry, const Activation& act) const {
  auto task = plan->task(entry.task).parent;
  while (task != dsl::kNoTask && task != act.task) task = plan->task(task).parent;
  const auto rounds = iteration_of(act);
  return task == act.task && rounds.size() <= entry.iteration.size() && std::equal(rounds.begin(), rounds.end(), entry.iteration.begin());
}

Result<void> Core::check_undo_again(const RetryRequested& request) const {
  if (std::all_of(wind_up.finished.begin(), wind_up.finished.end(), [](const auto& entry) { return entry.status == Status::undone; })) {
    return Error(ErrorClass::conflict, "run.not_retryable",
                 "What the run had done was undone: it cannot go on. Start a new run, or fork this one from its beginning.");
  }
  if (request.from.empty() && !request.input) return {};
  return Error(
      ErrorClass::unprocessable, "run.not_retryable_from",
      "The run has begun to undo what it had done: a retry runs the compensations that are left, and takes neither a task nor an input.");
}

/// A retry of what could not be undone. `finally` does not run again where it had.
void Core::undo_again() {
  for (auto& entry : wind_up.finished) {
    if (entry.status != Status::failed || is_accepted(*this, entry)) continue;
    entry.status = Status::done;
    entry.is_untold = false;
    entry.error = {};
  }
  error = {};
  ended_at.reset();
  phase = Phase::running;
  wind_up.stage = Stage::undoing;
  wind_up.point = std::exchange(fault_point, {});
  undo_next();
}

}  // namespace pawl::engine::detail
