/// What happens to a run (events, journaled) and what the machine asks of the world (actions, never journaled).
///
/// Ids of effects, timers and subscriptions are numbers that the machine gives out in order; replaying the same events gives the same
/// numbers, so an event names what it answers by number alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::engine {

using EffectId = std::uint32_t;
using TimerId = std::uint32_t;
using ApprovalId = std::uint32_t;

enum class Phase : std::uint8_t { pending, running, waiting, suspended, cancelled, faulted, completed };
[[nodiscard]] std::string_view to_text(Phase phase);
[[nodiscard]] inline bool is_final(Phase phase) { return phase >= Phase::cancelled; }

/// One line that a step wrote.
struct LogLine {
  TimePoint at{};
  std::string level = "info";
  std::string text;
};

// ---- the rules ----------------------------------------------------------------------------------------------------------------

/// Which rules the machine follows is a number in a run's first event, and in its snapshots: replay comes to the same state only by the
/// rules that the events were made under, so a run keeps those it began with (a fork those of what it takes over).
///
/// A change of the machine that makes any journal replay to another state, or to other actions, is a change of the rules:
/// - `kRules` goes up by one, with a line beside it (rules.cpp) that says what is different;
/// - the old way stays: `if (rules >= N) { new way } else { old way }` (`Core::rules`), until no run of before can be there any more;
/// - `PAWL_RECORD_JOURNALS=1 pawl_engine_test --gtest_filter='GoldenJournal.*'` records journals under the new number
///   (tests/journals); those of before are not touched, and must still replay to the state that they were recorded with.
/// What only adds (a new kind of task, a refusal before anything is journaled) is none. Journals without a number are those of rules 0.
extern const std::uint32_t kRules;  // not here: half of the program would be compiled again for each new number

// ---- events -------------------------------------------------------------------------------------------------------------------

struct RunStarted {
  json::Value input;
  std::uint32_t rules = kRules;
};
/// Instead of `RunStarted`, of a run that has to wait for a place (engine/concurrency.hpp): it stays `pending` until it is let in.
struct RunQueued {
  json::Value input;
  std::uint32_t rules = kRules;
};
struct RunAdmitted {};
/// A `once` effect is about to begin: journaled before it does. Found without an end after a crash, the step's outcome is unknown.
struct EffectBegun {
  EffectId effect = 0;
};
struct EffectSucceeded {
  EffectId effect = 0;
  json::Value output;
  std::vector<LogLine> logs;
};
struct EffectFailed {
  EffectId effect = 0;
  json::Value error;  ///< RFC 9457 object: type, status, title, detail; the machine sets `instance`
  std::vector<LogLine> logs;
};
/// A `once` effect had begun when the process ended, and its task says what to do about that (dsl::OnUnknown).
struct EffectInterrupted {
  EffectId effect = 0;
};
struct TimerFired {
  TimerId timer = 0;
};
/// Somebody decided. Who may, and what `data` may be, was checked before it became an event.
struct ApprovalDecided {
  ApprovalId approval = 0;
  bool approved = false;
  std::string by;  ///< id of the user or key
  std::string comment;
  json::Value data;  ///< what the form asks for; null without one
};
struct MessageArrived {
  json::Value event;  ///< CloudEvent, structured JSON form
};
struct CancelRequested {
  std::string reason;
  /// Whoever suspends a run that winds up and cancels it then breaks its compensations off. What is cancelled because something else has
  /// happened (a newer run, a client that has gone, the end of the run that waits for it) never does that.
  bool by_person = true;
};
struct SuspendRequested {};
struct ResumeRequested {};
/// Of a faulted run: run again from the task at fault, or from the task with this reference; `input` replaces that task's raw input.
struct RetryRequested {
  std::string from;  ///< task reference; empty: where the run faulted
  std::optional<json::Value> input;
};

struct Event {
  TimePoint at{};  ///< what `now` yields while this event is applied
  std::variant<RunStarted, EffectBegun, EffectSucceeded, EffectFailed, TimerFired, MessageArrived, CancelRequested, SuspendRequested,
               ResumeRequested, RetryRequested, RunQueued, RunAdmitted, EffectInterrupted, ApprovalDecided>
      body;
};

// ---- actions ------------------------------------------------------------------------------------------------------------------

/// Durable identity of a step.
struct StepKey {
  dsl::TaskIndex task = dsl::kNoTask;
  std::vector<std::uint32_t> iteration;  ///< loop rounds from outside in
  std::uint32_t attempt = 1;             ///< from 1
};

struct StartEffect {
  EffectId effect = 0;
  StepKey step;
  std::string function;                      ///< canonical name: `http`, `run.shell`, `emit` ...
  json::Value arguments;                     ///< evaluated
  json::Value input;                         ///< the task's transformed input
  std::optional<dsl::EffectClass> declared;  ///< `metadata.effect`
};
/// The answer is not wanted any more (cancel, timeout, a lost race). No event for it may be applied afterwards; a late one is ignored.
struct CancelEffect {
  EffectId effect = 0;
};
struct SetTimer {
  TimerId timer = 0;
  TimePoint due{};
};
struct CancelTimer {
  TimerId timer = 0;
};
/// What people are asked, and who may answer.
struct ApprovalRequest {
  std::string title;
  std::string message;
  json::Value data;                    ///< what they decide about, as they see it; null: the title says it all
  std::vector<std::string> roles;      ///< names of roles; each admits those above it
  std::vector<std::string> users;      ///< ids or mail addresses. Without roles and users: whoever may execute
  bool exclude_starter = false;        ///< who started the run may not decide
  std::optional<TimePoint> deadline;   ///< none: it waits for ever
  std::string on_deadline = "reject";  ///< `approve`, `reject`, `fault`
  json::Value form;                    ///< JSON Schema of what comes with an approval; null: nothing
};
struct RequestApproval {
  ApprovalId approval = 0;
  dsl::TaskIndex task = dsl::kNoTask;
  TimePoint at{};  ///< when it was asked
  ApprovalRequest request;
};
/// It cannot be decided any more.
struct CloseApproval {
  enum class How : std::uint8_t { approved, rejected, expired, withdrawn };
  ApprovalId approval = 0;
  How how = How::withdrawn;  ///< expired: by its deadline; withdrawn: the task does not wait for it any more
  TimePoint at{};
  std::string by;
  std::string comment;
  json::Value data;
};
/// The set of event types that the run listens for has changed (Machine::listens()).
struct ListenChanged {};
/// A task record was added or changed (index into Machine::records()), for live views.
struct RecordChanged {
  std::size_t record = 0;
};
/// The run's phase changed; on a final phase this is the last action.
struct PhaseChanged {
  Phase phase = Phase::running;
};

using Action = std::variant<StartEffect, CancelEffect, SetTimer, CancelTimer, RequestApproval, CloseApproval, ListenChanged, RecordChanged,
                            PhaseChanged>;

}  // namespace pawl::engine
