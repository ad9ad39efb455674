// Calls and runs: whatever touches the outside. The world answers with `EffectSucceeded` or `EffectFailed`.
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

/// A dry run asks nobody and goes on as if it had been approved: so it shows what would happen then.
json::Value would_ask(const ApprovalRequest& request) {
  auto step = json::Value::object({{"action", "ask"}, {"title", request.title}});
  if (request.deadline) step.set("deadline", to_rfc3339(*request.deadline));
  return json::Value::object(
      {{"dry_run", true}, {"plan", json::Value::array({std::move(step)})}, {"approved", true}, {"decision", "approved"}});
}

}  // namespace

void Core::start(Activation& act, const dsl::CallTask& body) {
  json::Value arguments;
  if (!evaluate(act, body.arguments, arguments)) return;
  if (body.function != kApproval) return start_effect(act, std::move(arguments));
  ApprovalRequest request;
  if (!read_request(act, arguments, request)) return;
  if (info.dry_run) return complete_body(act, would_ask(request));
  (void)ask(act, std::move(request));
}

void Core::answered(Activation& act) {
  if (act.step == Step::ended) return;
  const auto* call = std::get_if<dsl::CallTask>(&task_of(act).body);
  if (call != nullptr && call->on_unknown && !act.extra.is_null()) return probed(act, *call->on_unknown);
  if (!act.error.is_null()) {
    auto problem = std::move(act.error);
    return fault(act, std::move(problem));
  }
  if (call == nullptr) return complete_body(act, std::move(act.locals));  // emit
  if (call->keep_input || !call->await) return complete_body(act, act.input);
  if (!call->foreach) return complete_body(act, std::move(act.output));
  if (!act.output.is_array()) act.output = json::Value::array({act.output});
  act.locals = std::move(act.output);
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
