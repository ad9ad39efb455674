// Calls and runs: whatever touches the outside. The world answers with `EffectSucceeded` or `EffectFailed`.
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::CallTask& body) {
  if (body.of_agent) return start_agent_step(act);
  json::Value arguments;
  if (!evaluate(act, body.arguments, arguments)) return;
  if (body.function != kApproval) return start_effect(act, std::move(arguments));
  ApprovalRequest request;
  if (!read_request(act, arguments, request)) return;
  if (info.dry_run) return start_effect(act, std::move(arguments));  // the function plans
  (void)ask(act, std::move(request));
}

void Core::answered(Activation& act) {
  if (act.step == Step::ended) return;
  const auto* call = std::get_if<dsl::CallTask>(&task_of(act).body);
  if (call != nullptr && call->on_unknown && !act.extra.is_null()) return probed(act, *call->on_unknown);
  if (!act.error.is_null()) {
    if (call != nullptr && call->of_agent) agent_step_failed(act);
    auto problem = std::move(act.error);
    return fault(act, std::move(problem));
  }
  if (call == nullptr) return complete_body(act, std::move(act.locals));  // emit
  if (call->function == kApproval && act.output.is_object()) {            // a dry run: it shows what happens if it is approved
    act.output.set("approved", true);
    act.output.set("decision", "approved");
  }
  call_gave(act, *call, std::move(act.output));
}

/// What the task makes of what its call gave, whoever says that it did.
void Core::call_gave(Activation& act, const dsl::CallTask& call, json::Value result) {
  if (call.keep_input || !call.await) return complete_body(act, act.input);
  if (!call.foreach) return complete_body(act, std::move(result));
  act.locals = result.is_array() ? std::move(result) : json::Value::array({std::move(result)});
  act.output = json::Value::array();
  next_item(act);
}

/// `foreach` of a subscription: its tasks run for each item that the call gave, one after the other.
void Core::next_item(Activation& act) {
  if (act.position >= act.locals.size()) return complete_body(act, std::move(act.output));
  open_list(act, ListRole::body, act.position, act.input, act.locals.at(act.position));
}

void Core::ended_in(Activation& act, const dsl::CallTask& body, Ended& ended) {
  if (!finish_item(act, *body.foreach, ended)) return;
  if (ended.flow.kind == dsl::Flow::Kind::exit) return complete_body(act, std::move(act.output));
  next_item(act);
}

}  // namespace pawl::engine::detail
