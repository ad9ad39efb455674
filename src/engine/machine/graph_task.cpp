// The task-list form: nodes start as soon as all they depend on has settled, at most `max_parallel` at once.
//
// - A node that failed for good blocks those that depend on it, and what depends on those. Independent nodes still run to their end; then
//   the run faults with the error of the first failed node in document order, so the result does not depend on the order of completion.
// - `run_if` false skips a node. Nodes after it run, unless they ask for `status: completed`; then they are skipped as well.
// - A node's raw input is the map of the outputs finished so far by id, plus `input`. The graph's output is the map of outputs.
// - Each node has a copy of the graph's context; copies merge in document order at the end.
#include <algorithm>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

using Status = Child::Status;

bool is_settled(Status status) { return status >= Status::completed; }

enum class Verdict : std::uint8_t { wait, run, skip, block };

Verdict judge(const dsl::GraphNode& node, const std::vector<Child>& children) {
  bool skip = false;
  for (const auto& dependency : node.depends_on) {
    const auto status = children[dependency.node].status;
    if (status == Status::failed || status == Status::blocked) return Verdict::block;
    if (!is_settled(status)) return Verdict::wait;
    skip |= status == Status::skipped && dependency.must_complete;
  }
  return skip ? Verdict::skip : Verdict::run;
}

}  // namespace

void Core::start(Activation& act, const dsl::GraphTask& body) {
  act.children.resize(body.nodes.size());
  advance_graph(act, body);
}

json::Value Core::graph_outputs(const Activation& act, const dsl::GraphTask& body) const {
  auto outputs = json::Value::object();
  for (std::size_t i = 0; i < body.nodes.size(); ++i) {
    if (act.children[i].status == Status::completed) outputs.set(plan->task(body.nodes[i].task).name, act.children[i].output);
  }
  return outputs;
}

/// Starts, skips and blocks whatever can be decided now; ends the graph when nothing is left. One pass may decide about nodes of an earlier
/// position (dependencies may point forward), so passes go on until one changes nothing.
void Core::advance_graph(Activation& act, const dsl::GraphTask& body) {
  bool changed = true;
  std::size_t unsettled = 0;
  while (changed) {
    changed = false;
    unsettled = 0;
    for (std::uint32_t i = 0; i < body.nodes.size(); ++i) {
      auto& child = act.children[i];
      if (is_settled(child.status)) continue;
      ++unsettled;
      if (child.status != Status::pending) continue;
      const auto verdict = judge(body.nodes[i], act.children);
      if (verdict == Verdict::wait || (verdict == Verdict::run && act.count >= body.max_parallel)) continue;
      if (verdict == Verdict::run) {
        start_node(act, body, i);
      } else {
        settle_node(act, body, i, verdict == Verdict::skip ? Status::skipped : Status::blocked);
      }
      if (is_settled(child.status)) changed = true;
    }
  }
  if (unsettled > 0) return;

  const auto failed =
      std::find_if(act.children.begin(), act.children.end(), [](const Child& child) { return child.status == Status::failed; });
  if (failed != act.children.end()) {
    auto problem = failed->error;
    return fault_keeping_instance(act, std::move(problem), FaultPoint::Restart::children);
  }
  auto outputs = graph_outputs(act, body);
  const auto base = context_of(act);
  auto context = base;
  for (const auto& child : act.children) {
    if (child.status == Status::completed) merge_context(context, base, child.context);
  }
  act.children.clear();
  set_context(act, std::move(context));
  complete_body(act, std::move(outputs));
}

/// A node ends without running.
void Core::settle_node(Activation& act, const dsl::GraphTask& body, std::uint32_t number, Status status, json::Value problem) {
  auto& child = act.children[number];
  child.status = status;
  add_record(act, body.nodes[number].task, status == Status::failed ? TaskStatus::faulted : TaskStatus::skipped, problem);
  child.error = std::move(problem);
}

