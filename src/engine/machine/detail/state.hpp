/// The state of a run as plain data: what `Core` works on, and what a snapshot holds.
///
/// An *activation* is a task or a task list in progress. Activations form a tree: a list's child is the task that it is at, a task's
/// children are the lists (`do`, rounds of `for`, the attempt of a `try`) or tasks (branches of `fork`, nodes of a graph, the callee of a
/// function) that it runs. They are freed as soon as their parent has taken what they ended with.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "engine/machine/event.hpp"
#include "json/value.hpp"

namespace pawl::engine::detail {

using ActivationId = std::uint32_t;
inline constexpr std::uint32_t kNone = UINT32_MAX;

enum class Kind : std::uint8_t { task, list };
/// What a list is to its owner.
enum class ListRole : std::uint8_t { root, body, handler, before, after, undo, finally };
/// How far a task has come (design: if, input, before, body, after, output, export, then).
enum class Step : std::uint8_t { created, before, body, after, ended };
enum class Ending : std::uint8_t { completed, skipped, faulted };

/// One of several things that a task runs side by side: a branch, a parallel round, a node; or a filter of a `listen`.
struct Child {
  /// `blocked`: skipped because something it depends on failed. `delayed`: waits for its next attempt.
  enum class Status : std::uint8_t { pending, running, delayed, completed, skipped, blocked, failed };
  Status status = Status::pending;
  std::uint32_t attempt = 0;  ///< highest attempt number used in it
  std::uint32_t retries = 0;
  TimerId timer = 0;
  TimePoint started_at{};  ///< of the first attempt
  json::Value output;
  json::Value context;
  json::Value error;
};

/// What an agent has done so far. The calls of its turn are the activation's `children`: `context` of such a child holds the call
/// `{id, name, arguments}`, `output` what the model is told, `error` what went wrong.
/// What an agent has set aside for the request to a model that is under way.
struct Hold {
  std::uint64_t tokens = 0;
  std::int64_t cost = 0;     ///< in billionths
  std::uint64_t answer = 0;  ///< how long the answer may be; 0: no limit
};

struct AgentState {
  json::Value settings;    ///< its arguments, evaluated
  json::Value transcript;  ///< array: messages that the model has seen or said
  json::Value news;        ///< array: messages that it is told next
  json::Value answer;      ///< text of its latest reply
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t reasoning_tokens = 0;
  std::int64_t cost = 0;  ///< in billionths
  bool is_cost_known = true;
  std::uint64_t token_limit = 0;     ///< 0: none
  std::int64_t cost_limit = 0;       ///< 0: none
  std::uint64_t assumed_tokens = 0;  ///< beside what was told: what may have been taken by requests of which nobody told it
  std::int64_t assumed_cost = 0;
  std::uint64_t held_tokens = 0;  ///< set aside by requests that are under way, of this agent and of those below
  std::int64_t held_cost = 0;
  bool is_held = false;  ///< it has a request under way itself, with `hold`
  bool waits = false;    ///< for what others have set aside
  Hold hold;
  std::uint32_t steps = 0;         ///< turns, summaries and calls, of this agent and of those below
  std::uint32_t step_limit = 0;    ///< 0: none
  std::uint32_t repeats = 0;       ///< of the turn, after requests that may have been paid for without an answer
  json::Value prices;              ///< of the outermost agent: models -> US dollars for a million tokens
  std::uint64_t known_tokens = 0;  ///< at most so many are in the transcript, the tools and the instructions
  std::uint32_t tool_calls = 0;
  std::uint32_t turns = 0;     ///< answered ones
  std::uint32_t failures = 0;  ///< turns in a row of which nothing came
  bool is_last = false;        ///< the turn under way may not call tools
  std::string stop;            ///< why that is so
  std::vector<std::string> models;
  std::vector<std::string> untrusted;         ///< tools whose answers nobody vouches for, `prompt` for the prompt itself
  std::map<std::string, std::uint32_t> seen;  ///< calls with their results -> how often
  dsl::TaskIndex aside = dsl::kNoTask;        ///< summary, recall or remember: the step that is under way instead of a turn
  std::uint32_t recalled = 0;                 ///< messages at the beginning of the transcript that are of earlier runs
  std::uint32_t asked = 0;                    ///< messages behind them that this agent began with
  bool is_summed_up = false;                  ///< one more behind these is a summary
  json::Value result;                         ///< its output, while it is remembered
};

struct Activation {
  // Place in the tree. `serial` tells apart successive users of one slot.
  std::uint32_t serial = 0;
  ActivationId id = kNone;
  ActivationId parent = kNone;
  ActivationId payer = kNone;  ///< of what is adrift: what was around it, or what is left of that; agents there pay for those in it
  ActivationId first_child = kNone;
  ActivationId next_sibling = kNone;
  ActivationId previous_sibling = kNone;
  ActivationId context_owner = kNone;  ///< whose `context` the expressions here see
  dsl::TaskIndex task = dsl::kNoTask;  ///< of a list: its owner's
  std::uint32_t number =
      0;  ///< which child of its parent: place in a list, round, branch, node, turn, call; of before/after: extension; of undo: `Finished`
  Kind kind = Kind::task;
  ListRole role = ListRole::root;
  Step step = Step::created;
  Ending ending = Ending::completed;
  bool is_round = false;  ///< a list whose `number` counts as an iteration
  bool has_flow = false;  ///< `flow` overrides the task's `then`
  bool owns_context = false;
  bool listening = false;

