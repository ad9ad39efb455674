/// The machine's inside: the control loop, the table of activations and one member function per thing that can happen to a task.
///
/// Control never recurses: whatever starts, ends or is answered becomes a `WorkItem`, and `drain` takes them in order until nothing is left
/// to do or the run is suspended. Member functions are defined in the file that is named after what they do (`for_task.cpp`,
/// `lifecycle.cpp`, `run_control.cpp` ...).
///
/// Conventions: a function that takes an `Activation&` and returns bool answers false when it has made that task fault; the caller then
/// returns at once. After `end`, `fault` or `complete_body` an activation must not be touched any more.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/machine/detail/scope.hpp"
#include "engine/machine/detail/state.hpp"
#include "engine/machine/machine.hpp"

namespace pawl::engine::detail {

class Core {
 public:
  Core(dsl::PlanPtr plan, RunInfo info, const MachineLimits& limits);

  [[nodiscard]] bool begin(const Event& event, std::vector<Action>& actions, const Machine::Pause& pause);
  [[nodiscard]] bool go_on(std::vector<Action>& actions, const Machine::Pause& pause);
  [[nodiscard]] std::string waiting_reason() const;
  [[nodiscard]] std::vector<StartEffect> pending_effects() const;
  [[nodiscard]] bool has_begun(EffectId effect) const;
  [[nodiscard]] bool is_probe(EffectId effect) const;
  [[nodiscard]] std::vector<SetTimer> pending_timers() const;
  [[nodiscard]] std::vector<RequestApproval> pending_approvals() const;
  [[nodiscard]] std::vector<std::string> listens() const;
  [[nodiscard]] Result<void> check_retry(const RetryRequested& request) const;
  [[nodiscard]] json::Value snapshot() const;
  [[nodiscard]] Result<void> restore(const json::Value& snapshot);

  [[nodiscard]] const dsl::Task& task_of(const Activation& act) const { return plan->task(act.task); }
  [[nodiscard]] const Activation* parent_of(const Activation& act) const {
    return act.parent == kNone ? nullptr : activations[act.parent].get();
  }
  [[nodiscard]] const json::Value& context_of(const Activation& act) const { return activations[act.context_owner]->context; }

  // ---- what a snapshot holds ----
  const dsl::PlanPtr plan;
  RunInfo info;
  MachineLimits limits;
  std::uint32_t rules = 0;  // event.hpp
  Phase phase = Phase::pending;
  bool suspended = false;
  json::Value input;           // raw, of the workflow
  json::Value workflow_input;  // transformed
  json::Value output;
  json::Value error;
  TimePoint started_at{};
  std::optional<TimePoint> ended_at;
  TimePoint now{};
  std::vector<TaskRecord> records;
  std::uint64_t records_dropped = 0;
  std::vector<std::unique_ptr<Activation>> activations;  // by id; null or not live where free
  std::vector<ActivationId> free_slots;
  std::uint32_t next_serial = 1;
  std::uint32_t live = 0;
  ActivationId root = kNone;
  std::vector<WorkItem> queue;
  std::size_t queue_head = 0;
  std::map<EffectId, PendingEffect> effects;
  std::map<TimerId, PendingTimer> timers;
  std::map<ApprovalId, PendingApproval> approvals;
  EffectId next_effect = 1;
  TimerId next_timer = 1;
  ApprovalId next_approval = 1;
  std::vector<ActivationId> listeners;  // in order of subscription
  std::unique_ptr<Mailbox> mailbox;
  FaultPoint fault_point;
  std::uint32_t fault_record = kNone;  // record of the task where the latest fault began
  WindUp wind_up;

 private:
  // run.cpp: events and the control loop
  void handle(const RunStarted& event);
  void handle(const RunQueued& event);
  void handle(const RunAdmitted& event);
  void handle(const EffectBegun& event);
  void handle(const EffectSucceeded& event);
  void handle(const EffectFailed& event);
  void handle(const EffectInterrupted& event);
  void handle(const ApprovalDecided& event);
  void handle(const TimerFired& event);
  void handle(const MessageArrived& event);
  void handle(const CancelRequested& event);
  void handle(const SuspendRequested& event);
  void handle(const ResumeRequested& event);
  void handle(const RetryRequested& event);
  [[nodiscard]] bool drain(const Machine::Pause& pause);
  void dispatch(Activation& act, const WorkItem& item);
  void timer_due(Activation& act, TimerUse use, std::uint32_t number);
  void announce();
  void answer(EffectId effect, const json::Value& output, const json::Value& failure, const std::vector<LogLine>& logs);
  void begin_run();
  void complete_run(json::Value result);
  void fault_run(json::Value problem);
  void end_run(const Activation& from, const json::Value& result);
  void drop_all();
  void close(Phase final_phase);

