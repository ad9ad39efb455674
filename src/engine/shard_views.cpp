// What is shown of runs: views and live updates.
#include <algorithm>

#include "engine/codec.hpp"
#include "engine/detail/run.hpp"
#include "engine/observer.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

RunView view_of_identity(const RunIdentity& identity, const json::Value& trigger) {
  RunView view;
  view.id = identity.id;
  view.organization = identity.organization;
  view.workflow = identity.workflow;
  view.version = identity.version;
  view.workflow_name = identity.workflow_name;
  view.dry_run = identity.dry_run;
  view.created_at = identity.created_at;
  view.trigger = trigger;
  return view;
}

RunNotice notice_of(const RunIdentity& identity) {
  RunNotice notice;
  notice.run = identity.id;
  notice.organization = identity.organization;
  notice.workflow = identity.workflow;
  notice.workflow_name = identity.workflow_name;
  notice.version = identity.version;
  notice.dry_run = identity.dry_run;
  return notice;
}

/// The input, without the help of a plan: it is in the snapshot or in the first event.
json::Value input_of(const RunIdentity& identity, std::string_view snapshot, std::string_view events) {
  if (!snapshot.empty()) {
    const auto record = decode_snapshot(snapshot);
    return record.has_value() ? record->input : json::Value();
  }
  Decoder in(events);
  auto at = identity.created_at;
  while (!in.at_end()) {
    const auto event = in.event(at);
    if (in.failed()) break;
    if (const auto* started = std::get_if<RunStarted>(&event.body)) return started->input;  // in front of it: where a fork stops
    if (const auto* queued = std::get_if<RunQueued>(&event.body)) return queued->input;
  }
  return {};
}

}  // namespace

std::optional<OrganizationId> Shard::owner(const RunId& run) const {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return std::nullopt;
  return found->second->identity.organization;
}

RunView::TaskView Shard::task_view(const Run& run, std::size_t record) {
  RunView::TaskView view;
  const auto& machine = *run.machine;
  view.record = machine.records()[record];
  if (run.scrub) run.scrub->record(view.record);
  const auto& task = machine.plan().task(view.record.task);
  view.reference = step_reference(machine.plan(), view.record.task, view.record.iteration);
  view.name = task.name;
  view.type = task.type;
  return view;
}

RunView Shard::view_of(const Run& run, bool with_tasks) const {
  auto view = view_of_identity(run.identity, run.trigger);
  if (!run.machine) {
    view.phase = run.broken_ended ? Phase::cancelled : Phase::suspended;
    view.waiting_reason = run.broken;
    view.input = input_of(run.identity, run.snapshot, run.events);
    return view;
  }
  const auto& machine = *run.machine;
  view.phase = machine.phase();
  view.ending = machine.ending();
  if (view.phase == Phase::pending) {
    view.waiting_reason = world_.gate.waiting_reason(run.identity.id);
  } else if (!engine::is_final(view.phase)) {
    view.waiting_reason = run.shown(json::Value(machine.waiting_reason())).as_string();
  }
  view.input = machine.input();
  view.output = run.shown(machine.output());
  view.error = run.shown(machine.error());
  if (machine.started_at() != TimePoint{}) view.started_at = machine.started_at();
  view.ended_at = machine.ended_at();
  view.tasks_dropped = machine.records_dropped();
  if (with_tasks) {
    view.tasks.reserve(machine.records().size());
    for (std::size_t i = 0; i < machine.records().size(); ++i) view.tasks.push_back(task_view(run, i));
  }
  return view;
}

Result<RunView> Shard::view_of(const FinishedRun& stored, bool with_tasks) {
  if (with_tasks) {
    auto run = revive(stored);
    // Without the plan there are no task records; what is stored besides is shown all the same.
    if (run.has_value()) return view_of(*run.value(), true);
  }
  auto view = view_of_identity(stored.identity, stored.history.trigger);
  view.phase = stored.phase;
  view.input = input_of(stored.identity, stored.history.snapshot, stored.history.events);
  (stored.phase == Phase::completed ? view.output : view.error) = stored.history.result;
  view.started_at = stored.started_at;
  view.ended_at = stored.ended_at;
  return view;
}

// ---- live updates -----------------------------------------------------------------------------------------------------------------

// Updates are counted in the order of the machine's actions, which replay repeats: the numbers stay the same after a restart. A subscriber
// that missed some gets the present state of every record that changed since.

void Shard::publish_record(Run& run, std::size_t record) {
  ++run.updates;
  if (run.record_updates.size() <= record) run.record_updates.resize(record + 1);
  run.record_updates[record] = static_cast<std::uint32_t>(run.updates);
  if (run.subscribers.empty()) return;
  RunUpdate update;
  update.run = run.identity.id;
  update.sequence = run.updates;
  update.task = task_view(run, record);
  for (const auto& subscriber : run.subscribers) subscriber.updated(update);
}

void Shard::publish_phase(Run& run) {
  run.phase_update = ++run.updates;
  if (run.is_final()) return;  // an end is told when it is durable
  show_phase(run, run.machine->phase());
  if (run.subscribers.empty()) return;
  RunUpdate update;
  update.run = run.identity.id;
  update.sequence = run.updates;
  update.phase = run.machine->phase();
  for (const auto& subscriber : run.subscribers) subscriber.updated(update);
}

void Shard::show_record(const Run& run, std::size_t record) const {
  if (world_.observer == nullptr || !world_.observer->wants(run.identity.organization)) return;
  auto notice = notice_of(run.identity);
  notice.sequence = run.updates;
  notice.record = &run.machine->records()[record];
  const auto& task = run.machine->plan().task(notice.record->task);
  notice.task_reference = step_reference(run.machine->plan(), notice.record->task, notice.record->iteration);
  notice.task_name = task.name;
  notice.task_type = task.type;
  world_.observer->changed(notice);
}

void Shard::show_phase(const Run& run, Phase phase) const {
  if (world_.observer == nullptr || !world_.observer->wants(run.identity.organization)) return;
  auto notice = notice_of(run.identity);
  notice.sequence = run.phase_update;
  notice.phase = phase;
  world_.observer->changed(notice);
}

void Shard::send_known(Run& run, std::uint64_t after, const Engine::Updated& updated) const {
  if (!run.machine) return;
  const auto& machine = *run.machine;
  std::vector<RunUpdate> known;
  for (std::size_t i = 0; i < machine.records().size(); ++i) {
    // Records that came out of a snapshot have no number of their own: all that is known is that they are older than it.
    const std::uint64_t sequence = i < run.record_updates.size() ? run.record_updates[i] : 0;
    if (sequence <= after && after > 0) continue;
    RunUpdate update;
    update.run = run.identity.id;
    update.sequence = sequence;
    update.task = task_view(run, i);
    known.push_back(std::move(update));
  }
  const bool end_is_on_its_way = run.is_final() && (run.changed || run.commits > 0);
  if (run.phase_update > after && !end_is_on_its_way) {
    RunUpdate update;
    update.run = run.identity.id;
    update.sequence = run.phase_update;
    update.phase = machine.phase();
    if (run.is_final()) {
      update.output = run.shown(machine.output());
      update.error = run.shown(machine.error());
    }
    known.push_back(std::move(update));
  }
  // In order of their numbers: whoever breaks off remembers the last one.
  std::stable_sort(known.begin(), known.end(), [](const RunUpdate& a, const RunUpdate& b) { return a.sequence < b.sequence; });
  for (const auto& update : known) updated(update);
}

}  // namespace pawl::engine