  std::uint32_t attempt = 1;      ///< of this activation; children inherit it
  std::uint32_t max_attempt = 1;  ///< highest number used below; a repetition takes the next one, so (task, iteration, attempt) is unique
  std::uint32_t position = 0;     ///< list: at which task; `for`: next round; before/after: which extension; `listen`: events consumed
  std::uint32_t count = 0;        ///< children in progress, or retries made
  std::uint32_t record = kNone;
  EffectId effect = 0;
  TimerId timer = 0;          ///< wait, retry delay, limit of an attempt
  TimerId timeout_timer = 0;  ///< `timeout`
  TimePoint started_at{};
  dsl::Flow flow;

  json::Value raw_input;
  json::Value input;
  json::Value output;   ///< of the body, then transformed; of a list: the data that goes through it
  json::Value error;    ///< what it faulted with, or the answer of a failed effect
  json::Value locals;   ///< `for`: items; `listen`: what was consumed; `emit`: the event
  json::Value extra;    ///< `listen`: correlation keys; list: value of its first variable (item, error)
  json::Value context;  ///< where `owns_context`
  std::vector<Child> children;
  std::vector<AgentState> agent;         ///< of an agent: one
  std::uint64_t cursor = 0;              ///< `listen`: first message not yet looked at; `try`: first `Finished` that may be its own
  const dsl::TaskList* tasks = nullptr;  ///< list: what it runs; derived from owner and role
};

/// The root of what undoes a task.
[[nodiscard]] inline bool is_undo(const Activation& act) { return act.kind == Kind::list && act.role == ListRole::undo; }

enum class TimerUse : std::uint8_t { wait, retry, child_retry, timeout, attempt_limit, run_timeout, approval, agent_time };

struct PendingTimer {
  ActivationId activation = kNone;
  TimerUse use = TimerUse::wait;
  std::uint32_t number = 0;  ///< child_retry: which child; approval: which one
  TimePoint due{};
};

struct PendingEffect {
  ActivationId activation = kNone;
  bool begun = false;
  bool is_probe = false;  ///< not the task's call: one that finds out what became of it
  json::Value arguments;
};

/// Of an activation that asked people. Decided ones stay until their work item comes up.
struct PendingApproval {
  ActivationId activation = kNone;
  std::uint32_t number = 0;  ///< as whoever asked tells several apart
  TimerId timer = 0;
  TimePoint asked_at{};
  ApprovalRequest request;
  json::Value decision;  ///< null: open
};

/// Something to be done for an activation. Stale items (the slot has another user by now) are dropped.
struct WorkItem {
  enum class Op : std::uint8_t { start, ended, answered, due, poll, decided, interrupted };
  ActivationId activation = kNone;
  std::uint32_t serial = 0;
  Op op = Op::start;
  TimerUse use = TimerUse::wait;
  std::uint32_t number = 0;
};

/// What an activation ended with, handed to its parent.
struct Ended {
  std::uint32_t number = 0;
  std::uint32_t max_attempt = 1;
  ListRole role = ListRole::body;
  Ending ending = Ending::completed;
  bool owns_context = false;
  dsl::Flow flow;
  json::Value output;
  json::Value error;
  json::Value context;
};

/// Messages that arrived and were not consumed yet, in order of arrival.
struct Mailbox {
  struct Message {
    std::uint64_t number = 0;
    json::Value event;
  };
  std::vector<Message> messages;
  std::uint64_t next_number = 1;
  std::vector<std::string> seen;  ///< `source` and `id` of those that arrived, oldest first, from `seen_from` on
  std::size_t seen_from = 0;
  std::unordered_set<std::string> known;  ///< the same as a set; derived

  /// False where `key` is known already. Forgets the oldest beyond `limit`.
  bool remember(std::string key, std::size_t limit);
};

/// A finished task that can be undone, and what undoing it needs.
struct Finished {
  enum class Status : std::uint8_t { done, undone, failed };
  Status status = Status::done;
  dsl::TaskIndex task = dsl::kNoTask;
  std::vector<std::uint32_t> iteration;
  std::uint32_t attempt = 0;  ///< highest number that undoing it has used; 0: that has not begun
  std::uint64_t bytes = 0;    ///< about what is kept here
  bool is_untold = false;     ///< failed, and no error that the workflow can catch has told of it
  TimePoint started_at{};
  json::Value input;
  json::Value output;
  json::Value context;    ///< as the task left it
  json::Value variables;  ///< object: of the loops and handlers around it
  json::Value error;      ///< failed: why
};

/// Where a run stood when it faulted or was cancelled: enough to start again from there.
struct FaultPoint {
  enum class Restart : std::uint8_t { nothing, child, children, output };
  std::vector<Activation> chain;  ///< root list first; slots and timers in it mean nothing any more
  Restart restart = Restart::nothing;
  std::uint32_t number = 0;  ///< child: which one of the last activation in the chain
  json::Value raw_input;     ///< child: what it had
};

/// What is to be done when the main part of a run is over, and what that came to.
struct WindUp {
  enum class Stage : std::uint8_t { main, undoing, finally };
  Stage stage = Stage::main;
  bool undid = false;         ///< the run's compensations have begun: its main part cannot go on any more
  bool has_closed = false;    ///< `finally` has run
  std::uint32_t attempt = 0;  ///< highest number that `finally` has used
  // Of the main part:
  Phase ending = Phase::pending;
  json::Value output;
  json::Value error;
  json::Value context;
  FaultPoint point;
  std::uint32_t record = kNone;
  std::vector<Finished> finished;      ///< in the order in which they did
  std::uint64_t bytes = 0;             ///< about what is kept in `finished`
  std::vector<ActivationId> adrift{};  ///< lists that undo something, and go on though what was around them has ended
};

}  // namespace pawl::engine::detail
