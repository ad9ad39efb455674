// The control loop: an event comes in, work is done until none is left, what changed is announced.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"
#include "engine/machine/dry_run.hpp"
#include "json/size.hpp"

namespace pawl::engine::detail {

Core::Core(dsl::PlanPtr plan_of_run, RunInfo run_info, const MachineLimits& run_limits)
    : plan(std::move(plan_of_run)), info(std::move(run_info)), limits(run_limits) {}

bool Core::begin(const Event& event, std::vector<Action>& actions, const Machine::Pause& pause) {
  const bool revives = std::holds_alternative<RetryRequested>(event.body);
  if (is_final(phase) && !revives) return true;
  actions_ = &actions;
  first_action_ = actions.size();
  first_effect_ = next_effect;
  first_timer_ = next_timer;
  now = event.at;
  transitions_ = 0;
  std::visit([this](const auto& body) { handle(body); }, event.body);
  return go_on(actions, pause);
}

bool Core::go_on(std::vector<Action>& actions, const Machine::Pause& pause) {
  actions_ = &actions;
  const bool done = drain(pause);
  if (done) announce();
  actions_ = nullptr;
  return done;
}

/// Returns false where it stopped because `pause` said so.
bool Core::drain(const Machine::Pause& pause) {
  while (queue_head < queue.size() && !suspended && !is_final(phase)) {
    const WorkItem item = queue[queue_head++];
    Activation* act = find(item);
    if (act == nullptr) continue;
    if (++transitions_ > limits.max_transitions) {
      remember_where();
      transitions_ = 0;  // what winds the run up has a number of its own
      fault_run(
          make_error("runtime", 500, "Too many steps",
                     fmt::format("The run made more than {} control transitions without waiting for anything.", limits.max_transitions)));
      continue;
    }
    dispatch(*act, item);
    if (std::exchange(overflow_, false) && !is_final(phase)) {
      remember_where();
      fault_run(make_error("runtime", 500, "Too many tasks in progress",
                           fmt::format("The run had more than {} tasks in progress at once.", limits.max_activations)));
    }
    if (queue_head == queue.size() || queue_head > 4096) {
      queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(queue_head));
      queue_head = 0;
    }
    if (pause && queue_head < queue.size() && !is_final(phase) && pause()) return false;
  }
  overflow_ = false;
  return true;
}

void Core::dispatch(Activation& act, const WorkItem& item) {
  switch (item.op) {
    case WorkItem::Op::start:
      if (!stops_.empty() && stops_at(act)) return;
      return begin_task(act);
    case WorkItem::Op::ended: return settle(act);
    case WorkItem::Op::answered: return answered(act);
    case WorkItem::Op::poll: return act.agent.empty() ? poll_messages(act) : go_on_waiting(act);
    case WorkItem::Op::decided: return decided(act, item.number);
    case WorkItem::Op::interrupted: return outcome_unknown(act);
    case WorkItem::Op::due: return timer_due(act, item.use, item.number);
  }
}

void Core::timer_due(Activation& act, TimerUse use, std::uint32_t number) {
  if (act.step == Step::ended) return;  // it ended in the same moment, before this
  switch (use) {
    case TimerUse::wait: return complete_body(act, act.input);
    case TimerUse::retry: return start_attempt(act, std::get<dsl::TryTask>(task_of(act).body));
    case TimerUse::child_retry: {
      act.children[number].status = Child::Status::pending;
      return advance_graph(act, std::get<dsl::GraphTask>(task_of(act).body));
    }
    case TimerUse::timeout:
      return fault(act, make_error("timeout", 408, "Timeout", fmt::format("The task `{}` did not end in time.", task_of(act).name)));
    case TimerUse::attempt_limit: {
      auto& owner = *activations[act.parent];
      cancel_subtree(act);
      auto problem =
          make_error("timeout", 408, "Timeout", fmt::format("An attempt of the task `{}` did not end in time.", task_of(owner).name));
      problem.set("instance", task_of(owner).reference);
      remember_fault(owner, FaultPoint::Restart::child);
      return attempt_failed(owner, std::get<dsl::TryTask>(task_of(owner).body), std::move(problem));
    }
    case TimerUse::approval: return;  // decided when it fired
    case TimerUse::agent_time: return agent_out_of_time(act);
    case TimerUse::run_timeout: {
      remember_where();
      auto problem = make_error("timeout", 408, "Timeout", "The run did not end in time.");
      problem.set("instance", "/timeout");
      return fault_run(std::move(problem));
    }
  }
}