  // wind_up.cpp: what comes after the main part
  [[nodiscard]] bool is_undoing(const Activation& act) const;
  void note_finished(const Activation& act);
  void end_main(Phase ending, json::Value problem);
  void take_answers();
  void undo_next();
  void start_undo(Activation* parent, std::uint32_t number);
  void set_adrift(Activation& list);
  void move_holds(const Activation& list, bool is_away);
  [[nodiscard]] bool take_back(Activation* parent, std::uint32_t number);
  void drifted(Activation& list);
  void undone(std::uint32_t number, json::Value problem);
  void start_finally();
  void part_ended(json::Value problem);
  void break_off(json::Value problem);
  void finish(Phase last, json::Value problem);
  [[nodiscard]] json::Value undo_failures(const Activation* within) const;
  [[nodiscard]] bool hides_failures() const;
  void tell_failures();
  [[nodiscard]] bool stands_below(const Finished& entry, const Activation& act) const;
  [[nodiscard]] bool lies_in(const Finished& entry, const Activation& act) const;
  [[nodiscard]] Result<void> check_undo_again(const RetryRequested& request) const;
  void undo_again();

  // table.cpp: activations, effects, timers
  Activation& create(Kind kind, Activation* parent, std::uint32_t number);
  void adopt(Activation& parent, Activation& child);
  void detach(Activation& act);
  void release(Activation& act);
  void cancel_children(Activation& act);
  void cancel_subtree(Activation& act);
  void stop_waiting(Activation& act);
  void push(const Activation& act, WorkItem::Op op, TimerUse use = TimerUse::wait, std::uint32_t number = 0);
  void start_effect(Activation& act, json::Value arguments, bool is_probe = false);
  [[nodiscard]] StartEffect describe_effect(EffectId effect, const PendingEffect& pending) const;
  TimerId set_timer(const Activation& act, Millis delay, TimerUse use, std::uint32_t number = 0);
  void cancel_timer(TimerId& timer);
  [[nodiscard]] StepKey step_key(const Activation& act) const;
  [[nodiscard]] std::vector<std::uint32_t> iteration_of(const Activation& act) const;
  [[nodiscard]] std::string reference_of(const Activation& act) const;
  [[nodiscard]] Activation* find(const WorkItem& item);

  // records.cpp
  void open_record(Activation& act);
  void close_record(const Activation& act, TaskStatus status);
  void add_record(const Activation& graph, dsl::TaskIndex task, TaskStatus status, const json::Value& problem = {});
  void set_record_status(const Activation& act, TaskStatus status);
  void mark_dirty(std::uint32_t record);
  void index_failed_records();

  // lifecycle.cpp
  void begin_task(Activation& act);
  bool arm_timeout(Activation& act);
  void run_before(Activation& act);
  void start_body(Activation& act);
  void complete_body(Activation& act, json::Value result);
  void run_after(Activation& act);
  void finish_task(Activation& act);
  void end(Activation& act, Ending ending);
  void settle(Activation& act);
  void child_ended(Activation& act, Ended& ended);

  // errors.cpp
  void fault(Activation& act, json::Value problem);
  void fault_keeping_instance(Activation& act, json::Value problem, FaultPoint::Restart restart);
  void propagate(Activation& act, json::Value problem);
  void remember_fault(const Activation& act, FaultPoint::Restart restart);
  [[nodiscard]] bool is_absorbed(const Activation& act) const;
  bool accept(Activation& act, json::Value value, json::Value& result);
  bool evaluate(Activation& act, const dsl::Template& source, const json::Value& dot, const TaskScope& scope, json::Value& result);
  bool evaluate(Activation& act, const dsl::Expression& source, const json::Value& dot, const TaskScope& scope, json::Value& result);
  bool evaluate(Activation& act, const dsl::Template& source, json::Value& result);
  bool test(Activation& act, const dsl::Expression& source, const json::Value& dot, const TaskScope& scope, bool& result);
  bool evaluate_duration(Activation& act, const dsl::Template& source, const json::Value& dot, const TaskScope& scope, Millis& result);
  bool validate(Activation& act, const std::optional<dsl::Schema>& schema, const json::Value& value, std::string_view what);