void Core::start_node(Activation& act, const dsl::GraphTask& body, std::uint32_t number) {
  const auto& node = body.nodes[number];
  auto& child = act.children[number];
  auto data = graph_outputs(act, body);
  data.set("input", act.input);
  if (node.run_if && child.retries == 0) {
    const auto wanted = node.run_if->test(data, TaskScope(*this, &act, act.input));
    if (wanted.has_error()) {
      auto problem = expression_error(wanted.error(), node.run_if->source());
      problem.set("instance", plan->task(node.task).reference);
      return settle_node(act, body, number, Status::failed, std::move(problem));
    }
    if (!wanted.value()) return settle_node(act, body, number, Status::skipped);
  }
  auto& started = create(Kind::task, &act, number);
  started.task = node.task;
  started.raw_input = std::move(data);
  started.owns_context = true;
  started.context = context_of(act);
  started.context_owner = started.id;
  if (child.retries == 0) child.started_at = now;
  child.attempt = std::max(child.attempt + 1, act.attempt);
  started.attempt = child.attempt;
  started.max_attempt = child.attempt;
  child.status = Status::running;
  ++act.count;
  push(started, WorkItem::Op::start);
}

void Core::ended_in(Activation& act, const dsl::GraphTask& body, Ended& ended) {
  auto& child = act.children[ended.number];
  child.attempt = ended.max_attempt;
  --act.count;
  if (ended.flow.kind == dsl::Flow::Kind::end && ended.ending != Ending::faulted) return end_run(act, ended.output);
  switch (ended.ending) {
    case Ending::faulted: return node_failed(act, body, ended.number, std::move(ended.error));
    case Ending::skipped: child.status = Status::skipped; break;
    case Ending::completed:
      child.status = Status::completed;
      child.output = std::move(ended.output);
      child.context = std::move(ended.context);
      break;
  }
  advance_graph(act, body);
}

void Core::node_failed(Activation& act, const dsl::GraphTask& body, std::uint32_t number, json::Value problem) {
  auto& child = act.children[number];
  if (const auto& policy = body.nodes[number].retry) {
    std::optional<Millis> delay;
    if (!ask_retry(act, {*policy, "error", problem, child.retries, child.started_at, number + 1}, delay)) return;
    if (delay) {
      ++child.retries;
      if (fault_record != kNone && records[fault_record].status == TaskStatus::faulted) {
        records[fault_record].status = TaskStatus::retrying;
        mark_dirty(fault_record);
      }
      child.status = *delay > Millis::zero() ? Status::delayed : Status::pending;
      if (child.status == Status::delayed) child.timer = set_timer(act, *delay, TimerUse::child_retry, number);
      return advance_graph(act, body);
    }
  }
  child.status = Status::failed;
  child.error = std::move(problem);
  advance_graph(act, body);
}

/// For a run that starts again: everything that did not complete is open again; so is node `number` (if any) and all that depends on it.
void Core::reset_nodes(Activation& act, const dsl::GraphTask& body, std::uint32_t number) {
  std::vector<bool> again(body.nodes.size());
  for (std::size_t i = 0; i < body.nodes.size(); ++i) again[i] = i == number || act.children[i].status != Status::completed;
  bool changed = number < body.nodes.size();
  while (changed) {
    changed = false;
    for (std::size_t i = 0; i < body.nodes.size(); ++i) {
      if (again[i]) continue;
      const auto& needs = body.nodes[i].depends_on;
      again[i] = std::any_of(needs.begin(), needs.end(), [&](const auto& need) { return again[need.node]; });
      changed |= again[i];
    }
  }
  for (std::size_t i = 0; i < body.nodes.size(); ++i) {
    if (!again[i]) continue;
    const auto attempt = act.children[i].attempt;
    act.children[i] = Child{};
    act.children[i].attempt = attempt;
  }
}

}  // namespace pawl::engine::detail
