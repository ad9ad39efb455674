// What an operator does to a run: cancel, suspend, resume, retry.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

using Restart = FaultPoint::Restart;

/// Runs several things side by side, and knows which of them are done.
bool is_parallel(const dsl::Task& task) {
  if (const auto* loop = std::get_if<dsl::ForTask>(&task.body)) return loop->concurrency > 1;
  const auto& body = task.body;
  return std::holds_alternative<dsl::ForkTask>(body) || std::holds_alternative<dsl::GraphTask>(body) ||
         std::holds_alternative<dsl::AgentTask>(body);
}

}  // namespace

void Core::handle(const CancelRequested& event) {
  auto problem = make_error("runtime", 500, "Cancelled", event.reason.empty() ? std::string_view("The run was cancelled.") : event.reason);
  if (wind_up.stage == WindUp::Stage::main) {
    remember_where();
    return end_main(Phase::cancelled, std::move(problem));
  }
  if (!suspended || !event.by_person) return;  // it is ending already, and whoever asks may not know
  remember_where();
  break_off(std::move(problem));
}

/// Nothing is dispatched while suspended; answers, timers and messages become work that waits in the queue.
void Core::handle(const SuspendRequested& /*event*/) { suspended = root != kNone; }

void Core::handle(const ResumeRequested& /*event*/) { suspended = false; }

/// For a run that is ended from outside: down the tree as long as one thing is in progress, so that it can start again from there.
void Core::remember_where() {
  fault_point = {};
  fault_record = kNone;
  if (root == kNone) return;
  const Activation* place = activations[root].get();
  while (place->first_child != kNone && activations[place->first_child]->next_sibling == kNone) {
    fault_point.chain.push_back(*place);
    place = activations[place->first_child].get();
  }
  const bool keeps_children = place->kind == Kind::task && !place->children.empty() && is_parallel(task_of(*place));
  if (place->kind == Kind::list || keeps_children) {
    fault_point.chain.push_back(*place);
    fault_point.restart = place->kind == Kind::list ? Restart::output : Restart::children;
    fault_point.raw_input = place->output;
    return;
  }
  fault_point.restart = Restart::child;
  fault_point.number = place->number;
  fault_point.raw_input = place->raw_input;
}

/// Loop rounds, turns and calls from outside in, of what is below the first `depth` activations of a chain.
std::vector<std::uint32_t> Core::rounds_in(const std::vector<Activation>& chain, std::size_t depth) {
  std::vector<std::uint32_t> rounds;
  for (std::size_t i = 0; i < depth; ++i) {
    if (!chain[i].is_round) continue;
    if (i > 0 && !chain[i - 1].agent.empty()) rounds.push_back(chain[i - 1].position);  // an agent as a tool: which turn's call it is
    rounds.push_back(chain[i].number);
  }
  return rounds;
}

Result<void> Core::check_retry(const RetryRequested& request) const {
  if (phase != Phase::faulted && phase != Phase::cancelled) {
    return Error(ErrorClass::conflict, "run.not_retryable", "Only a run that faulted or was cancelled can be retried.");
  }
  if (wind_up.undid) return check_undo_again(request);
  if (const auto point = find_restart(request)) return check_gates(*point, request);
  return Error(ErrorClass::unprocessable, "run.unknown_task",
               fmt::format("The run cannot start again from `{}`: no such task in a list around the place where it ended.", request.from));
}

std::optional<Core::RestartPoint> Core::find_restart(const RetryRequested& request) const {
  const auto& chain = fault_point.chain;
  if (request.from.empty()) return RestartPoint{chain.size(), fault_point.restart, fault_point.number, fault_point.raw_input};
  for (std::size_t depth = chain.size(); depth > 0; --depth) {
    const auto& place = chain[depth - 1];
    std::vector<dsl::TaskIndex> tasks;
    if (!place.agent.empty()) {
      if (const auto number = agent_child_named(place, rounds_in(chain, depth), request.from))
        return RestartPoint{depth, Restart::child, *number, {}};
      continue;
    }
    if (place.kind == Kind::list) {
      tasks = list_of(place).tasks;
    } else if (const auto* fork = std::get_if<dsl::ForkTask>(&task_of(place).body)) {
      tasks = fork->branches;
    } else if (const auto* graph = std::get_if<dsl::GraphTask>(&task_of(place).body)) {
      for (const auto& node : graph->nodes) tasks.push_back(node.task);
    }
    const auto named = [&](dsl::TaskIndex task) { return plan->task(task).reference == request.from; };
    const auto found = std::find_if(tasks.begin(), tasks.end(), named);
    if (found == tasks.end()) continue;
    RestartPoint point{depth, Restart::child, static_cast<std::uint32_t>(found - tasks.begin()), {}};
    point.raw_input = place.kind == Kind::list ? place.output : place.input;
    const auto rounds = rounds_in(chain, depth);
    for (const auto& record : records) {
      if (record.task == *found && record.iteration == rounds) point.raw_input = record.input;
    }
    return point;
  }
  return std::nullopt;
}

