#include "agents/safeguards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "catalog/version_diff.hpp"

namespace pawl::agents {
namespace {

/// Members of a task, or of the whole document, that hold it back, wherever they stand in it.
constexpr std::array<std::string_view, 24> kLimits = {
    "timeout",           "if",          "while",      "until",          "limit",       "schema",           "budget",
    "max_turns",         "max_repairs", "max_tokens", "max_tool_calls", "max_retries", "max_result_bytes", "on_budget",
    "on_unknown",        "effect",      "untrusted",  "stop_when",      "approval",    "approvers",        "after_untrusted",
    "approval_deadline", "compensate",  "finally"};
/// Where tasks of their own stand: they are looked at by themselves.
constexpr std::array<std::string_view, 4> kTaskLists = {"do", "try", "branches", "tasks"};

template <std::size_t kSize>
bool is_in(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string path_of(const dsl::Plan& plan, const dsl::Task& task) {
  std::string path;
  for (const auto* at = &task;; at = &plan.task(at->parent)) {
    path.insert(0, "/" + at->name);
    if (at->parent == dsl::kNoTask) return path;
  }
}

bool is_approval(const dsl::Task& task) {
  const auto* call = std::get_if<dsl::CallTask>(&task.body);
  return call != nullptr && call->function == "approval" && !call->of_agent;
}

/// With its name or place a compensation would go unseen.
bool undoes_something(const dsl::Task& task) { return task.metadata.find("compensate") != nullptr; }

/// Pointers within the task.
void collect(const json::Value& value, const std::string& pointer, std::map<std::string, json::Value>& limits) {
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.items().size(); ++i) collect(value.items()[i], pointer + "/" + std::to_string(i), limits);
  }
  if (!value.is_object()) return;
  for (const auto& member : value.members()) {
    const auto below = pointer + "/" + std::string(member.name());
    if (is_in(kLimits, member.name())) {
      limits.emplace(below, member.value);
    } else if (!is_in(kTaskLists, member.name())) {
      collect(member.value, below, limits);
    }
  }
}

std::map<std::string, json::Value> limits_of(const json::Value& definition) {
  std::map<std::string, json::Value> limits;
  collect(definition, "", limits);
  return limits;
}

void compare(const std::string& where, const json::Value& before, const json::Value& after, std::vector<std::string>& found) {
  const auto there = limits_of(after);
  for (const auto& [pointer, value] : limits_of(before)) {
    const auto same = there.find(pointer);
    if (same == there.end()) {
      found.push_back(fmt::format("{} has no `{}` any more", where, pointer.substr(1)));
    } else if (same->second != value) {
      found.push_back(fmt::format("{} has another `{}`", where, pointer.substr(1)));
    }
  }
}

}  // namespace

std::vector<std::string> weakened(const dsl::Plan& before, const dsl::Plan& after) {
  std::vector<std::string> found;
  const auto whole = [](const dsl::Plan& plan) {
    auto limits = json::Value::object();
    for (const auto* const name : {"timeout", "input"}) {
      if (const auto* const limit = plan.document.find(name)) limits.set(name, *limit);
    }
    if (const auto* const last = plan.metadata.find("finally")) limits.set("finally", *last);
    return limits;
  };
  compare("The workflow", whole(before), whole(after), found);
  std::map<std::string, const dsl::Task*> there;
  for (const auto& task : after.tasks) there.emplace(path_of(after, task), &task);
  const auto changes = catalog::diff_tasks(before, after);
  for (const auto& task : before.tasks) {
    const auto path = path_of(before, task);
    const auto same = there.find(path);
    if (is_approval(task)) {
      if (same == there.end() || !is_approval(*same->second)) {
        found.push_back(fmt::format("The approval {} is gone", path));
      } else if (same->second->definition != task.definition) {
        found.push_back(fmt::format("The approval {} is changed", path));
      } else if (std::ranges::any_of(
                     changes, [&](const auto& change) { return change.kind == catalog::TaskChange::Kind::moved && change.path == path; })) {
        found.push_back(fmt::format("The approval {} stands at another place", path));
      }
      continue;
    }
    if (same == there.end() && undoes_something(task))
      found.push_back(fmt::format("The task {}, which is undone where a run fails, is gone", path));
    if (same != there.end()) compare("The task " + path, task.definition, same->second->definition, found);
  }
  return found;
}

bool starts_alike(const dsl::Plan& before, const dsl::Plan& after) {
  return before.document.get("schedule") == after.document.get("schedule") && before.metadata == after.metadata &&
         catalog::diff_triggers(before, after).empty();
}

}  // namespace pawl::agents
