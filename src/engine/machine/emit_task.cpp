// `emit`: an effect named `emit` whose argument is the complete CloudEvent. Id and time come from the step and the event, so a repetition
// sends the same one. The task's output is the CloudEvent.
#include <fmt/format.h>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::EmitTask& body) {
  json::Value wanted;
  if (!evaluate(act, body.event, wanted)) return;
  if (!wanted.is_object()) return fault(act, make_error("expression", 400, "Expression failed", "`emit.event` has to give an object"));
  auto event = json::Value::object();
  event.set("specversion", "1.0");
  event.set("id", idempotency_key(info.id, step_key(act)));
  event.set("source", fmt::format("/workflows/{}/{}", plan->namespace_name, plan->name));
  event.set("time", to_rfc3339(now));
  for (const auto& attribute : wanted.members()) event.set_shared(attribute.key, attribute.value);
  if (!event.get("type").is_string()) return fault(act, make_error("validation", 400, "Invalid event", "an event needs a `type`"));
  act.locals = event;
  start_effect(act, std::move(event));
}

}  // namespace pawl::engine::detail
