/// The engine's core: one run of one plan, as a pure state machine.
///
/// `apply` takes an event and appends what the world is to do. No I/O, no clock, no threads, no randomness: time comes in events, jitter
/// and ids come from the run's seed and the step's key. Feeding the same events to a new machine of the same plan gives the same state and
/// the same actions, which is what recovery does (`Replay`).
///
/// Only events are durable; `set`, `switch`, `do`, `for`, expressions are recomputed. Expression and data errors become workflow errors
/// (RFC 9457) inside the run; no input makes `apply` fail or loop without end: a run that makes more than `MachineLimits::max_transitions`
/// control transitions without an event in between faults with a runtime error.
///
/// A machine belongs to one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "dsl/plan.hpp"
#include "engine/machine/event.hpp"

namespace pawl::engine {

struct MachineLimits {
  std::uint32_t max_transitions = 1'000'000;  ///< control transitions per event
  std::uint32_t max_activations = 100'000;    ///< tasks in progress at once
  std::uint32_t max_records = 10'000;         ///< task records kept; later ones are counted only
  std::uint32_t max_undoable = 10'000;        ///< finished tasks with a compensation; the next one faults before it starts
  std::uint32_t max_messages = 10'000;  ///< messages that wait to be consumed (the oldest goes first), and ids known against repetition
};

/// What a run is told at birth and on every recovery; never changes.
struct RunInfo {
  RunId id;
  WorkflowId workflow_id;
  std::uint32_t version = 1;
  TimePoint created_at{};
  bool dry_run = false;
  std::uint64_t seed = 0;     ///< source of jitter
  json::Value secrets;        ///< `$secrets`: object; never journaled or snapshotted
  json::Value authorization;  ///< `$authorization`
  json::Value trigger;        ///< what started the run: {"type":"manual"|"schedule"|"webhook"|"event"|"workflow", ...}
};

enum class TaskStatus : std::uint8_t { running, waiting, retrying, completed, skipped, faulted, cancelled };
[[nodiscard]] std::string_view to_text(TaskStatus status);

/// One execution of a task (one per iteration; attempts are counted and the last one's error kept).
struct TaskRecord {
  dsl::TaskIndex task = dsl::kNoTask;
  std::vector<std::uint32_t> iteration;
  TaskStatus status = TaskStatus::running;
  std::uint32_t attempt = 1;
  json::Value input;
  json::Value output;
  json::Value error;
  TimePoint started_at{};
  std::optional<TimePoint> ended_at;
  std::vector<LogLine> logs;
};

class Machine {
 public:
  Machine(dsl::PlanPtr plan, RunInfo info, const MachineLimits& limits = {});
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;
  ~Machine();

  /// The first event is `RunStarted`, or `RunQueued` and later `RunAdmitted`. Events after a final phase (except `RetryRequested`),
  /// answers nobody waits for, and a start under rules that this program does not know (`check_rules`) are ignored.
  void apply(const Event& event, std::vector<Action>& actions);

  /// `apply` in slices, for a thread that has others to serve: asked after each transition whether to stop.
  using Pause = std::function<bool()>;
  /// Returns whether the event is done. Where it is not, `go_on` with the same actions continues. Until one of them returns true the
  /// actions are not to be performed, and `apply`, `begin`, `snapshot` and `listens` not to be called. In the end state and actions are
  /// those of `apply`, wherever it stopped in between.
  [[nodiscard]] bool begin(const Event& event, std::vector<Action>& actions, const Pause& pause);
  [[nodiscard]] bool go_on(std::vector<Action>& actions, const Pause& pause);