/// Tells what changed: records first, the phase last.
void Core::announce() {
  for (const auto record : dirty_records_) {
    record_is_dirty_[record] = false;
    actions_->push_back(RecordChanged{record});
  }
  dirty_records_.clear();
  if (listens_changed_) actions_->push_back(ListenChanged{});
  listens_changed_ = false;
  if (!is_final(phase) && root != kNone) {
    phase = suspended ? Phase::suspended : effects.empty() ? Phase::waiting : Phase::running;
    PAWL_ASSERT(suspended || !effects.empty() || !timers.empty() || !listeners.empty() || !approvals.empty(),
                "an unfinished run waits for something");
  }
  if (phase != announced_) actions_->push_back(PhaseChanged{phase});
  announced_ = phase;
}

// ---- events -------------------------------------------------------------------------------------------------------------------

void Core::handle(const RunStarted& event) {
  if (phase != Phase::pending || root != kNone) return;
  rules = event.rules;
  if (rules > kRules) return;
  input = event.input.is_null() ? json::Value::object() : event.input;
  started_at = now;
  begin_run();
}

void Core::handle(const RunQueued& event) {
  if (phase != Phase::pending || root != kNone) return;
  rules = event.rules;
  if (rules > kRules) return;
  input = event.input.is_null() ? json::Value::object() : event.input;
}

void Core::handle(const RunAdmitted& /*event*/) { handle(RunStarted{input, rules}); }

void Core::handle(const EffectBegun& event) {
  const auto found = effects.find(event.effect);
  if (found != effects.end()) found->second.begun = true;
}

void Core::handle(const EffectSucceeded& event) { answer(event.effect, event.output, {}, event.logs); }

void Core::handle(const EffectFailed& event) {
  const bool usable = event.error.is_object();
  answer(event.effect, {}, usable ? event.error : make_error("runtime", 500, "Failed without an error", {}), event.logs);
}

void Core::answer(EffectId effect, const json::Value& result, const json::Value& failure, const std::vector<LogLine>& logs) {
  const auto found = effects.find(effect);
  if (found == effects.end()) return;
  auto& act = *activations[found->second.activation];
  effects.erase(found);
  act.effect = 0;
  act.output = result;
  act.error = failure;
  if (act.record != kNone && !logs.empty()) {
    auto& lines = records[act.record].logs;
    lines.insert(lines.end(), logs.begin(), logs.end());
    mark_dirty(act.record);
  }
  push(act, WorkItem::Op::answered);
}

void Core::handle(const TimerFired& event) {
  const auto found = timers.find(event.timer);
  if (found == timers.end()) return;
  const auto pending = found->second;
  timers.erase(found);
  auto& act = *activations[pending.activation];
  if (act.timer == event.timer) act.timer = 0;
  if (act.timeout_timer == event.timer) act.timeout_timer = 0;
  if (pending.use == TimerUse::child_retry) act.children[pending.number].timer = 0;
  if (pending.use == TimerUse::approval) return approval_due(pending.number);
  push(act, WorkItem::Op::due, pending.use, pending.number);
}

// ---- beginning and end --------------------------------------------------------------------------------------------------------

