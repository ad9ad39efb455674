// The life of runs in memory: start, advance, commit, end.
#include "engine/shard.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "engine/codec.hpp"
#include "engine/detail/placeholders.hpp"
#include "engine/detail/run.hpp"
#include "json/size.hpp"

namespace pawl::engine {
namespace {

/// Inputs that one run may take before others get their turn: a loop of steps that answer at once must not hold the shard.
constexpr std::size_t kInputsPerTurn = 256;
/// Time after which a run pauses, within an event too (a loop of heavy expressions is one event), and a turn ends: the thread serves
/// connections besides.
constexpr Millis kRunTime{10};
constexpr Millis kTurnTime{25};
/// Batches that the host may have at a time: one that is being written and one that is ready for the writer. More would only mean smaller
/// batches.
constexpr std::size_t kBatchesInFlight = 2;
/// About, as JSON. A snapshot near 1 GiB could be written and never be read again (records.cpp).
constexpr std::size_t kMaxSnapshot = 256U << 20U;

std::size_t bytes_of(const RunWrite& write) {
  std::size_t bytes = 64;
  if (write.begin) bytes += write.begin->beginning.size();
  if (write.append) bytes += write.append->data.size();
  if (write.snapshot) bytes += write.snapshot->data.size();
  if (write.finish) bytes += write.finish->history.size();
  return bytes;
}

}  // namespace

Shard::Shard(Dependencies dependencies, const EngineOptions& options, std::size_t index, std::size_t count)
    : world_(std::move(dependencies)), options_(options), index_(index), count_(count) {
  PAWL_ASSERT(count >= 1 && count <= 64 && index < count, "six bits of an id name the shard");
}

Shard::~Shard() = default;

std::size_t Shard::index_of(const RunId& run, std::size_t count) { return (run.uuid.bytes[8] & 0x3fU) % count; }

RunId Shard::make_id() {
  // RFC 9562, 6.2 method 1: the 12 bits after the version count within a millisecond, so that ids of a shard are unique and grow even in
  // the first 63 bits (run_key). The six bits after the variant name the shard.
  const auto now = static_cast<std::uint64_t>(world_.clock.now().time_since_epoch().count());
  if (now > last_millis_) {
    last_millis_ = now;
    id_counter_ = 0;
  } else if (++id_counter_ > 0xfff) {
    ++last_millis_;  // run ahead of the clock rather than repeat
    id_counter_ = 0;
  }
  auto uuid = make_uuid_v7(TimePoint(Millis(static_cast<std::int64_t>(last_millis_))), world_.random);
  uuid.bytes[6] = static_cast<std::uint8_t>(0x70U | (id_counter_ >> 8U));
  uuid.bytes[7] = static_cast<std::uint8_t>(id_counter_);
  uuid.bytes[8] = static_cast<std::uint8_t>(0x80U | index_);
  return RunId{uuid};
}

RunInfo Shard::info_of(const Run& run, const dsl::Plan& plan, json::Value secrets) const {
  RunInfo info;
  info.id = run.identity.id;
  info.workflow_id = run.identity.workflow;
  info.version = run.identity.version;
  info.created_at = run.identity.created_at;
  info.dry_run = run.identity.dry_run;
  info.seed = std::hash<RunId>{}(run.identity.id);
  info.secrets = secrets.is_null() && world_.secrets ? world_.secrets(run.identity.organization, plan) : std::move(secrets);
  if (info.secrets.is_null()) info.secrets = json::Value::object();
  if (info.dry_run) info.secrets = placeholders(info.secrets);
  info.trigger = run.trigger;
  return info;
}

Shard::Run& Shard::add_run(std::unique_ptr<Run> run) {
  auto& added = *run;
  runs_[added.identity.id] = std::move(run);
  return added;
}

void Shard::start(RunId id, StartRequest request, Engine::Started started, Engine::Finished finished) {
  const auto refuse = [&started](ErrorClass kind, const char* code, std::string message) {
    if (started) started(Error{kind, code, std::move(message)});
  };
  if (draining_) return refuse(ErrorClass::unavailable, "engine.stopping", "the engine is stopping");
  if (runs_.size() >= options_.max_runs_in_memory)
    return refuse(ErrorClass::unavailable, "engine.overloaded", "too many runs are in progress");
  if (runs_.contains(id)) return refuse(ErrorClass::conflict, "run.exists", "a run with the id " + id.to_string() + " exists already");

  auto fresh = std::make_unique<Run>();
  fresh->identity = {.id = id,
                     .organization = request.organization,
                     .workflow = request.workflow,
                     .version = request.version,
                     .workflow_name = request.plan->name,
                     .created_at = world_.clock.now(),
                     .dry_run = request.dry_run};
  fresh->trigger = std::move(request.trigger);
  fresh->durability = request.durability;
  fresh->last_event = fresh->identity.created_at;
  // A child works in its parent's place, and a dry run does nothing that would need one.
  auto concurrency = std::move(request.concurrency);
  if (!concurrency) concurrency = concurrency_of(request.plan->metadata);
  if (fresh->identity.dry_run || request.child) concurrency.reset();
  note_wishes(*fresh, concurrency, request.priority);
  const auto placed = take_place(*fresh, concurrency ? concurrency->policy : Concurrency::Policy::queue);
  if (placed.has_error()) {
    if (started) started(placed.error());
    return;
  }
  fresh->let_in = *placed;
  auto& run = add_run(std::move(fresh));
  auto info = info_of(run, *request.plan, std::move(request.secrets));
  run.scrub = Scrub::of(info.secrets);
  run.machine.emplace(std::move(request.plan), std::move(info), options_.machine);
  if (started) run.started.push_back(std::move(started));
  if (finished) run.finished.push_back(std::move(finished));
  ++counters_.runs_started;
  // A missing input is the empty object (open-workflow-profile.md).
  auto data = request.input.is_null() ? json::Value::object() : std::move(request.input);
  if (!run.let_in) return input(run, RunQueued{std::move(data)});
  input(run, RunStarted{std::move(data)});
}

// ---- progress -----------------------------------------------------------------------------------------------------------------

void Shard::input(Run& run, EventBody body) {
  if (run.is_final() || !run.machine) return;
  run.falling_asleep = false;
  run.inbox.push_back(std::move(body));
  ++run.inputs;
  advance(run);
}

void Shard::advance(Run& run) {
  if (run.advancing) return;  // an answer that came inside: the loop below takes it
  run.advancing = true;
  run.last_active = world_.clock.now();
  const Machine::Pause pause = [&clock = world_.clock, until = run.last_active + kRunTime] { return clock.now() >= until; };
  if (run.paused) go_on(run, pause);
  std::size_t taken = 0;
  while (!run.paused && taken < run.inbox.size() && taken < kInputsPerTurn && !run.is_final()) {
    if (taken > 0 && pause()) break;
    auto body = std::move(run.inbox[taken++]);
    apply(run, std::move(body), pause);
    if (!run.paused) ++run.applied;
  }
  if (run.is_final()) {
    run.inbox.clear();
    run.applied = run.inputs;
  } else {
    run.inbox.erase(run.inbox.begin(), run.inbox.begin() + static_cast<std::ptrdiff_t>(taken));
    if ((run.paused || !run.inbox.empty()) && !std::exchange(run.queued, true)) unfinished_turns_.push_back(run.identity.id);
  }
  run.advancing = false;
  while (!run.pending.empty() && run.pending.front().input <= run.applied) {
    run.acknowledged.push_back(std::move(run.pending.front().done));
    run.pending.pop_front();
  }
  if (run.paused) return world_.host.wake();
  touch(run);
}

void Shard::apply(Run& run, EventBody body, const Machine::Pause& pause) {
  if (run.scrub) run.scrub->event(body);
  const Event event{std::max(world_.clock.now(), run.last_event), std::move(body)};
  auto actions = std::exchange(spare_actions_, {});  // keeps its capacity from event to event
  if (run.machine->begin(event, actions, pause)) {
    Encoder(run.events).event(event, run.last_event);
    return perform_all(run, std::move(actions));
  }
  // It goes into the journal when it is done: a batch before that would write an event whose consequences nobody knows yet.
  run.paused = true;
  run.paused_event = event;
  run.paused_actions = std::move(actions);
}

void Shard::go_on(Run& run, const Machine::Pause& pause) {
  if (!run.machine->go_on(run.paused_actions, pause)) return;
  Encoder(run.events).event(run.paused_event, run.last_event);
  run.paused = false;
  run.paused_event = {};
  ++run.applied;
  perform_all(run, std::exchange(run.paused_actions, {}));
}

void Shard::perform_all(Run& run, std::vector<Action> actions) {
  for (auto& action : actions) perform(run, action);
  actions.clear();
  spare_actions_ = std::move(actions);
}

void Shard::perform(Run& run, Action& action) {
  struct Visitor {
    Shard& shard;
    Run& run;
    void operator()(StartEffect& start) const { shard.begin_effect(run, std::move(start)); }
    void operator()(const CancelEffect& cancel) const { shard.cancel_effect(run, cancel.effect); }
    void operator()(const SetTimer& set) const { shard.schedule(run, set.timer, set.due); }
    void operator()(const CancelTimer& cancel) const { shard.unschedule(run, cancel.timer); }
    void operator()(RequestApproval& asked) const { shard.ask_people(run, std::move(asked)); }
    void operator()(CloseApproval& closing) const { shard.close_approval(run, std::move(closing)); }
    void operator()(const ListenChanged&) const { shard.set_listens(run); }
    void operator()(const RecordChanged& changed) const {
      shard.publish_record(run, changed.record);
      shard.show_record(run, changed.record);
    }
    void operator()(const PhaseChanged&) const { shard.publish_phase(run); }
  };
  std::visit(Visitor{*this, run}, action);
}

void Shard::touch(Run& run) {
  if (!run.changed) {
    run.changed = true;
    changed_.push_back(&run);
  }
  world_.host.wake();
}

// ---- turns and commits --------------------------------------------------------------------------------------------------------

void Shard::turn() {
  auto unfinished = std::exchange(unfinished_turns_, {});
  const auto until = world_.clock.now() + kTurnTime;
  auto next = unfinished.begin();
  for (; next != unfinished.end() && (next == unfinished.begin() || world_.clock.now() < until); ++next) {
    const auto found = runs_.find(*next);
    if (found == runs_.end()) continue;
    auto& run = *found->second;
    run.queued = false;
    if (run.paused || !run.inbox.empty()) advance(run);
  }
  // Who had no turn is first in the next one.
  unfinished_turns_.insert(unfinished_turns_.begin(), next, unfinished.end());
  while (in_flight_.size() < kBatchesInFlight && append_batch()) {
  }
  if (!unfinished_turns_.empty()) world_.host.wake();
}

bool Shard::append_batch() {
  if (changed_.empty()) return false;
  auto in_flight = std::make_unique<InFlight>();
  in_flight->number = ++last_batch_;
  Batch batch;
  batch.number = last_batch_;
  batch.runs.reserve(changed_.size());
  in_flight->commits.reserve(changed_.size());
  std::vector<Commit> at_once;
  for (auto* const run : std::exchange(changed_, {})) {
    run->changed = false;
    ++run->commits;
    auto approvals = std::exchange(run->approvals, {});
    batch.runs.push_back(write_of(*run));
    batch.runs.back().approvals = approvals;
    batch.bytes += bytes_of(batch.runs.back());
    Commit commit{run, std::exchange(run->started, {}), std::exchange(run->acknowledged, {}), std::exchange(run->gated, {}),
                  std::move(approvals)};
    if (run->durability == Durability::group) {
      at_once.push_back({run, std::exchange(commit.started, {}), std::exchange(commit.acknowledged, {}), {}, {}});
    }
    in_flight->commits.push_back(std::move(commit));
  }
  in_flight_.push_back(std::move(in_flight));
  world_.host.append(std::move(batch));
  // `group` durability: told before the fsync.
  for (auto& commit : at_once) {
    for (auto& started : commit.started) started(commit.run->identity.id);
    for (auto& acknowledged : commit.acknowledged) acknowledged({});
    if (commit.run->ended) tell_end(*commit.run);
  }
  return true;
}

RunWrite Shard::write_of(Run& run) {
  RunWrite write;
  write.identity = run.identity;
  write.phase = run.machine ? run.machine->phase() : Phase::suspended;
  if (run.broken_ended) write.phase = Phase::cancelled;
  if (run.is_final()) {
    if (!run.ended) write.finish = finish_of(run);
    if (run.reopened && run.next_sequence == 0) write.begin = RunWrite::Begin{{}, true};
    run.ended = true;
    return write;
  }
  auto state = run.machine && run.snapshot_due && !run.paused ? std::optional(run.machine->snapshot()) : std::nullopt;
  const bool is_kept = !state || (!json::larger_than(*state, kMaxSnapshot) && !(run.scrub && run.scrub->occurs_in(*state)));
  if (!is_kept) {  // its events are enough
    run.holds_secrets = true;
    run.snapshot_due = false;
    state.reset();
  }
  if (state) {
    auto data = encode_snapshot({run.updates, run.last_event, run.machine->input(), *std::move(state)});
    run.snapshot = data;
    run.events.clear();
    run.appended = 0;
    run.had_slept = true;
    run.snapshot_due = false;
    write.snapshot = RunWrite::Snapshot{run.next_sequence > 0 ? run.next_sequence - 1 : 0, std::move(data)};
  }
  if (!run.machine) {
    write.reason = run.broken;
  } else if (write.phase == Phase::waiting) {
    write.reason = run.shown(json::Value(run.machine->waiting_reason())).as_string();
  } else if (write.phase == Phase::pending) {
    write.reason = "a place among runs with the same concurrency key";
  }
  if (run.seat && run.row_let_in != run.let_in) {
    write.place = RunWrite::Place{run.seat->key, run.seat->limit, run.seat->priority, run.let_in};
    run.row_let_in = run.let_in;
  }
  if (run.next_sequence == 0) {
    write.begin = RunWrite::Begin{encode_beginning(run.trigger, run.snapshot.empty() ? run.events : std::string()), run.reopened};
    if (run.reopened && !run.snapshot.empty()) write.snapshot = RunWrite::Snapshot{0, run.snapshot};
    run.next_sequence = 1;
    if (run.reopened && !run.snapshot.empty() && !run.events.empty())
      write.append = RunWrite::Append{run.next_sequence++, encode_journal(run.events)};
    ++counters_.journal_rows;
  } else {
    if (run.events.size() > run.appended) {
      write.append = RunWrite::Append{run.next_sequence++, encode_journal(std::string_view(run.events).substr(run.appended))};
      ++counters_.journal_rows;
    }
    write.update_row = write.phase != run.row_phase || !run.row_resident || run.falling_asleep;
    write.forget_timer = !run.row_resident && !run.falling_asleep;
  }
  run.appended = run.events.size();
  run.reopened = false;
  if (run.events.size() > options_.compact_bytes && run.events.size() > 2 * run.snapshot.size()) run.snapshot_due = !run.holds_secrets;
  if (run.falling_asleep) {
    RunWrite::Sleep sleep;
    sleep.listens = run.listens;
    for (const auto& timer : run.machine->pending_timers()) sleep.due = std::min(sleep.due.value_or(timer.due), timer.due);
    write.sleep = std::move(sleep);
    run.had_slept = true;
  }
  run.row_phase = write.phase;
  run.row_resident = write.resident = !run.falling_asleep;
  return write;
}

RunWrite::Finish Shard::finish_of(Run& run) {
  RunWrite::Finish finish;
  History history;
  history.trigger = run.trigger;
  history.snapshot = std::move(run.snapshot);
  history.events = std::move(run.events);
  if (run.machine) {
    finish.ended_at = run.machine->ended_at().value_or(run.last_event);
    finish.started_at = run.machine->started_at() == TimePoint{} ? finish.ended_at : run.machine->started_at();  // cancelled before that
    history.result = run.shown(run.machine->phase() == Phase::completed ? run.machine->output() : run.machine->error());
  } else {
    finish.started_at = run.identity.created_at;
    finish.ended_at = world_.clock.now();
    history.result = make_error("runtime", 500, "Cancelled", run.broken);
    finish.was_broken = true;
  }
  if (run.machine && run.machine->phase() == Phase::faulted && !run.identity.dry_run && leaves_dead_letter(run.trigger)) {
    finish.letter = DeadLetter{.id = run.identity.id,
                               .organization = run.identity.organization,
                               .workflow = run.identity.workflow,
                               .workflow_name = run.identity.workflow_name,
                               .version = run.identity.version,
                               .kind = DeadLetter::Kind::run,
                               .trigger = run.trigger,
                               .input = run.machine->input(),
                               .error = run.shown(run.machine->error()),
                               .created_at = finish.ended_at};
  }
  if (run.machine && !run.identity.dry_run && world_.lifecycle.wants(run.identity.organization)) {
    const auto what = to_text(run.machine->phase());
    finish.lifecycle = run.end_event = run.shown(lifecycle_event(run.identity, run.trigger, *run.machine, what, finish.ended_at));
  }
  finish.history = encode_history(history);
  finish.was_open = run.next_sequence > 0;
  finish.had_slept = run.had_slept;
  finish.had_place = run.row_let_in.has_value();
  return finish;
}

void Shard::durable(std::uint64_t batch) {
  while (!in_flight_.empty() && in_flight_.front()->number <= batch) {
    const auto done = std::move(in_flight_.front());
    in_flight_.pop_front();
    for (auto& commit : done->commits) committed(commit);
  }
  if (!changed_.empty()) world_.host.wake();
}

void Shard::committed(Commit& commit) {
  auto& run = *commit.run;
  --run.commits;
  for (auto& started : commit.started) started(run.identity.id);
  for (auto& acknowledged : commit.acknowledged) acknowledged({});
  for (const auto effect : commit.gated) admit(run, effect);
  for (const auto& approval : commit.approvals) tell_approval(run, approval);
  tell_lifecycle(run);
  if (run.ended) {
    if (run.commits == 0 && !run.changed) finish(run);
    return;
  }
  consider_sleep(run);
}

void Shard::tell_end(Run& run) {
  if (run.finished.empty()) return;
  const auto view = view_of(run, false);
  for (const auto& finished : std::exchange(run.finished, {})) finished(view);
}

/// What is durable by now: the start, a suspension, its end. Ends are told in `finish`.
void Shard::tell_lifecycle(Run& run) {
  if (!run.machine || run.identity.dry_run || run.machine->phase() == Phase::pending) return;
  const bool tells_start = !std::exchange(run.told_start, true);
  const bool suspended = run.machine->phase() == Phase::suspended;
  const bool tells_suspension = !run.is_final() && suspended != std::exchange(run.told_suspension, suspended);
  if ((!tells_start && !tells_suspension) || !world_.lifecycle.wants(run.identity.organization)) return;
  const auto tell = [&](std::string_view what, TimePoint at) {
    world_.host.publish_lifecycle(run.identity.organization, lifecycle_event(run.identity, run.trigger, *run.machine, what, at), false);
  };
  if (tells_start) tell("started", run.machine->started_at());
  if (tells_suspension) tell(suspended ? "suspended" : "resumed", run.last_event);
}

void Shard::finish(Run& run) {
  ++counters_.runs_finished;
  const auto phase = run.machine ? run.machine->phase() : Phase::cancelled;
  if (phase == Phase::faulted) ++counters_.runs_faulted;
  if (phase == Phase::cancelled) ++counters_.runs_cancelled;
  const auto age = std::max(Millis(0), std::chrono::duration_cast<Millis>(world_.clock.now() - run.identity.created_at));
  counters_.run_millis += static_cast<std::uint64_t>(age.count());
  if (world_.run_ended) world_.run_ended(phase, age);
  tell_end(run);
  for (const auto& waiting : std::exchange(run.at_end, {})) waiting(run);
  show_phase(run, phase);
  if (!run.subscribers.empty()) {
    RunUpdate update;
    update.run = run.identity.id;
    update.sequence = run.phase_update;
    update.phase = phase;
    if (run.machine) {
      update.output = run.shown(run.machine->output());
      update.error = run.shown(run.machine->error());
    }
    for (const auto& subscriber : std::exchange(run.subscribers, {})) subscriber.updated(update);
  }
  if (!run.end_event.is_null()) world_.host.publish_lifecycle(run.identity.organization, std::move(run.end_event), true);
  if (run.seat) leave_place(run.identity.id);
  const auto parents = std::exchange(run.parents, {});
  const bool completed = phase == Phase::completed;
  const auto outcome =
      completed ? Outcome::success(run.shown(run.machine->output()))
                : Outcome::failure(run.machine ? run.shown(run.machine->error()) : make_error("runtime", 500, "Cancelled", run.broken));
  drop(run);
  for (const auto& parent : parents) effect_ended(parent.run, parent.effect, outcome);
}

void Shard::drop(Run& run) {
  PAWL_ASSERT(run.commits == 0 && !run.changed, "a run leaves memory when nothing of it is on its way");
  remove_listens(run);
  forget_timers(run.timers.size());
  runs_.erase(run.identity.id);
}

void Shard::drain() { draining_ = true; }

bool Shard::idle() const { return changed_.empty() && in_flight_.empty() && unfinished_turns_.empty() && counters_.effects_in_flight == 0; }

Shard::Counters Shard::counters() const {
  auto counters = counters_;
  counters.runs_in_memory = runs_.size();
  return counters;
}

}  // namespace pawl::engine