  [[nodiscard]] const dsl::Plan& plan() const;
  [[nodiscard]] const RunInfo& info() const;
  [[nodiscard]] Phase phase() const;
  [[nodiscard]] const json::Value& input() const;   ///< raw workflow input
  [[nodiscard]] const json::Value& output() const;  ///< of a completed run
  [[nodiscard]] const json::Value& error() const;   ///< of a faulted or cancelled run
  [[nodiscard]] TimePoint started_at() const;
  [[nodiscard]] std::optional<TimePoint> ended_at() const;
  /// One sentence: what a waiting run waits for ("timer due 2026-...", "event of type ...", "answer of http call /do/0/x").
  [[nodiscard]] std::string waiting_reason() const;
  [[nodiscard]] std::span<const TaskRecord> records() const;
  [[nodiscard]] std::uint64_t records_dropped() const;

  /// Whether `RetryRequested` would start the run again. Possible are: the place of the fault (`from` empty), and every task of a list,
  /// `fork` or graph that encloses this place: by name of a reference such as `/do/1/pay`. A task that is started again gets the input it
  /// had, or the request's; what had completed beside it (other branches, other nodes) stays completed. A run that was cancelled or timed
  /// out starts again at what was in progress. Of a run whose tasks were undone only the compensations that failed can be retried; of one
  /// that faulted in `finally` alone, `finally`.
  /// Errors: `run.not_retryable` in another phase, `run.unknown_task`.
  [[nodiscard]] Result<void> check_retry(const RetryRequested& request) const;

  /// Whether the run has begun to undo what it had done (`metadata.compensate`).
  [[nodiscard]] bool has_undone() const;
  /// Of a run that winds up (undoes what it had done, runs `finally`): how its main part ended, so how it will end unless that fails. A
  /// cancel does not change it any more.
  [[nodiscard]] std::optional<Phase> ending() const;

  /// What is pending now; after recovery the runtime sets the world up from these. Effects keep their ids.
  [[nodiscard]] std::vector<StartEffect> pending_effects() const;
  /// True where `EffectBegun` was applied for a pending effect.
  [[nodiscard]] bool has_begun(EffectId effect) const;
  /// It only looks whether another call happened (`on_unknown: {probe: ...}`), so it must not do anything.
  [[nodiscard]] bool is_probe(EffectId effect) const;
  [[nodiscard]] std::vector<SetTimer> pending_timers() const;

  /// What people are asked and have not decided, in order.
  [[nodiscard]] std::vector<RequestApproval> pending_approvals() const;

  /// Event types that the run listens for: exact `type` values, or one empty text where any type may match. Empty: it does not listen.
  [[nodiscard]] std::vector<std::string> listens() const;

  /// The whole state as data, without plan, info and secrets; `restore` gives back an equal machine.
  [[nodiscard]] json::Value snapshot() const;
  [[nodiscard]] static Result<Machine> restore(dsl::PlanPtr plan, RunInfo info, const json::Value& snapshot,
                                               const MachineLimits& limits = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether this program has the rules that a run's events were made under: to be asked of each event that is read back, before it is
/// applied. Error `run.newer_rules`; so does `Machine::restore`.
[[nodiscard]] Result<void> check_rules(const Event& event);

/// Where a step stands: the task's reference; of a turn or a tool call of an agent the very one, `/do/2/agent/turn/3/tool/0`.
[[nodiscard]] std::string step_reference(const dsl::Plan& plan, dsl::TaskIndex task, std::span<const std::uint32_t> iteration);

/// Text of a step's key, unique within all runs: what goes out as `Idempotency-Key`.
[[nodiscard]] std::string idempotency_key(const RunId& run, const StepKey& step);

/// The standard error types of the DSL and the alias table (open-workflow-profile.md, "Errors").
[[nodiscard]] json::Value make_error(std::string_view kind, int status, std::string_view title, std::string_view detail);
/// What a step faults with that may have taken effect and may not be repeated.
[[nodiscard]] json::Value unknown_outcome();
/// How the message of an agent's transcript begins that stands for older ones (`memory.summary`).
inline constexpr std::string_view kSummedUp = "Summary of the conversation so far:\n";
/// The function whose calls ask people instead of touching the outside.
inline constexpr std::string_view kApproval = "approval";
/// `a` and `b` name the same error type.
[[nodiscard]] bool same_error_type(std::string_view a, std::string_view b);

}  // namespace pawl::engine