void Core::begin_run() {
  auto& list = create(Kind::list, nullptr, 0);
  root = list.id;
  list.role = ListRole::root;
  list.owns_context = true;
  list.context_owner = list.id;
  list.tasks = &plan->root;
  list.context = input;
  const auto refuse = [this](json::Value problem, std::string_view instance) {
    problem.set("instance", instance);
    fault_point = {};
    fault_record = kNone;
    fault_run(std::move(problem));
  };
  if (plan->input.schema) {
    const auto findings = plan->input.schema->validate(input);
    if (!findings.empty()) return refuse(validation_error(findings, "input"), "/input");
  }
  workflow_input = input;
  if (plan->input.from) {
    auto transformed = plan->input.from->evaluate(input, TaskScope(*this, nullptr, input));
    if (transformed.has_error()) return refuse(expression_error(transformed.error(), {}), "/input");
    workflow_input = std::move(transformed).value();
    if (json::larger_than(workflow_input, kMaxValueBytes)) return refuse(too_large_error(), "/input");
  }
  std::optional<Millis> time;
  if (info.dry_run) time = kDryRunTime;
  if (plan->timeout) {
    const auto value = plan->timeout->evaluate(workflow_input, TaskScope(*this, nullptr, workflow_input));
    const auto limit = value.has_value() ? dsl::to_duration(value.value()) : Result<Millis>(value.error());
    if (limit.has_error()) return refuse(expression_error(limit.error(), {}), "/timeout");
    time = std::min(time.value_or(*limit), *limit);
  }
  if (time) list.timeout_timer = set_timer(list, *time, TimerUse::run_timeout);
  list.context = workflow_input;
  list.output = workflow_input;
  step_list(list);
}

void Core::complete_run(json::Value result) {
  if (wind_up.stage != WindUp::Stage::main) return part_ended({});
  auto& list = *activations[root];
  const auto refuse = [&](json::Value problem) {
    problem.set("instance", "/output");
    remember_fault(list, FaultPoint::Restart::output);
    fault_point.raw_input = result;
    fault_run(std::move(problem));
  };
  auto transformed = result;
  if (plan->output.as) {
    auto evaluated = plan->output.as->evaluate(result, TaskScope(*this, &list, workflow_input).with_output(result));
    if (evaluated.has_error()) return refuse(expression_error(evaluated.error(), {}));
    transformed = std::move(evaluated).value();
  }
  if (json::larger_than(transformed, kMaxValueBytes)) return refuse(too_large_error());
  if (plan->output.schema) {
    const auto findings = plan->output.schema->validate(transformed);
    if (!findings.empty()) return refuse(validation_error(findings, "output"));
  }
  wind_up.output = std::move(transformed);
  end_main(Phase::completed, {});
}

void Core::fault_run(json::Value problem) {
  if (problem.find("instance") == nullptr) problem.set("instance", plan->task_list_form ? "/tasks" : "/do");
  if (wind_up.stage != WindUp::Stage::main) return part_ended(std::move(problem));
  end_main(Phase::faulted, std::move(problem));
}

/// `then: end`: the run completes with what `from` has, whatever is around it. What undoes an attempt of a `try` ends no more than itself.
void Core::end_run(const Activation& from, const json::Value& result) {
  for (const auto* place = &from; place != nullptr; place = parent_of(*place)) {
    auto& open = *activations[place->id];
    if (place->kind == Kind::list) {
      if (place->role != ListRole::undo || place->id == root) continue;
      cancel_children(open);
      return end(open, Ending::completed);
    }
    open.output = result;
    close_record(open, TaskStatus::completed);
    note_finished(open);
    open.step = Step::ended;  // not cancelled: it is through
  }
  complete_run(result);
}

/// Nothing stays in progress, but what is adrift.
void Core::drop_all() {
  if (root != kNone) cancel_subtree(*activations[root]);
  root = kNone;
  if (!wind_up.adrift.empty()) return;  // some of the queue may be its work; the rest is stale
  queue.clear();
  queue_head = 0;
}

/// The end of a run.
void Core::close(Phase final_phase) {
  phase = final_phase;
  suspended = false;
  ended_at = now;
  drop_all();
  for (const auto list : std::exchange(wind_up.adrift, {})) cancel_subtree(*activations[list]);
  queue.clear();
  queue_head = 0;
  wind_up.stage = WindUp::Stage::main;
  if (final_phase == Phase::completed) {
    mailbox.reset();
    fault_point = {};
    wind_up = {};
  }
  PAWL_ASSERT(live == 0 && effects.empty() && timers.empty() && listeners.empty() && approvals.empty(), "nothing is pending after the end");
}

}  // namespace pawl::engine::detail
