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

/// What one list binds: name and value of each variable. `visit` says whether to go on.
template <class Visit>
bool each_bound(const Core& core, const Activation& list, const Visit& visit) {
  if (list.role == ListRole::finally || list.role == ListRole::undo) {
    // An attempt of a `try` is undone because of the error that was caught, which `extra` holds; everything else at the end of the run.
    const bool is_of_try = !list.extra.is_null();
    const auto status = is_of_try ? to_text(Phase::faulted) : to_text(core.wind_up.ending);
    if (!visit("error", is_of_try ? list.extra : core.wind_up.error) || !visit("status", json::Value(status))) return false;
    if (list.role == ListRole::finally) return true;
    for (const auto& member : core.wind_up.finished[list.number].variables.members()) {
      if (!visit(member.name(), member.value)) return false;
    }
    return true;
  }
  if (list.task == dsl::kNoTask) return true;
  const auto& body = core.task_of(list).body;
  if (!list.is_round) return list.role != ListRole::handler || visit(std::get<dsl::TryTask>(body).handler.as, list.extra);
  if (const auto* loop = std::get_if<dsl::ForTask>(&body))
    return visit(loop->each, list.extra) && visit(loop->at, json::Value(list.number));
  const auto* listen = std::get_if<dsl::ListenTask>(&body);
  const auto& foreach = listen != nullptr ? *listen->foreach : *std::get<dsl::CallTask>(body).foreach;
  return visit(foreach.item, list.extra) && visit(foreach.at, json::Value(list.number));
}

/// Innermost first, up to what undoes: that runs outside of what was around the task.
template <class Visit>
void each_local(const Core& core, const Activation* at, const Visit& visit) {
  for (const auto* place = at; place != nullptr; place = core.parent_of(*place)) {
    if (place->kind == Kind::list && (!each_bound(core, *place, visit) || place->role == ListRole::undo)) return;
  }
}

json::Value describe_runtime() {
  return json::Value::object({{"name", "pawl"}, {"version", PAWL_VERSION}, {"metadata", json::Value::object()}});
}

json::Value describe_task(const dsl::Task& task) {
  auto descriptor = task.definition.is_object() ? task.definition : json::Value::object();
  descriptor.set("name", task.name);
  descriptor.set("reference", task.reference);
  descriptor.set("definition", task.definition);
  return descriptor;
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
  bool found = false;
  each_local(core_, at_, [&](std::string_view bound, const json::Value& is) {
    found = bound == name;
    if (found) value = is;
    return !found;
  });
  return found;
}

json::Value TaskScope::locals() const {
  auto all = json::Value::object();
  each_local(core_, at_, [&](std::string_view bound, const json::Value& is) {
    if (all.find(bound) == nullptr) all.set(bound, is);
    return true;
  });
  return all;
}

/// Of the task that evaluates; inside of an extension's lists, of the task that is extended (so that a log line can name it); inside of a
/// compensation, of the task that it undoes.
json::Value TaskScope::task_descriptor() const {
  const Activation* described = at_;
  if (described != nullptr && described->kind == Kind::list) described = nullptr;
  for (const auto* place = at_; place != nullptr; place = core_.parent_of(*place)) {
    if (place->kind == Kind::list && (place->role == ListRole::before || place->role == ListRole::after)) {
      described = core_.parent_of(*place);
      break;
    }
    if (place->kind == Kind::list && place->role == ListRole::undo) {
      const auto& undone = core_.wind_up.finished[place->number];
      auto descriptor = describe_task(core_.plan->task(undone.task));
      descriptor.set("input", undone.input);
      descriptor.set("output", undone.output);
      descriptor.set("startedAt", describe_time(undone.started_at));
      return descriptor;
    }
  }
  if (described == nullptr) return {};
  auto descriptor = describe_task(core_.task_of(*described));
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
