#include "catalog/version_diff.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "catalog/schedule_spec.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::catalog {
namespace {

struct Place {
  const dsl::Task* task = nullptr;
  std::string parent;  ///< path of what holds it
  json::Value own;     ///< its definition without the tasks it holds
};
/// In document order, by path.
struct Outline {
  std::vector<std::string> paths;
  std::unordered_map<std::string, Place> places;
};

/// Members that hold tasks: what is in them is compared task by task.
json::Value without_tasks(json::Value definition) {
  if (!definition.is_object()) return definition;
  for (const auto* name : {"do", "try", "tasks"}) {
    if (definition.get(name).is_array()) definition.erase(name);
  }
  for (const auto* name : {"fork", "catch", "foreach"}) {
    auto part = definition.get(name);
    if (!part.is_object()) continue;
    part.erase("do");
    part.erase("branches");
    definition.set(name, std::move(part));
  }
  if (auto listen = definition.get("listen"); listen.is_object() && listen.get("foreach").is_object()) {
    auto part = listen.get("foreach");
    part.erase("do");
    listen.set("foreach", std::move(part));
    definition.set("listen", std::move(listen));
  }
  return definition;
}

/// Tasks that the document itself holds: copies of functions and extensions, and the steps of agents, are not its own.
bool is_copy(const dsl::Task& task) {
  const auto* call = std::get_if<dsl::CallTask>(&task.body);
  const bool is_step = (call != nullptr && call->of_agent) || task.type == "tool";
  if (is_step) return true;
  return task.reference.find("/call/") != std::string::npos || task.reference.find("/extensions/") != std::string::npos;
}

Outline outline_of(const dsl::Plan& plan) {
  std::vector<const dsl::Task*> ordered;
  for (const auto& task : plan.tasks) {
    const bool is_list_root = plan.task_list_form && task.parent == dsl::kNoTask;
    if (!is_list_root && !is_copy(task)) ordered.push_back(&task);
  }
  Outline outline;
  std::unordered_map<dsl::TaskIndex, std::string> path_of;
  for (const auto* task : ordered) {
    const auto above = path_of.find(task->parent);
    const auto parent = above == path_of.end() ? std::string() : above->second;
    auto path = parent + "/" + task->name;
    for (int twin = 2; outline.places.contains(path); ++twin) path = parent + "/" + task->name + "#" + std::to_string(twin);
    path_of[task->index] = path;
    outline.paths.push_back(path);
    outline.places.emplace(path, Place{task, parent, without_tasks(task->definition)});
  }
  return outline;
}

/// Of the tasks that both hold under one parent: those that are not part of the longest run in unchanged order.
std::vector<std::string> moved_among(const std::vector<std::string>& order,
                                     const std::unordered_map<std::string, std::size_t>& old_position) {
  std::vector<std::size_t> tails;  // tails[n]: index into `order` of the smallest end of an ascending run of n + 1
  std::vector<std::ptrdiff_t> previous(order.size(), -1);
  const auto position = [&](std::size_t index) { return old_position.at(order[index]); };
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto place = std::lower_bound(tails.begin(), tails.end(), position(i),
                                        [&](std::size_t index, std::size_t wanted) { return position(index) < wanted; });
    if (place != tails.begin()) previous[i] = static_cast<std::ptrdiff_t>(*(place - 1));
    if (place == tails.end()) {
      tails.push_back(i);
    } else {
      *place = i;
    }
  }
  std::vector<bool> kept(order.size(), false);
  for (auto i = tails.empty() ? -1 : static_cast<std::ptrdiff_t>(tails.back()); i >= 0; i = previous[static_cast<std::size_t>(i)]) {
    kept[static_cast<std::size_t>(i)] = true;
  }
  std::vector<std::string> moved;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!kept[i]) moved.push_back(order[i]);
  }
  return moved;
}

std::vector<std::string> moved_tasks(const Outline& before, const Outline& after) {
  std::map<std::string, std::vector<std::string>> siblings;  // by parent, in the new order
  for (const auto& path : after.paths) {
    if (before.places.contains(path)) siblings[after.places.at(path).parent].push_back(path);
  }
  std::unordered_map<std::string, std::size_t> old_position;
  for (std::size_t i = 0; i < before.paths.size(); ++i) old_position[before.paths[i]] = i;
  std::vector<std::string> moved;
  for (const auto& [parent, order] : siblings) {
    for (auto& path : moved_among(order, old_position)) moved.push_back(std::move(path));
  }
  return moved;
}

