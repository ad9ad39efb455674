#include "dsl/excerpt.hpp"

#include <algorithm>

#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::dsl {
namespace {

Error unknown_task() {
  return {ErrorClass::unprocessable, "workflow.unknown_task", "There is no task of this reference that can stand alone."};
}

const Task* task_of(const Plan& plan, std::string_view reference) {
  const auto found = std::find_if(plan.tasks.begin(), plan.tasks.end(), [&](const Task& task) { return task.reference == reference; });
  return found == plan.tasks.end() ? nullptr : &*found;
}

/// `${ <before>["name"]<after> }`
std::string member_of(std::string_view before, std::string_view name, std::string_view after = "") {
  return "${ " + std::string(before) + '[' + json::to_text(json::Value(name)) + ']' + std::string(after) + " }";
}

json::Value one(std::string_view name, json::Value value) { return json::Value::object({{name, std::move(value)}}); }

void copy(const json::Value& from, std::string_view name, json::Value& to) {
  if (const auto* value = from.find(name)) to.set(name, *value);
}

// ---- variables ------------------------------------------------------------------------------------------------------------------

/// What `around` binds for the task at `reference`, which stands somewhere in it.
std::vector<std::string> bound_by(const Task& around, std::string_view reference) {
  if (const auto* loop = std::get_if<ForTask>(&around.body)) return {loop->each, loop->at};
  if (const auto* attempt = std::get_if<TryTask>(&around.body)) {
    if (reference.starts_with(around.reference + "/catch/")) return {attempt->handler.as};
  }
  const auto* listen = std::get_if<ListenTask>(&around.body);
  const auto* call = std::get_if<CallTask>(&around.body);
  const auto* each = listen != nullptr ? &listen->foreach : call != nullptr ? &call->foreach : nullptr;
  if (each != nullptr && *each) return {(*each)->item, (*each)->at};
  return {};
}

std::vector<std::string> variables_around(const Plan& plan, const Task& task) {
  std::vector<std::string> names;
  for (auto index = task.parent; index != kNoTask; index = plan.task(index).parent) {
    auto bound = bound_by(plan.task(index), task.reference);
    // The inner one hides the outer one.
    std::erase_if(bound, [&](const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); });
    names.insert(names.begin(), bound.begin(), bound.end());
  }
  if (task.reference.starts_with("/document/metadata/finally/")) {
    for (const auto* const name : {"status", "error"}) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.insert(names.begin(), name);
    }
  }
  return names;
}

// ---- the tasks beside it --------------------------------------------------------------------------------------------------------

bool is_directive(std::string_view name) { return name == "continue" || name == "exit" || name == "end"; }

bool jumps(const json::Value& body) {
  if (body.find("switch") != nullptr) return true;
  const auto& then = body.get("then");
  return then.is_string() && !is_directive(then.as_string());
}

json::Value arrival() { return json::Value::object({{"set", "${ . }"}, {"then", "end"}}); }

/// Of the list that the task stands in: those behind it first, since that is where a `switch` without a match goes on; then an end of that
/// list, then those before it.
std::vector<std::string> names_beside(const json::Value& list, std::size_t position) {
  const auto name_at = [&](std::size_t at) { return std::string(list.at(at).members().front().name()); };
  std::vector<std::string> names;
  for (auto at = position + 1; at < list.size(); ++at) names.push_back(name_at(at));
  if (names.empty()) names.emplace_back();
  for (std::size_t at = 0; at < position; ++at) names.push_back(name_at(at));
  return names;
}

std::string free_name(const std::vector<std::string>& taken, std::string name) {
  while (std::find(taken.begin(), taken.end(), name) != taken.end()) name += '-';
  return name;
}

// ---- both forms -----------------------------------------------------------------------------------------------------------------

/// The list that a task of the document stands in and its position there.
struct Place {
  const json::Value* list = nullptr;
  std::size_t position = 0;
};

Place place_of(const Plan& plan, const Task& task) {
  const auto name = task.reference.rfind('/');
  const auto number = name == std::string::npos || name == 0 ? std::string::npos : task.reference.rfind('/', name - 1);
  if (number == std::string::npos) return {};
  const auto* list = json::resolve(plan.document, std::string_view(task.reference).substr(0, number));
  if (list == nullptr || !list->is_array()) return {};
  for (std::size_t at = 0; at < list->size(); ++at) {
    const auto reference = json::pointer_child(json::pointer_child(std::string_view(task.reference).substr(0, number), at), task.name);
    if (reference == task.reference && list->at(at).find(task.name) != nullptr) return {list, at};
  }
  return {};
}

