// Task lists of the earlier product: YAML with `id`, `name`, `description`, `metadata`, `tasks[]` of `id, type, params, run_if, depends_on,
// max_retries`. They stay task lists. Without any `depends_on` the tasks ran one after the other, and a failure did not stop the later
// ones: so does a list with `max_parallel: 1`.
#include <algorithm>
#include <array>

#include "catalog/detail/import_flow.hpp"
#include "catalog/detail/importers.hpp"

namespace pawl::catalog::detail {
namespace {

/// `${NAME}`: values of the environment, shown in examples and never implemented. Ours are secrets that the document names.
class Placeholders {
 public:
  explicit Placeholders(Findings& findings) : findings_(findings) {}

  json::Value convert(const json::Value& value, const std::string& pointer) {
    if (value.is_string()) return text(value.as_string(), pointer);
    if (value.is_array()) {
      auto items = json::Value::array();
      for (const auto& item : value.items()) items.push_back(convert(item, pointer));
      return items;
    }
    if (value.is_object()) {
      auto members = json::Value::object();
      for (const auto& member : value.members()) members.set(member.name(), convert(member.value, pointer));
      return members;
    }
    return value;
  }
  [[nodiscard]] const std::set<std::string>& names() const { return names_; }

 private:
  static bool is_name(std::string_view text) {
    const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
  }

  json::Value text(std::string_view whole, const std::string& pointer) {
    if (whole.find("${") == std::string_view::npos) return whole;
    std::string jq;
    auto rest = whole;
    const auto add = [&jq](const std::string& part) { jq += (jq.empty() ? "" : " + ") + part; };
    while (!rest.empty()) {
      const auto open = rest.find("${");
      const auto close = open == std::string_view::npos ? open : rest.find('}', open);
      if (open == std::string_view::npos || close == std::string_view::npos) {
        add(jq_text(rest));
        break;
      }
      const auto name = rest.substr(open + 2, close - open - 2);
      if (!is_name(name)) {
        report(findings_, pointer, "`" + std::string(whole) + "` is kept as it is written: the placeholder is not a plain name.");
        return literal(whole);
      }
      if (open > 0) add(jq_text(rest.substr(0, open)));
      add("$secrets." + std::string(name));
      if (names_.insert(std::string(name)).second) {
        report(findings_, pointer,
               "`${" + std::string(name) + "}` reads the secret `" + std::string(name) + "` now, which must be provided.");
      }
      rest = rest.substr(close + 1);
    }
    return expression(jq);
  }

  Findings& findings_;
  std::set<std::string> names_;
};

void copy_condition(const json::Value& source, json::Value& task, const std::string& pointer, Findings& findings) {
  const auto& condition = source.get("run_if");
  if (condition.is_null()) return;
  const auto& word = condition.is_object() ? condition.get("condition") : condition;
  if (word.is_bool() && word.as_bool()) return;
  if (word.is_string() && (word.as_string() == "always" || word.as_string() == "true")) return;
  if (word.is_bool() || (word.is_string() && (word.as_string() == "never" || word.as_string() == "false"))) {
    task.set("run_if", false);
    return;
  }
  if (condition.is_string() && condition.as_string().starts_with("${")) {
    task.set("run_if", condition);
    return;
  }
  report(findings, pointer + "/run_if", "This condition was never evaluated and has no meaning that could be kept: the task is not run.");
  task.set("run_if", false);
}

json::Value import_task(const json::Value& source, std::size_t position, Placeholders& placeholders, Findings& findings) {
  static constexpr std::array<std::string_view, 9> kKnown{"id",          "type",    "params", "run_if",     "depends_on",
                                                          "max_retries", "timeout", "name",   "description"};
  const auto pointer = "/tasks/" + std::to_string(position);
  auto task =
      json::Value::object({{"id", text_or(source, "id", "task-" + std::to_string(position + 1))}, {"type", text_or(source, "type", "")}});
  if (const auto& params = source.get("params"); !params.is_null()) task.set("params", placeholders.convert(params, pointer + "/params"));
  for (const auto* name : {"depends_on", "max_retries", "timeout", "name", "description"}) {
    if (const auto& value = source.get(name); !value.is_null()) task.set(name, value);
  }
  copy_condition(source, task, pointer, findings);
  for (const auto& member : source.members()) {
    if (std::find(kKnown.begin(), kKnown.end(), member.name()) == kKnown.end()) {
      report(findings, pointer, "`" + std::string(member.name()) + "` has no meaning here and is left out.");
    }
  }
  return task;
}

}  // namespace

std::string text_or(const json::Value& object, std::string_view name, std::string_view otherwise) {
  const auto& value = object.get(name);
  return std::string(value.is_string() ? value.as_string() : otherwise);
}

json::Value import_tasks(const json::Value& source, Findings& findings) {
  auto list = json::Value::object();
  for (const auto* name : {"id", "name", "description", "metadata", "schedule"}) {
    if (const auto& value = source.get(name); !value.is_null()) list.set(name, value);
  }
  if (list.get("name").is_null() && list.get("id").is_null()) list.set("name", "imported");
  Placeholders placeholders(findings);
  auto tasks = json::Value::array();
  bool depends = false;
  for (std::size_t i = 0; i < source.get("tasks").size(); ++i) {
    const auto& task = source.get("tasks").at(i);
    if (!task.is_object()) {
      report(findings, "/tasks/" + std::to_string(i), "This is not a task and is left out.");
      continue;
    }
    depends = depends || !task.get("depends_on").empty();
    tasks.push_back(import_task(task, i, placeholders, findings));
  }
  if (!depends && tasks.size() > 1) list.set("max_parallel", 1);
  if (!placeholders.names().empty()) {
    auto names = json::Value::array();
    for (const auto& name : placeholders.names()) names.push_back(name);
    list.set("use", json::Value::object({{"secrets", std::move(names)}}));
  }
  list.set("tasks", std::move(tasks));
  return list;
}

}  // namespace pawl::catalog::detail
