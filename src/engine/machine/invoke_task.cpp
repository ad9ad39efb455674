// `call` of a task in `use.functions`: the callee is a task of its own below the call.
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::InvokeTask& body) {
  json::Value arguments = act.input;
  if (!body.pass_input && !evaluate(act, body.arguments, arguments)) return;
  auto& callee = create(Kind::task, &act, 0);
  callee.task = body.callee;
  callee.raw_input = std::move(arguments);
  push(callee, WorkItem::Op::start);
}

void Core::ended_in(Activation& act, const dsl::InvokeTask& /*body*/, Ended& ended) {
  if (ended.ending == Ending::faulted) return propagate(act, std::move(ended.error));
  if (ended.flow.kind == dsl::Flow::Kind::end) return end_run(act, ended.output);
  complete_body(act, std::move(ended.output));
}

}  // namespace pawl::engine::detail