json::Value head_of(const Plan& plan) {
  auto head = json::Value::object();
  for (const auto* name : {"dsl", "namespace", "name", "version"}) copy(plan.document.get("document"), name, head);
  return head;
}

Result<Excerpt> of_list(const Plan& plan, const Task& task, const Given& given) {
  const auto place = place_of(plan, task);
  // What undoes a task needs that task around it.
  if (place.list == nullptr || task.reference.find("/metadata/compensate/") != std::string::npos) return unknown_task();
  Excerpt out;
  out.variables = variables_around(plan, task);
  out.input = json::Value::object({{"input", given.input}, {"context", given.context}, {"variables", given.variables}});

  auto tasks = json::Value::array({one(task.name, task.definition)});
  std::vector<std::string> beside;
  if (jumps(task.definition)) {
    beside = names_beside(*place.list, place.position);
    for (auto& name : beside) {
      if (name.empty()) name = free_name({beside.begin(), beside.end()}, task.name + "-end");
      tasks.push_back(one(name, arrival()));
    }
  }
  std::vector<std::string> steps;  // of the reference: position and name around the task, outermost first
  for (auto name = out.variables.rbegin(); name != out.variables.rend(); ++name) {
    auto loop = json::Value::object(
        {{"each", *name}, {"at", free_name(out.variables, "position")}, {"in", member_of("[$workflow.input.variables", *name, "]")}});
    const auto step = "with-" + *name;
    tasks = json::Value::array({one(step, json::Value::object({{"for", std::move(loop)}, {"do", std::move(tasks)}}))});
    steps.insert(steps.begin(), step);
  }
  std::size_t first = 0;
  if (given.context.is_object() && !given.context.empty()) {
    auto known = json::Value::object({{"set", "${ . }"}, {"export", one("as", "${ $workflow.input.context }")}});
    auto taken = beside;
    taken.push_back(steps.empty() ? task.name : steps.front());
    auto all = json::Value::array({one(free_name(taken, "given-context"), std::move(known))});
    for (const auto& item : tasks.items()) all.push_back(item);
    tasks = std::move(all);
    first = 1;
  }
  std::string list = "/do";
  for (const auto& step : steps) {
    list = json::pointer_child(json::pointer_child(json::pointer_child(list, first), step), "do");
    first = 0;
  }
  out.reference = json::pointer_child(json::pointer_child(list, first), task.name);
  for (std::size_t at = 0; at < beside.size(); ++at) {
    out.neighbours.push_back(json::pointer_child(json::pointer_child(list, first + 1 + at), beside[at]));
  }
  out.document = json::Value::object({{"document", head_of(plan)}});
  copy(plan.document, "evaluate", out.document);
  copy(plan.document, "use", out.document);
  out.document.set("input", one("from", "${ .input }"));
  out.document.set("do", std::move(tasks));
  return out;
}

Result<Excerpt> of_task_list(const Plan& plan, const Task& task, const Given& given) {
  const auto* written = json::resolve(plan.document, task.reference);
  if (written == nullptr || task.reference.rfind('/') != std::string_view("/tasks").size()) return unknown_task();
  Excerpt out;
  auto outputs = json::Value::object();
  auto tasks = json::Value::array();
  auto before = json::Value::array();
  for (const auto& other : plan.document.get("tasks").items()) {
    const auto& id = other.get("id");
    const auto* output = id.is_string() && id.as_string() != task.name ? given.input.find(id.as_string()) : nullptr;
    if (output == nullptr) continue;
    outputs.set(id.as_string(), *output);
    tasks.push_back(json::Value::object({{"id", id}, {"type", "set"}, {"params", member_of("$workflow.input.outputs", id.as_string())}}));
    before.push_back(id);
  }
  auto body = *written;
  body.erase("depends_on");
  if (!before.empty()) body.set("depends_on", before);
  out.reference = json::pointer_child("/tasks", tasks.size());
  tasks.push_back(std::move(body));
  out.input = json::Value::object({{"input", given.input.get("input")}, {"outputs", std::move(outputs)}});
  out.document = json::Value::object();
  for (const auto* name : {"id", "name", "namespace", "version", "evaluate", "use"}) copy(plan.document, name, out.document);
  out.document.set("input", one("from", "${ .input }"));
  out.document.set("tasks", std::move(tasks));
  return out;
}

}  // namespace

Result<Excerpt> excerpt(const Plan& plan, std::string_view reference, const Given& given) {
  const auto* task = task_of(plan, reference);
  if (task == nullptr) return unknown_task();
  return plan.task_list_form ? of_task_list(plan, *task, given) : of_list(plan, *task, given);
}

}  // namespace pawl::dsl