void Core::handle(const RetryRequested& event) {
  // Before the run has started: where a fork is to go on. It stops there, as if it was cancelled, and waits for the next request.
  if (phase == Phase::pending && root == kNone) return stops_.push_back(event.from);
  if (check_retry(event).has_error()) return;
  if (wind_up.undid) return undo_again();
  auto point = *find_restart(event);
  if (point.depth > 0 && event.input) point.raw_input = *event.input;
  if (point.depth == 0 && event.input) input = *event.input;
  error = {};
  ended_at.reset();
  phase = Phase::running;
  wind_up.has_closed = false;
  if (!fault_point.chain.empty() && fault_point.chain.front().role == ListRole::finally) wind_up.stage = WindUp::Stage::finally;
  if (started_at == TimePoint{}) started_at = now;
  if (point.depth == 0) {  // it did not get as far as its first task
    fault_point = {};
    if (input.is_null()) input = json::Value::object();
    return begin_run();
  }
  rebuild_chain(point);
  fault_point = {};
  fault_record = kNone;
  Activation* last = activations[root].get();
  while (last->first_child != kNone) last = activations[last->first_child].get();
  const auto target = last->id;
  // Whatever else was in progress beside the chain begins again, from inside out.
  for (const auto* place = last; place->parent != kNone; place = parent_of(*place)) {
    auto& around = *activations[place->parent];
    if (around.kind == Kind::task && is_parallel(task_of(around))) restart_children(around, place->number);
  }
  auto& place = *activations[target];
  switch (point.restart) {
    case Restart::child: return restart_child(place, point.number, point.raw_input);
    case Restart::children: return restart_children(place, kNone);
    case Restart::output: place.output = point.raw_input; return end(place, Ending::completed);
    case Restart::nothing: break;
  }
  PAWL_ASSERT(false, "a chain says what of it starts again");
}

/// A fork takes over what the run before it has done up to here. What was done later is not known to it.
/// Nor does it undo what the other run has done: that is the other's.
bool Core::stops_at(const Activation& act) {
  const auto reference = reference_of(act);
  const bool is_last = reference == stops_.back();
  if ((!is_last && reference != stops_.front()) || is_undoing(act)) return false;
  if (is_last) {
    stops_.clear();
  } else {
    stops_.erase(stops_.begin());
  }
  remember_where();
  for (auto& place : fault_point.chain) {  // what is finished from here on is numbered anew
    if (place.kind == Kind::task && std::holds_alternative<dsl::TryTask>(task_of(place).body)) place.cursor = 0;
  }
  error = make_error("runtime", 500, "Forked", "The run goes on as a fork of another one.");
  error.set("instance", reference);
  started_at = {};  // it starts when it goes on
  wind_up.undid = false;
  wind_up.finished.clear();
  wind_up.bytes = 0;
  close(Phase::cancelled);
  return true;
}

/// Puts copies of the remembered activations back into the table. Everything below takes attempt numbers that were not used yet.
void Core::rebuild_chain(const RestartPoint& point) {
  std::uint32_t attempt = 1;
  for (const auto& old : fault_point.chain) attempt = std::max(attempt, old.max_attempt);
  for (const auto& record : records) attempt = std::max(attempt, record.attempt);
  ++attempt;
  Activation* parent = nullptr;
  for (std::size_t i = 0; i < point.depth; ++i) {
    auto& fresh = create(fault_point.chain[i].kind, parent, fault_point.chain[i].number);
    const Activation place = std::move(fresh);
    fresh = fault_point.chain[i];
    fresh.id = place.id;
    fresh.serial = place.serial;
    fresh.parent = place.parent;
    fresh.payer = kNone;
    fresh.first_child = kNone;
    fresh.next_sibling = kNone;
    fresh.previous_sibling = kNone;
    PAWL_ASSERT(fresh.owns_context || parent != nullptr, "the outermost activation of a run owns its context");
    fresh.context_owner = parent == nullptr || fresh.owns_context ? fresh.id : parent->context_owner;
    fresh.attempt = attempt;
    fresh.max_attempt = attempt;
    fresh.effect = 0;
    fresh.timer = 0;
    fresh.timeout_timer = 0;
    if (!fresh.agent.empty()) take_over(fresh.agent[0]);
    if (fresh.listening) {
      listeners.push_back(fresh.id);
      listens_changed_ = true;
    }
    for (auto& child : fresh.children) child.timer = 0;
    if (fresh.kind == Kind::list) fresh.tasks = &list_of(fresh);
    if (parent == nullptr) root = fresh.id;
    if (fresh.record != kNone) {
      auto& record = records[fresh.record];
      failed_records_.erase({record.task, record.iteration});
      record.status = TaskStatus::running;
      record.ended_at.reset();
      mark_dirty(fresh.record);
    }
    rearm_limit(fresh);
    parent = &fresh;
  }
}

