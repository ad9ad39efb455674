// What becomes of a call that had begun when the process ended: nobody knows whether it took effect, and its class says that it may not
// simply be done again. The task's `on_unknown` decides: repeat it with the same key, ask people, or look (a probe, which only reads).
// Whatever leaves the question open makes the task fault; the call is never repeated silently.
//
// While a call is in doubt its arguments lie in `Activation::extra`.
#include "engine/machine/detail/core.hpp"
#include "json/size.hpp"

namespace pawl::engine {

json::Value unknown_outcome() {
  return make_error(
      "runtime", 500, "Outcome unknown",
      "the process ended while this step was under way; the step may not be repeated, and whether it took effect is not known");
}

namespace detail {
namespace {

/// As much of the arguments as people can look at.
json::Value for_people(const json::Value& arguments) {
  constexpr std::size_t kMuch = 4U << 10U;
  constexpr std::string_view kLeftOut = "(too large to be shown)";
  if (!json::larger_than(arguments, kMaxApprovalData / 2)) return arguments;
  if (!arguments.is_object()) return kLeftOut;
  auto shown = json::Value::object();
  for (const auto& member : arguments.members()) {
    shown.set(member.name(), json::larger_than(member.value, kMuch) ? json::Value(kLeftOut) : member.value);
  }
  if (json::larger_than(shown, kMaxApprovalData / 2)) return kLeftOut;
  return shown;
}

/// What people are asked: whether it happened.
ApprovalRequest question(const dsl::Task& task, std::string_view function, const json::Value& arguments) {
  ApprovalRequest request;
  request.title = "Did it happen? " + std::string(function) + " in " + task.reference;
  request.message =
      "The process ended while this call was under way, and whether it took effect is not known. Approve with `outcome`: `done` if it did "
      "(`output` is then what the task gives), `repeat` if it did not and is to be done now. Reject to let the task fail.";
  request.data = json::Value::object({{"function", function}, {"arguments", for_people(arguments)}});
  request.form = json::Value::object(
      {{"type", "object"},
       {"properties", json::Value::object({{"outcome", json::Value::object({{"enum", json::Value::array({"done", "repeat"})}})},
                                           {"output", json::Value::object({{"description", "What the call gave, where it is done."}})}})},
       {"required", json::Value::array({"outcome"})},
       {"additionalProperties", false}});
  return request;
}

}  // namespace

void Core::handle(const EffectInterrupted& event) {
  const auto found = effects.find(event.effect);
  if (found == effects.end()) return;
  auto& act = *activations[found->second.activation];
  const auto* call = std::get_if<dsl::CallTask>(&task_of(act).body);
  if (call == nullptr || !call->on_unknown || found->second.is_probe) return answer(event.effect, {}, unknown_outcome(), {});
  act.extra = json::Value::array({std::move(found->second.arguments)});
  effects.erase(found);
  act.effect = 0;
  push(act, WorkItem::Op::interrupted);
}

void Core::outcome_unknown(Activation& act) {
  if (act.step == Step::ended) return;
  const auto& call = std::get<dsl::CallTask>(task_of(act).body);
  const auto& policy = *call.on_unknown;
  switch (policy.kind) {
    case dsl::OnUnknown::Kind::fail: return stays_unknown(act, {});
    case dsl::OnUnknown::Kind::retry_with_key: note(act, "outcome unknown: repeated with the same key"); return repeat_call(act);
    case dsl::OnUnknown::Kind::ask:
      note(act, "outcome unknown: people are asked whether it happened");
      (void)ask(act, question(task_of(act), call.function, act.extra.at(0)));
      return;
    case dsl::OnUnknown::Kind::probe: {
      note(act, "outcome unknown: " + policy.probe + " is asked whether it happened");
      json::Value probe;
      if (evaluate(act, policy.probe_arguments, probe)) start_effect(act, std::move(probe), true);
    }
  }
}

/// The probe has answered.
void Core::probed(Activation& act, const dsl::OnUnknown& policy) {
  if (!act.error.is_null()) return stays_unknown(act, "the probe failed");
  const auto found = std::move(act.output);
  act.output = {};
  bool happened = false;
  if (policy.happened) {
    if (!test(act, *policy.happened, found, TaskScope(*this, &act, act.input).with_output(found), happened)) return;
  } else {
    const auto& says = found.get("happened");
    if (!says.is_bool()) return stays_unknown(act, "the probe's output does not say `happened: true` or `false`");
    happened = says.as_bool();
  }
  note(act, happened ? "the probe found that it happened" : "the probe found that it did not happen: it is done now");
  if (!happened) return repeat_call(act);
  act.extra = {};
  json::Value result = found;
  if (policy.output && !evaluate(act, *policy.output, found, TaskScope(*this, &act, act.input).with_output(found), result)) return;
  call_gave(act, std::get<dsl::CallTask>(task_of(act).body), std::move(result));
}

/// Somebody has answered.
void Core::told(Activation& act, const json::Value& decision) {
  const auto& data = decision.get("data");
  if (!decision.get("approved").truthy()) return stays_unknown(act, "whoever was asked did not know either, or let it fail");
  if (data.get("outcome") == json::Value("repeat")) {
    note(act, "somebody said that it did not happen: it is done now");
    return repeat_call(act);
  }
  note(act, "somebody said that it happened");
  act.extra = {};
  call_gave(act, std::get<dsl::CallTask>(task_of(act).body), data.get("output"));
}

/// With the same step key, so that a service which knows keys does it once in any case.
void Core::repeat_call(Activation& act) {
  auto arguments = act.extra.at(0);
  act.extra = {};
  set_record_status(act, TaskStatus::running);
  start_effect(act, std::move(arguments));
}

void Core::stays_unknown(Activation& act, std::string_view why) {
  act.extra = {};
  auto problem = unknown_outcome();
  if (!why.empty()) problem.set("detail", std::string(problem.get("detail").as_string()) + " (" + std::string(why) + ")");
  fault(act, std::move(problem));
}

/// Into the task's record, where whoever looks at the run sees it.
void Core::note(const Activation& act, std::string text) {
  if (act.record == kNone) return;
  records[act.record].logs.push_back({now, "warning", std::move(text)});
  mark_dirty(act.record);
}

}  // namespace detail
}  // namespace pawl::engine