  // list.cpp
  Activation& open_list(Activation& owner, ListRole role, std::uint32_t number, json::Value data, json::Value variable = {});
  void step_list(Activation& list);
  void list_child_ended(Activation& list, Ended& ended);
  [[nodiscard]] const dsl::TaskList& list_of(const Activation& list) const;
  void set_context(Activation& act, json::Value context);
  static void merge_context(json::Value& target, const json::Value& base, const json::Value& branch);

  // one file each: set_task.cpp, do_task.cpp, ...
  void start(Activation& act, const dsl::SetTask& body);
  void start(Activation& act, const dsl::DoTask& body);
  void start(Activation& act, const dsl::SwitchTask& body);
  void start(Activation& act, const dsl::ForTask& body);
  void start(Activation& act, const dsl::ForkTask& body);
  void start(Activation& act, const dsl::TryTask& body);
  void start(Activation& act, const dsl::RaiseTask& body);
  void start(Activation& act, const dsl::WaitTask& body);
  void start(Activation& act, const dsl::EmitTask& body);
  void start(Activation& act, const dsl::ListenTask& body);
  void start(Activation& act, const dsl::CallTask& body);
  void start(Activation& act, const dsl::InvokeTask& body);
  void start(Activation& act, const dsl::GraphTask& body);
  void start(Activation& act, const dsl::AgentTask& body);

  void ended_in(Activation& act, const dsl::DoTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::ForTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::ForkTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::TryTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::ListenTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::CallTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::InvokeTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::GraphTask& body, Ended& ended);
  void ended_in(Activation& act, const dsl::AgentTask& body, Ended& ended);

  // approval.cpp: any task may ask people. `ask`, and when they have decided `decided_in(act, body, number, decision)` of its body is
  // called with `{approved, decision, by?, comment?, data?, decided_at}`. Whatever else ends the task withdraws the question.
  ApprovalId ask(Activation& act, ApprovalRequest request, std::uint32_t number = 0);
  /// From arguments like those of `call: approval`; makes the task fault where they are no question.
  bool read_request(Activation& act, const json::Value& arguments, ApprovalRequest& request);
  void close_approval(ApprovalId approval, CloseApproval closing);
  void withdraw_approvals(const Activation& act);
  void approval_due(ApprovalId approval);
  void decided(Activation& act, ApprovalId approval);
  void decided_in(Activation& act, const dsl::CallTask& body, std::uint32_t number, const json::Value& decision);

  // unknown.cpp: what became of a call that a crash interrupted
  void outcome_unknown(Activation& act);
  void probed(Activation& act, const dsl::OnUnknown& policy);
  void told(Activation& act, const json::Value& decision);
  void repeat_call(Activation& act);
  void stays_unknown(Activation& act, std::string_view why);
  void note(const Activation& act, std::string text);

  void answered(Activation& act);
  void call_gave(Activation& act, const dsl::CallTask& call, json::Value result);
  void next_item(Activation& act);
  bool finish_item(Activation& act, const dsl::ForeachClause& foreach, Ended& ended);
  void next_round(Activation& act, const dsl::ForTask& body);
  void start_rounds(Activation& act, const dsl::ForTask& body);
  void open_round(Activation& act, std::uint32_t number);
  bool round_wanted(Activation& act, const dsl::ForTask& body, const json::Value& data, bool& wanted);
  void start_branch(Activation& act, const dsl::ForkTask& body, std::uint32_t number);
  void join_branches(Activation& act);
  void start_attempt(Activation& act, const dsl::TryTask& body);
  void attempt_failed(Activation& act, const dsl::TryTask& body, json::Value problem);
  void undo_attempt(Activation& act, const dsl::TryTask& body);
  void deal_with(Activation& act, const dsl::TryTask& body, json::Value problem);
  void catch_error(Activation& act, const dsl::TryTask& body, json::Value problem);
  bool is_caught(Activation& act, const dsl::CatchClause& handler, const json::Value& problem, bool& caught);

  /// Whether and after what delay to try again; nothing: the policy does not want another attempt.
  struct RetryQuestion {
    const dsl::RetryPolicy& policy;
    std::string_view error_name;
    const json::Value& problem;
    std::uint32_t retries = 0;
    TimePoint first_started{};
    std::uint32_t salt = 0;
  };
  bool ask_retry(Activation& act, const RetryQuestion& question, std::optional<Millis>& delay);