/// Limits of time begin anew with a retry. They could be evaluated once, so a failure here does not happen; it would mean: no limit.
void Core::rearm_limit(Activation& act) {
  const auto arm = [&](const dsl::Template& source, const json::Value& dot, TimerId& timer, TimerUse use) {
    const auto value = source.evaluate(dot, TaskScope(*this, &act, dot));
    const auto limit = value.has_value() ? dsl::to_duration(value.value()) : Result<Millis>(value.error());
    if (limit.has_value()) timer = set_timer(act, limit.value(), use);
  };
  if (act.id == root) {
    if (plan->timeout && act.role == ListRole::root) arm(*plan->timeout, workflow_input, act.timeout_timer, TimerUse::run_timeout);
  } else if (act.kind == Kind::task) {
    if (!act.agent.empty()) {
      const auto limit = dsl::to_duration(act.agent[0].settings.get("budget").get("time"));
      if (limit.has_value()) act.timer = set_timer(act, limit.value(), TimerUse::agent_time);
    }
    if (task_of(act).timeout) arm(*task_of(act).timeout, act.input, act.timeout_timer, TimerUse::timeout);
  } else if (const auto* body = std::get_if<dsl::TryTask>(&task_of(act).body); body != nullptr && act.role == ListRole::body) {
    const auto& retry = body->handler.retry;
    if (retry && retry->attempt_duration) arm(*retry->attempt_duration, parent_of(act)->input, act.timer, TimerUse::attempt_limit);
  }
}

/// Begins again what of a parallel task did not complete, except child `kept`, which is in the chain.
void Core::restart_children(Activation& act, std::uint32_t kept) {
  const auto& body = task_of(act).body;
  act.count = kept == kNone ? 0 : 1;
  if (const auto* agent = std::get_if<dsl::AgentTask>(&body)) {
    if (act.children.empty()) return;  // a turn is under way: it is what is kept
    for (std::uint32_t i = 0; i < act.children.size(); ++i) {
      const bool is_open = act.children[i].status == Child::Status::running || act.children[i].status == Child::Status::delayed;
      if (i != kept && is_open) act.children[i].status = Child::Status::pending;
    }
    return advance_calls(act, *agent);
  }
  if (const auto* graph = std::get_if<dsl::GraphTask>(&body)) {
    Child chained;
    if (kept != kNone) chained = act.children[kept];
    reset_nodes(act, *graph, kNone);
    if (kept != kNone) act.children[kept] = chained;
    if (kept != kNone) act.children[kept].status = Child::Status::running;
    return advance_graph(act, *graph);
  }
  for (std::uint32_t i = 0; i < act.children.size(); ++i) {
    if (i != kept && act.children[i].status != Child::Status::completed) start_beside(act, i);
  }
}

/// Begins branch or round `number` of a parallel task.
Activation& Core::start_beside(Activation& act, std::uint32_t number) {
  const auto& body = task_of(act).body;
  if (const auto* fork = std::get_if<dsl::ForkTask>(&body)) {
    start_branch(act, *fork, number);
  } else {
    act.children[number].status = Child::Status::running;
    ++act.count;
    open_round(act, number);
  }
  return *activations[act.first_child];
}

void Core::restart_child(Activation& act, std::uint32_t number, const json::Value& raw_input) {
  if (act.kind == Kind::list) {
    act.position = number;
    act.output = raw_input;
    return step_list(act);
  }
  const auto& body = task_of(act).body;
  if (std::holds_alternative<dsl::AgentTask>(body)) return restart_agent(act, number, raw_input);
  if (const auto* graph = std::get_if<dsl::GraphTask>(&body)) {
    reset_nodes(act, *graph, number);
    act.count = 0;
    return advance_graph(act, *graph);
  }
  if (is_parallel(task_of(act))) {
    restart_children(act, number);
    act.count = act.count - 1;  // `number` is not in the chain: it starts here
    auto& child = start_beside(act, number);
    child.raw_input = raw_input;
    return;
  }
  const auto& invoke = std::get<dsl::InvokeTask>(body);
  auto& callee = create(Kind::task, &act, 0);
  callee.task = invoke.callee;
  callee.raw_input = raw_input;
  push(callee, WorkItem::Op::start);
}

}  // namespace pawl::engine::detail
