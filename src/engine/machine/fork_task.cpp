// `fork`: branches side by side, each on the fork's input and a copy of the context. The output is the array of the branches' outputs, and
// contexts merge in the order of the branches. `compete`: the first that completes gives output and context; one that fails only loses.
#include <algorithm>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::ForkTask& body) {
  act.children.resize(body.branches.size());
  if (body.branches.empty()) return complete_body(act, json::Value::array());
  for (std::uint32_t i = 0; i < body.branches.size(); ++i) start_branch(act, body, i);
}

void Core::start_branch(Activation& act, const dsl::ForkTask& body, std::uint32_t number) {
  auto& branch = create(Kind::task, &act, number);
  branch.task = body.branches[number];
  branch.raw_input = act.input;
  branch.owns_context = true;
  branch.context = context_of(act);
  branch.context_owner = branch.id;
  act.children[number].status = Child::Status::running;
  ++act.count;
  push(branch, WorkItem::Op::start);
}

void Core::ended_in(Activation& act, const dsl::ForkTask& body, Ended& ended) {
  auto& branch = act.children[ended.number];
  --act.count;
  if (ended.ending == Ending::faulted) {
    if (!body.compete) return propagate(act, std::move(ended.error));
    branch.status = Child::Status::failed;
    branch.error = std::move(ended.error);
    if (act.count > 0) return;
    auto problem = act.children.front().error;
    return fault_keeping_instance(act, std::move(problem), FaultPoint::Restart::children);
  }
  if (ended.flow.kind == dsl::Flow::Kind::end) return end_run(act, ended.output);
  if (body.compete) {
    cancel_children(act);
    set_context(act, std::move(ended.context));
    return complete_body(act, std::move(ended.output));
  }
  branch.status = Child::Status::completed;
  branch.output = std::move(ended.output);
  branch.context = std::move(ended.context);
  if (act.count == 0) join_branches(act);
}

/// Also of parallel rounds.
void Core::join_branches(Activation& act) {
  auto outputs = json::Value::array();
  outputs.reserve(act.children.size());
  const auto base = context_of(act);
  auto context = base;
  for (auto& child : act.children) {
    outputs.push_back(std::move(child.output));
    merge_context(context, base, child.context);
  }
  act.children.clear();
  set_context(act, std::move(context));
  complete_body(act, std::move(outputs));
}

}  // namespace pawl::engine::detail