  void advance_graph(Activation& act, const dsl::GraphTask& body);
  void settle_node(Activation& act, const dsl::GraphTask& body, std::uint32_t number, Child::Status status, json::Value problem = {});
  void start_node(Activation& act, const dsl::GraphTask& body, std::uint32_t number);
  void node_failed(Activation& act, const dsl::GraphTask& body, std::uint32_t number, json::Value problem);
  void reset_nodes(Activation& act, const dsl::GraphTask& body, std::uint32_t number);
  [[nodiscard]] json::Value graph_outputs(const Activation& act, const dsl::GraphTask& body) const;

  // agent_task.cpp: the loop
  void start_agent_step(Activation& act);
  bool read_settings(Activation& act, const dsl::AgentTask& body);
  [[nodiscard]] const Activation* agent_above(const Activation& act) const;
  void next_turn(Activation& act, const dsl::AgentTask& body);
  void ask_model(Activation& act, const dsl::AgentTask& body);
  void open_turn(Activation& act, const dsl::AgentTask& body, json::Value news);
  [[nodiscard]] json::Value turn_arguments(const Activation& act, const dsl::AgentTask& body) const;
  void turn_failed(Activation& act, const dsl::AgentTask& body, json::Value problem);
  void turn_answered(Activation& act, const dsl::AgentTask& body, const json::Value& reply);
  void answer_found(Activation& act, const dsl::AgentTask& body, const json::Value& reply);
  void repair_turn(Activation& act, const dsl::AgentTask& body, std::string complaint);
  void budget_exhausted(Activation& act, std::string_view which, std::string detail);
  void finish_agent(Activation& act, std::string_view reason, json::Value result = {});
  void agent_out_of_time(Activation& act);
  void restart_agent(Activation& act, std::uint32_t number, const json::Value& raw_input);
  [[nodiscard]] std::optional<std::uint32_t> agent_child_named(const Activation& act, std::vector<std::uint32_t> rounds,
                                                               std::string_view reference) const;
  void agent_step_failed(const Activation& act);
  // agent_budget.cpp: what is set aside before a request, and what became of it
  /// Of an agent and those above: what the request takes is set aside; or it has to wait for what others have set aside; or there is no
  /// room for it, and `shortage` says why.
  enum class Room : std::uint8_t { made, waits, none };
  struct Need {
    std::uint64_t prompt = 0;  ///< tokens, at most
    std::uint64_t wanted = 0;  ///< of the answer; 0: nothing is said
    std::uint64_t least = 0;
    std::string model;
  };
  struct Shortage {
    std::string_view of;
    std::string detail;
  };
  [[nodiscard]] Room make_room(Activation& act, const Need& need, Shortage& shortage);
  void share_budget(Activation& act);
  void settle_request(const Activation& act, const json::Value& reply, const std::string& model);
  void drop_request(const Activation& act, const std::optional<Hold>& charged);
  void let_waiting_go_on();
  void go_on_waiting(Activation& act);
  void count_step(const Activation& act);
  [[nodiscard]] std::uint64_t steps_left(const Activation& act) const;
  [[nodiscard]] bool is_limited(const Activation& act) const;
  [[nodiscard]] json::Value allowance_of(const Activation& act, std::uint64_t prompt) const;
  static void take_over(AgentState& agent);

  // agent_memory.cpp: what is summed up, and what is kept between runs
  bool open_recall(Activation& act);
  bool open_remember(Activation& act, json::Value& answer);
  bool open_summary(Activation& act);
  [[nodiscard]] Room room_for_summary(Activation& act, std::size_t text_bytes);
  [[nodiscard]] json::Value summary_arguments(const Activation& act, const json::Value& given) const;
  bool begin_aside(Activation& act, dsl::TaskIndex step);
  void open_aside(Activation& act, json::Value given);
  void aside_ended(Activation& act, const dsl::AgentTask& body, Ended& ended);
  void take_summary(Activation& act, const json::Value& reply);
  void restart_aside(Activation& act, const json::Value& raw_input);
  [[nodiscard]] json::Value aside_input(const Activation& act) const;
  void count_usage(const Activation& act, const json::Value& reply);
  // agent_calls.cpp: the tools
  void begin_calls(Activation& act, const dsl::AgentTask& body, const json::Value& calls);
  void judge_call(Activation& act, const dsl::AgentTask& body, std::uint32_t number);
  void refuse_call(Activation& act, const dsl::AgentTask& body, std::uint32_t number, std::string_view kind, std::string detail);
  [[nodiscard]] bool must_be_approved(const Activation& act, const dsl::AgentTask& body, const dsl::AgentTool& tool,
                                      const json::Value& call) const;
  void advance_calls(Activation& act, const dsl::AgentTask& body);
  void open_call(Activation& act, const dsl::AgentTask& body, std::uint32_t number);
  void call_ended(Activation& act, const dsl::AgentTask& body, Ended& ended);
  void calls_settled(Activation& act, const dsl::AgentTask& body);

