#include "engine/machine/detail/scope.hpp"

#include <chrono>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

/// The DSL's date and time descriptor.
json::Value describe_time(TimePoint time) {
  const std::int64_t millis = time.time_since_epoch().count();
  return json::Value::object(
      {{"iso8601", to_rfc3339(time)}, {"epoch", json::Value::object({{"seconds", millis / 1000}, {"milliseconds", millis}})}});
}

json::Value describe_runtime() {
  return json::Value::object({{"name", "pawl"}, {"version", PAWL_VERSION}, {"metadata", json::Value::object()}});
}

}  // namespace

TimePoint TaskScope::now() const { return core_.now; }

json::Value TaskScope::variable(std::string_view name) const {
  json::Value value;
  if (find_local(name, value)) return value;
  if (name == "input") return input_;
  if (name == "context") return at_ != nullptr ? core_.context_of(*at_) : json::Value();
  if (name == "output") return output_ != nullptr ? *output_ : json::Value();
  if (name == "task") return task_descriptor();
  if (name == "workflow") return workflow_descriptor();
  if (name == "runtime") return describe_runtime();
  if (name == "secrets") return core_.info.secrets;
  if (name == "authorization") return core_.info.authorization;
  return {};
}

/// Innermost first: what was bound for this evaluation, then the variables of the lists around.
bool TaskScope::find_local(std::string_view name, json::Value& value) const {
  for (const auto& binding : bindings_) {
    if (!binding.name.empty() && binding.name == name) {
      value = binding.value;
      return true;
    }
  }
  for (const auto* place = at_; place != nullptr; place = core_.parent_of(*place)) {
    if (place->kind != Kind::list || place->task == dsl::kNoTask) continue;
    const auto& body = core_.task_of(*place).body;
    if (place->is_round) {
      const auto* loop = std::get_if<dsl::ForTask>(&body);
      const auto* listen = std::get_if<dsl::ListenTask>(&body);
      const dsl::ForeachClause* foreach = nullptr;
      if (loop == nullptr)
        foreach
          = listen != nullptr ? &*listen->foreach : &*std::get<dsl::CallTask>(body).foreach;
      const std::string& each = loop != nullptr ? loop->each : foreach->item;
      const std::string& at = loop != nullptr ? loop->at : foreach->at;
      if (name == each) value = place->extra;
      if (name == at) value = json::Value(place->number);
      if (name == each || name == at) return true;
    } else if (place->role == ListRole::handler && name == std::get<dsl::TryTask>(body).handler.as) {
      value = place->extra;
      return true;
    }
  }
  return false;
}

/// Of the task that evaluates; inside of an extension's lists, of the task that is extended (so that a log line can name it).
json::Value TaskScope::task_descriptor() const {
  const Activation* described = at_;
  if (described != nullptr && described->kind == Kind::list) described = nullptr;
  for (const auto* place = at_; place != nullptr; place = core_.parent_of(*place)) {
    if (place->kind == Kind::list && (place->role == ListRole::before || place->role == ListRole::after)) {
      described = core_.parent_of(*place);
      break;
    }
  }
  if (described == nullptr) return {};
  const auto& task = core_.task_of(*described);
  auto descriptor = task.definition.is_object() ? task.definition : json::Value::object();
  descriptor.set("name", task.name);
  descriptor.set("reference", task.reference);
  descriptor.set("definition", task.definition);
  descriptor.set("input", described == at_ ? input_ : described->input);
  descriptor.set("startedAt", describe_time(described->started_at));
  if (output_ != nullptr && described == at_) descriptor.set("output", *output_);
  return descriptor;
}

json::Value TaskScope::workflow_descriptor() const {
  return json::Value::object({{"id", core_.info.id.to_string()},
                              {"definition", core_.plan->document},
                              {"input", core_.input},
                              {"startedAt", describe_time(core_.started_at)}});
}

}  // namespace pawl::engine::detail
