// Lists of tasks: one after the other, each with the output of the one before as its input.
#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

Activation& Core::open_list(Activation& owner, ListRole role, std::uint32_t number, json::Value data, json::Value variable) {
  auto& list = create(Kind::list, &owner, number);
  list.task = owner.task;
  list.role = role;
  const auto& body = task_of(owner).body;
  const bool is_foreach = std::holds_alternative<dsl::ListenTask>(body) || std::holds_alternative<dsl::CallTask>(body);
  list.is_round = role == ListRole::body && (is_foreach || std::holds_alternative<dsl::ForTask>(body));
  list.tasks = &list_of(list);
  list.extra = std::move(variable);
  list.output = std::move(data);
  step_list(list);
  return list;
}

const dsl::TaskList& Core::list_of(const Activation& list) const {
  if (list.role == ListRole::root) return plan->root;
  if (list.role == ListRole::finally) return plan->finally;
  const auto& owner = task_of(list);
  switch (list.role) {
    case ListRole::before: return *owner.extensions[list.number].before;
    case ListRole::after: return *owner.extensions[list.number].after;
    case ListRole::undo: return owner.compensation;
    case ListRole::handler: return *std::get<dsl::TryTask>(owner.body).handler.tasks;
    default: break;
  }
  if (const auto* body = std::get_if<dsl::DoTask>(&owner.body)) return body->tasks;
  if (const auto* body = std::get_if<dsl::ForTask>(&owner.body)) return body->tasks;
  if (const auto* body = std::get_if<dsl::TryTask>(&owner.body)) return body->tasks;
  if (const auto* body = std::get_if<dsl::CallTask>(&owner.body); body != nullptr && body->foreach) return body->foreach->tasks;
  const auto* listen = std::get_if<dsl::ListenTask>(&owner.body);
  PAWL_ASSERT(listen != nullptr && listen->foreach, "only these tasks own lists");
  return listen->foreach->tasks;
}

void Core::step_list(Activation& list) {
  if (list.position >= list.tasks->tasks.size()) return end(list, Ending::completed);
  auto& child = create(Kind::task, &list, list.position);
  child.task = list.tasks->tasks[list.position];
  child.raw_input = list.output;
  push(child, WorkItem::Op::start);
}

void Core::list_child_ended(Activation& list, Ended& ended) {
  if (ended.ending == Ending::faulted) {
    list.error = std::move(ended.error);
    return end(list, Ending::faulted);
  }
  list.output = std::move(ended.output);
  switch (ended.flow.kind) {
    case dsl::Flow::Kind::next: ++list.position; return step_list(list);
    case dsl::Flow::Kind::jump:
      // Backwards: the same tasks come again, so they need another attempt number to stay unique.
      if (ended.flow.target <= list.position) list.attempt = ++list.max_attempt;
      list.position = ended.flow.target;
      return step_list(list);
    case dsl::Flow::Kind::exit: list.flow = ended.flow; return end(list, Ending::completed);
    case dsl::Flow::Kind::end: {
      const auto result = list.output;
      return end_run(list, result);
    }
  }
}

void Core::set_context(Activation& act, json::Value context) { activations[act.context_owner]->context = std::move(context); }

/// Applies what `branch` changed in its copy of `base`: objects by top-level member, anything else as a whole.
void Core::merge_context(json::Value& target, const json::Value& base, const json::Value& branch) {
  if (branch.same_storage(base) || branch == base) return;
  if (!branch.is_object() || !base.is_object() || !target.is_object()) {
    target = branch;
    return;
  }
  for (const auto& member : branch.members()) {
    const auto* before = base.find(member.name());
    if (before == nullptr || !(*before == member.value)) target.set_shared(member.key, member.value);
  }
  for (const auto& member : base.members()) {
    if (branch.find(member.name()) == nullptr) target.erase(member.name());
  }
}

}  // namespace pawl::engine::detail