  void poll_messages(Activation& act);
  bool take_message(Activation& act, const dsl::ListenTask& body, const json::Value& event, bool& taken);
  bool matches(Activation& act, const dsl::EventFilter& filter, const json::Value& event, bool& matched);
  bool correlates(Activation& act, const dsl::EventFilter& filter, const json::Value& event, bool& matched);
  [[nodiscard]] bool attribute_matches(Activation& act, const dsl::Template& wanted, const json::Value& value);
  void message_consumed(Activation& act, const dsl::ListenTask& body);
  void finish_listen(Activation& act, const dsl::ListenTask& body);
  void stop_listening(Activation& act);

  // run_control.cpp
  struct RestartPoint {
    std::size_t depth = 0;  ///< activations of the chain that are kept
    FaultPoint::Restart restart = FaultPoint::Restart::child;
    std::uint32_t number = 0;
    json::Value raw_input;
  };
  void remember_where();
  [[nodiscard]] static std::vector<std::uint32_t> rounds_in(const std::vector<Activation>& chain, std::size_t depth);
  [[nodiscard]] std::optional<RestartPoint> find_restart(const RetryRequested& request) const;
  void rebuild_chain(const RestartPoint& point);
  void restart_children(Activation& act, std::uint32_t kept);
  void restart_child(Activation& act, std::uint32_t number, const json::Value& raw_input);
  Activation& start_beside(Activation& act, std::uint32_t number);
  [[nodiscard]] bool stops_at(const Activation& act);
  void rearm_limit(Activation& act);

  // gates.cpp: approvals that a retry or a fork may not walk around
  [[nodiscard]] Result<void> check_gates(const RestartPoint& point, const RetryRequested& request) const;
  [[nodiscard]] const TaskRecord* last_record(dsl::TaskIndex task, const std::vector<std::uint32_t>& rounds) const;
  [[nodiscard]] bool has_passed(dsl::TaskIndex gate, const std::vector<std::uint32_t>& rounds) const;

  // What the current event has to tell; empty between events.
  std::vector<Action>* actions_ = nullptr;
  std::size_t first_action_ = 0;
  EffectId first_effect_ = 1;  // of this event: cancelling such a one takes its start back instead
  TimerId first_timer_ = 1;
  std::uint32_t transitions_ = 0;
  bool overflow_ = false;
  bool listens_changed_ = false;
  Phase announced_ = Phase::pending;
  std::vector<std::uint32_t> dirty_records_;
  std::vector<bool> record_is_dirty_;
  // Task and iteration -> record of an execution that did not complete: the next attempt goes on in that record.
  std::map<std::pair<dsl::TaskIndex, std::vector<std::uint32_t>>, std::uint32_t> failed_records_;
  std::optional<dsl::Expression> regular_expression_;
  // Of a fork that has not come to its place yet. Within one call of the runtime, so in no snapshot.
  std::vector<std::string> stops_;
};

/// Limit of what one expression, or a run's input or output, may come to as JSON text.
inline constexpr std::size_t kMaxValueBytes = 32U << 20U;

/// About what is kept to undo finished tasks, as JSON; beyond it the next one that could be undone faults before it starts.
inline constexpr std::uint64_t kMaxUndoableBytes = 256U << 20U;

/// What people are to judge must be something that a person can look at; and it lies in the inbox once more.
inline constexpr std::size_t kMaxApprovalData = 256U << 10U;

/// Error `run.newer_rules`.
[[nodiscard]] Error newer_rules(std::uint64_t rules);

/// Error objects of kind `expression` and `validation` (status 400). `source`: the expression's text, may be empty; `what`: "input",
/// "output" ...
[[nodiscard]] json::Value too_large_error();
[[nodiscard]] json::Value expression_error(const Error& error, std::string_view source);
[[nodiscard]] json::Value validation_error(const Findings& findings, std::string_view what);

}  // namespace pawl::engine::detail
