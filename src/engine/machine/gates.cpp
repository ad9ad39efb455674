// Approvals are gates: what lies behind one starts for what was approved, and for nothing else. A retry and a fork may choose where to go
// on, so they are where somebody could walk around a gate, or carry other data through it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/machine/detail/agent_rules.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

/// Whether a task is, or lies below, another one. What an agent asks about its tools is no gate of a list, nor is what undoing a task asks.
bool lies_in(const dsl::Plan& plan, dsl::TaskIndex task, dsl::TaskIndex above) {
  for (auto below = dsl::kNoTask; task != dsl::kNoTask; below = std::exchange(task, plan.task(task).parent)) {
    const auto& place = plan.task(task);
    if (below != dsl::kNoTask && std::holds_alternative<dsl::AgentTask>(place.body)) return false;
    if (below != dsl::kNoTask && !place.compensation.tasks.empty() && place.compensation.tasks.front() == below) return false;
    if (task == above) return true;
  }
  return false;
}

/// The approvals in a task, also in the functions that it calls. `seen`: callees, which may call each other.
void gates_in(const dsl::Plan& plan, dsl::TaskIndex above, std::vector<dsl::TaskIndex>& gates, std::vector<dsl::TaskIndex>& seen) {
  for (dsl::TaskIndex task = 0; task < plan.tasks.size(); ++task) {
    const auto* call = std::get_if<dsl::CallTask>(&plan.task(task).body);
    const auto* invoke = std::get_if<dsl::InvokeTask>(&plan.task(task).body);
    const bool asks = call != nullptr && call->function == kApproval;
    if ((!asks && invoke == nullptr) || !lies_in(plan, task, above)) continue;
    if (asks) gates.push_back(task);
    if (invoke == nullptr || std::find(seen.begin(), seen.end(), invoke->callee) != seen.end()) continue;
    seen.push_back(invoke->callee);
    gates_in(plan, invoke->callee, gates, seen);
  }
}

/// Whether somebody may have been asked about this call of an agent: what is below it was approved with its arguments.
bool may_be_approved(const Activation& agent, const dsl::AgentTask& body, std::uint32_t call) {
  if (call >= agent.children.size()) return false;  // a turn
  const auto* tool = find_tool(body, agent.children[call].context.get("name"));
  return tool != nullptr && (tool->needs_approval || tool->approval || body.approval || is_held_back(agent.agent[0], *tool));
}

}  // namespace

/// The latest record of a task within the given rounds.
const TaskRecord* Core::last_record(dsl::TaskIndex task, const std::vector<std::uint32_t>& rounds) const {
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    const auto& own = record->iteration;
    if (record->task == task && own.size() >= rounds.size() && std::equal(rounds.begin(), rounds.end(), own.begin())) return &*record;
  }
  return nullptr;
}

/// Approved, or the run came to it and had nothing to ask. An output that does not say so any more counts as not approved.
bool Core::has_passed(dsl::TaskIndex gate, const std::vector<std::uint32_t>& rounds) const {
  for (auto place = gate; place != dsl::kNoTask; place = plan->task(place).parent) {
    const auto* record = last_record(place, rounds);
    if (record == nullptr) continue;
    if (record->status == TaskStatus::skipped) return true;
    if (place == gate) return record->status == TaskStatus::completed && record->output.get("approved") == json::Value(true);
  }
  return false;
}

Result<void> Core::check_gates(const RestartPoint& point, const RetryRequested& request) const {
  const auto& chain = fault_point.chain;
  for (std::size_t depth = 1; depth <= point.depth; ++depth) {
    const auto& place = chain[depth - 1];
    const auto* agent = place.agent.empty() ? nullptr : &std::get<dsl::AgentTask>(task_of(place).body);
    if (agent != nullptr && request.input && depth < point.depth && may_be_approved(place, *agent, chain[depth].number)) {
      return Error(ErrorClass::unprocessable, "run.not_retryable_from",
                   fmt::format("The run cannot start again with other input within a call of `{}` that asks for approval: nobody approved "
                               "other input. Start from the call.",
                               plan->task(place.task).reference));
    }
    if (place.kind != Kind::list) continue;
    const bool starts_here = depth == point.depth && point.restart == FaultPoint::Restart::child;
    const auto position = starts_here ? point.number : place.position;
    const bool leaps = position != place.position;  // otherwise the run got there by itself
    if (!leaps && !request.input) continue;
    const auto& tasks = list_of(place).tasks;
    std::vector<dsl::TaskIndex> gates;
    std::vector<dsl::TaskIndex> seen;
    for (std::uint32_t i = 0; i < position && i < tasks.size(); ++i) gates_in(*plan, tasks[i], gates, seen);
    if (gates.empty()) continue;
    const auto refused = [&](dsl::TaskIndex gate, std::string_view why) {
      return Error(ErrorClass::unprocessable, "run.not_retryable_from",
                   fmt::format("The run cannot start again behind the approval `{}`: {}. Start from the approval, or before it.",
                               plan->task(gate).reference, why));
    };
    if (request.input) return refused(gates.back(), "nobody approved other input");
    const auto rounds = rounds_in(chain, depth);
    const bool was_here = last_record(tasks[position], rounds) != nullptr;
    for (const auto gate : gates) {
      const bool never_asked = was_here && last_record(gate, rounds) == nullptr;  // the run came here on a way without it
      if (!never_asked && !has_passed(gate, rounds)) return refused(gate, "it was not approved in this run");
    }
  }
  return {};
}

}  // namespace pawl::engine::detail
