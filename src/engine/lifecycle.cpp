#include "engine/lifecycle.hpp"

#include <fmt/format.h>

#include "json/write.hpp"

namespace pawl::engine {
namespace {

/// A larger output is named only: events go to everybody who listens.
constexpr std::size_t kMaxOutput = 16U << 10U;

}  // namespace

json::Value lifecycle_event(const RunIdentity& identity, const json::Value& trigger, const Machine& machine, std::string_view what,
                            TimePoint at) {
  const auto& plan = machine.plan();
  const auto run = identity.id.to_string();
  auto data = json::Value::object(
      {{"name", fmt::format("{}-{}.{}", plan.name, run, plan.namespace_name)},
       {"definition", json::Value::object({{"namespace", plan.namespace_name}, {"name", plan.name}, {"version", plan.version}})},
       {"run_id", run},
       {"workflow_id", identity.workflow.to_string()}});
  data.set(fmt::format("{}At", what), to_rfc3339(at));
  if (what == "completed") {
    data.set("outputUri", "/api/runs/" + run);
    if (json::to_text(machine.output()).size() <= kMaxOutput) data.set("output", machine.output());
  } else if (is_final(machine.phase())) {
    data.set("error", machine.error());
  }
  const auto& chain = trigger.get("chain");
  return json::Value::object({{"specversion", "1.0"},
                              {"id", fmt::format("{}/{}/{}", run, what, at.time_since_epoch().count())},
                              {"source", "/api/workflows/" + identity.workflow.to_string()},
                              {"type", fmt::format("{}workflow.{}.v1", kLifecyclePrefix, what)},
                              {"subject", run},
                              {"time", to_rfc3339(at)},
                              {"datacontenttype", "application/json"},
                              {"workflownamespace", plan.namespace_name},
                              {"workflowname", plan.name},
                              {"pawlchain", chain.is_integer() ? chain.as_integer() : 0},
                              {"data", std::move(data)}});
}

}  // namespace pawl::engine