struct Declared {
  std::string type;
  json::Value details;
};

std::vector<Declared> triggers_of(const dsl::Plan& plan) {
  std::vector<Declared> declared;
  if (const auto specs = specs_of(plan); specs.has_value()) {
    for (const auto& spec : *specs) {
      auto details = json::Value::object({{"kind", spec.kind}});
      if (spec.details.is_object()) {
        for (const auto& member : spec.details.members()) details.set(member.name(), member.value);
      }
      if (spec.kind == "on") details.set("on", plan.document.get("schedule").get("on"));
      declared.push_back({"schedule", std::move(details)});
    }
  }
  const auto& webhook = plan.metadata.get("webhook");
  if (webhook.is_object() || (webhook.is_bool() && webhook.as_bool())) declared.push_back({"webhook", webhook});
  return declared;
}

}  // namespace

std::string_view to_text(TaskChange::Kind kind) {
  switch (kind) {
    case TaskChange::Kind::added: return "added";
    case TaskChange::Kind::removed: return "removed";
    case TaskChange::Kind::changed: return "changed";
    case TaskChange::Kind::moved: return "moved";
  }
  return "";
}

std::string text_of(const Definition& definition) {
  if (definition.format == Definition::Format::text) return definition.text;
  const auto value = json::parse(definition.text);
  return value.has_value() ? json::to_text(*value, {.indent = 2}) : definition.text;
}

std::vector<TaskChange> diff_tasks(const dsl::Plan& before, const dsl::Plan& after) {
  const auto old_outline = outline_of(before);
  const auto new_outline = outline_of(after);
  std::vector<TaskChange> changes;
  const auto add = [&](TaskChange::Kind kind, const std::string& path, const dsl::Task& task) {
    changes.push_back({kind, path, task.reference, task.type});
  };
  for (const auto& path : old_outline.paths) {
    if (!new_outline.places.contains(path)) add(TaskChange::Kind::removed, path, *old_outline.places.at(path).task);
  }
  const auto moved = moved_tasks(old_outline, new_outline);
  for (const auto& path : new_outline.paths) {
    const auto& place = new_outline.places.at(path);
    const auto old_place = old_outline.places.find(path);
    if (old_place == old_outline.places.end()) {
      add(TaskChange::Kind::added, path, *place.task);
    } else if (old_place->second.own != place.own) {
      add(TaskChange::Kind::changed, path, *place.task);
    } else if (std::find(moved.begin(), moved.end(), path) != moved.end()) {
      add(TaskChange::Kind::moved, path, *place.task);
    }
  }
  return changes;
}

std::vector<TriggerChange> diff_triggers(const dsl::Plan& before, const dsl::Plan& after) {
  auto old_triggers = triggers_of(before);
  auto new_triggers = triggers_of(after);
  std::erase_if(old_triggers, [&](const Declared& old_trigger) {
    const auto same = std::find_if(new_triggers.begin(), new_triggers.end(), [&](const Declared& fresh) {
      return fresh.type == old_trigger.type && fresh.details == old_trigger.details;
    });
    if (same == new_triggers.end()) return false;
    new_triggers.erase(same);
    return true;
  });
  std::vector<TriggerChange> changes;
  for (auto& gone : old_triggers) {
    // One of the same kind that came in its place is the same trigger, changed.
    const auto successor = std::find_if(new_triggers.begin(), new_triggers.end(), [&](const Declared& fresh) {
      return fresh.type == gone.type && fresh.details.get("kind") == gone.details.get("kind");
    });
    TriggerChange change{gone.type, std::move(gone.details), {}};
    if (successor != new_triggers.end()) {
      change.after = std::move(successor->details);
      new_triggers.erase(successor);
    }
    changes.push_back(std::move(change));
  }
  for (auto& fresh : new_triggers) changes.push_back({fresh.type, {}, std::move(fresh.details)});
  return changes;
}

}  // namespace pawl::catalog
