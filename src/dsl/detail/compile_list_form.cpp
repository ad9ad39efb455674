/// The task-list form: `tasks` with `id`, `type`, `params` and dependencies, compiled to one graph task.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

/// DSL tasks that may be a `type`, with their body in `params`. (`switch` has nowhere to jump to.)
constexpr std::array<std::string_view, 11> kTaskTypes = {"set",   "wait", "do",     "for", "fork", "try",
                                                         "raise", "emit", "listen", "run", "call"};

/// `run_shell`, `run-script`, `run.workflow` ...: what runs; empty for other types.
std::string_view process_kind(std::string_view type) {
  if (type.size() < 5 || !type.starts_with("run") || std::string_view("_-.").find(type[3]) == std::string_view::npos) return {};
  for (const std::string_view kind : {"container", "script", "shell", "workflow"}) {
    if (type.substr(4) == kind) return kind;
  }
  return {};
}

}  // namespace

struct Compiler::ListTask {
  Node node;
  std::string id;
};

void Compiler::list_form(const Node& root) {
  constexpr std::array<std::string_view, 16> kMembers = {"id",      "name",     "title", "description", "summary", "namespace",
                                                         "version", "metadata", "tags",  "tasks",       "input",   "output",
                                                         "timeout", "schedule", "use",   "evaluate"};
  plan_.task_list_form = true;
  std::vector<std::string_view> known(kMembers.begin(), kMembers.end());
  known.emplace_back("max_parallel");
  check_members(root, known, "A workflow in task-list form");
  const auto id = member(root, "id");
  const auto name = member(root, "name");
  if (id) plan_.name = text(*id, "`id`").value_or("");
  if (name) plan_.name = text(*name, "`name`").value_or("");
  if (!id && !name) missing("", "name", "A workflow in task-list form");
  if ((id || name) && (plan_.name.empty() || plan_.name.size() > 255)) {
    report_.error(name ? name->pointer : id->pointer, "invalid-name", "The name of a workflow has 1 to 255 characters.");
  }
  plan_.namespace_name = "default";
  plan_.version = "0.1.0";
  if (const auto node = member(root, "namespace")) plan_.namespace_name = text(*node, "`namespace`").value_or("");
  if (const auto node = member(root, "version")) plan_.version = text(*node, "`version`").value_or("");
  if (const auto node = member(root, "title")) plan_.title = text(*node, "`title`").value_or("");
  for (const std::string_view key : {"description", "summary"}) {
    if (const auto node = member(root, key)) plan_.summary = text(*node, "`" + std::string(key) + '`').value_or("");
  }
  if (const auto node = member(root, "metadata"); node && is_object(*node, "`metadata`")) plan_.metadata = node->value;
  workflow_data(root);
  if (const auto node = member(root, "timeout")) plan_.timeout = list_timeout(*node);

  auto max_parallel = GraphTask().max_parallel;
  if (const auto node = member(root, "max_parallel")) {
    max_parallel = static_cast<std::uint32_t>(integer(*node, "`max_parallel`", 1, 1000).value_or(max_parallel));
  }
  const auto index = graph_of(*member(root, "tasks"), plan_.name, max_parallel, task_names());
  if (index == kNoTask) return;
  plan_.root.tasks.push_back(index);
  finally_tasks();
  check_definitions();
}

/// The task that runs a list of tasks with dependencies.
TaskIndex Compiler::graph_of(const Node& tasks, const std::string& name, std::uint32_t max_parallel, const Names& names) {
  const TaskIndex index = reserve_task(tasks.pointer);
  if (index == kNoTask || !is_list(tasks, "A list of tasks")) return kNoTask;
  GraphTask graph;
  graph.max_parallel = max_parallel;
  std::vector<ListTask> listed;
  for (std::size_t i = 0; i < tasks.value.size(); ++i) {
    ListTask one{item(tasks, i), {}};
    if (!is_object(one.node, "A task")) continue;
    if (const auto given = required(one.node, "id", "A task")) {
      one.id = text(*given, "`id`").value_or("");
      const bool taken =
          std::any_of(listed.begin(), listed.end(), [&](const ListTask& other) { return !one.id.empty() && other.id == one.id; });
      if (taken) report_.error(given->pointer, "duplicate-task", "There is a task with the id `" + one.id + "` already: ids must differ.");
      if (one.id == "input")
        report_.error(given->pointer, "reserved-name", "`input` cannot be an id: `.input` is the input of the workflow.");
      if (given->value.is_string() && one.id.empty()) report_.error(given->pointer, "reserved-name", "A task needs an id.");
    }
    listed.push_back(std::move(one));
  }
  Place place;
  place.parent = index;
  place.names = names;
  for (const ListTask& one : listed) list_node(one, place, graph);
  list_dependencies(listed, graph);

  Task made;
  made.index = index;
  made.name = name;
  made.reference = tasks.pointer;
  made.type = "graph";
  made.definition = tasks.value;
  made.body = std::move(graph);
  plan_.tasks[index] = std::move(made);
  return index;
}

void Compiler::list_node(const ListTask& one, const Place& place, GraphTask& graph) {
  constexpr std::array<std::string_view, 13> kMembers = {"id",         "name",   "description", "type",    "params",
                                                         "depends_on", "run_if", "max_retries", "timeout", "input",
                                                         "output",     "export", "metadata"};
  const Node& node = one.node;
  const TaskIndex index = reserve_task(node.pointer);
  GraphNode entry;
  entry.task = index;
  if (index == kNoTask) return;
  check_members(node, kMembers, "A task of a task list");
  if (const auto condition = member(node, "run_if")) entry.run_if = expression(*condition, place.names, "`run_if`");
  if (const auto retries = member(node, "max_retries")) {
    const auto count = integer(*retries, "`max_retries`", 0, 1000);
    if (count && *count > 0) {
      // 2, 4, 8 ... seconds.
      RetryPolicy policy;
      policy.delay = Template(json::Value::object({{"seconds", json::Value(2)}}));
      policy.backoff = RetryPolicy::Backoff::exponential;
      policy.max_retries = static_cast<std::uint32_t>(*count);
      entry.retry = std::move(policy);
    }
  }
  list_task(index, node, one.id, place);
  graph.nodes.push_back(std::move(entry));
}

/// What a task of this form has whether or not it is part of a graph.
void Compiler::list_task(TaskIndex index, const Node& node, const std::string& name, const Place& place) {
  Task made;
  made.index = index;
  made.parent = place.parent;
  made.name = name;
  made.reference = place.reference(node.pointer);
  made.definition = node.value;
  made.sees_secrets = !in_function_;
  const Names after = with_name(place.names, "output");
  if (const auto input = member(node, "input")) made.input = data_in(*input, place.names);
  if (const auto output = member(node, "output")) made.output = data_out(*output, after, "`output`");
  if (const auto exported = member(node, "export")) made.export_to = data_out(*exported, after, "`export`");
  if (const auto limit = member(node, "timeout")) made.timeout = list_timeout(*limit);
  for (const std::string_view key : {"name", "description"}) {
    if (const auto given = member(node, key)) (void)text(*given, "`" + std::string(key) + '`');
  }
  task_metadata(made, node);
  Place below = place;
  below.parent = index;
  if (const auto type = required(node, "type", "A task")) list_body(made, node, *type, below);
  on_unknown(made, node, below);
  compensation(made, node, below);
  apply_extensions(made, below);
  plan_.tasks[index] = std::move(made);
}

void Compiler::list_body(Task& task, const Node& node, const Node& type, const Place& place) {
  const auto name = text(type, "`type`");
  task.body = CallTask{};
  if (!name) return;
  task.type = *name;
  auto params = member(node, "params");
  if (params && params->value.is_null()) params = Node{json::Value::object(), params->pointer};
  const bool own = function_tasks_.find(*name) != function_tasks_.end();
  if (!own && std::find(kTaskTypes.begin(), kTaskTypes.end(), *name) != kTaskTypes.end()) {
    if (!params) return missing(node.pointer, "params", "A task of type `" + *name + '`');
    // Tasks with more than one member are written whole below `params`; so may the others be.
    if (params->value.is_object() && params->value.find(*name))
      return body(task, *params, place, {{}, "tasks of a task list follow `depends_on`"});
    if (*name == "for" || *name == "try" || *name == "call" || *name == "listen") return missing(params->pointer, *name, "`params`");
    return simple_body(task, *params, place);
  }
  if (*name == "switch") {
    return report_.error(type.pointer, "unknown-task-type", "A task list has no `switch`: give each of the tasks its `run_if`.");
  }
  if (own) {
    Node call{json::Value::object({{"call", json::Value(*name)}}), node.pointer};
    if (params && is_object(*params, "`params`")) call.value.set("with", params->value);
    return invoke(task, *name, call, place);
  }
  if (is_protocol(*name)) {
    if (!params) return missing(node.pointer, "params", "A task of type `" + *name + '`');
    return protocol_call(task, *name, *params, place);
  }
  if (const std::string_view kind = process_kind(*name); !kind.empty()) {
    if (!params) return missing(node.pointer, "params", "A task of type `" + *name + '`');
    Node process = *params;
    process.value.erase("await");
    process.value.erase("return");
    return run_process(task, kind, process, member(*params, "await"), member(*params, "return"), place);
  }
  const auto* signature = functions_.find(*name);
  if (!signature && functions_.definition(*name, {}) == nullptr && *name != "agent" && name->find(':') == std::string::npos &&
      name->find('@') == std::string::npos) {
    std::vector<std::string> names = functions_.names();
    names.emplace_back("agent");
    for (const auto& [known, definition] : function_tasks_) names.push_back(known);
    names.insert(names.end(), kTaskTypes.begin(), kTaskTypes.end());
    report_.error(type.pointer, "unknown-task-type", "There is no function or task type `" + name->substr(0, 60) + "`.",
                  nearest(*name, names));
    return;
  }
  catalog_call(task, type, params, place);
  task.type = std::holds_alternative<AgentTask>(task.body) ? "agent" : std::get<CallTask>(task.body).function;
}

std::optional<Template> Compiler::list_timeout(const Node& node) {
  if (node.value.is_object() && node.value.find("after")) return timeout(node, task_names());
  if (node.value.is_string() && timeouts_.find(node.value.as_string()) != timeouts_.end()) return timeout(node, task_names());
  return duration(node, task_names(), true);
}

void Compiler::list_dependencies(const std::vector<ListTask>& tasks, GraphTask& graph) {
  constexpr std::array<std::string_view, 2> kMembers = {"id", "status"};
  constexpr std::array<std::string_view, 1> kStatus = {"completed"};
  std::unordered_map<std::string, std::uint32_t> positions;
  std::vector<std::string_view> ids;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    positions.emplace(tasks[i].id, static_cast<std::uint32_t>(i));
    ids.push_back(tasks[i].id);
  }
  std::vector<std::vector<std::string>> places(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size() && i < tasks.size(); ++i) {
    const auto given = member(tasks[i].node, "depends_on");
    if (!given || given->value.is_null()) continue;
    std::vector<Node> wanted;
    if (given->value.is_array()) {
      for (std::size_t n = 0; n < given->value.size(); ++n) wanted.push_back(item(*given, n));
    } else {
      wanted.push_back(*given);
    }
    for (const Node& one : wanted) {
      GraphNode::Dependency dependency;
      Node id = one;
      if (one.value.is_object()) {
        check_members(one, kMembers, "A dependency");
        const auto named = required(one, "id", "A dependency");
        if (const auto status = member(one, "status")) dependency.must_complete = one_of(*status, "`status`", kStatus).has_value();
        if (!named) continue;
        id = *named;
      }
      const auto name = text(id, "A dependency");
      if (!name) continue;
      const auto found = positions.find(*name);
      if (found == positions.end() || name->empty()) {
        report_.error(id.pointer, "unknown-dependency", "There is no task with the id `" + name->substr(0, 60) + "` to depend on.",
                      nearest(*name, std::span<const std::string_view>(ids)));
        continue;
      }
      dependency.node = found->second;
      auto& all = graph.nodes[i].depends_on;
      const auto twice = std::find_if(all.begin(), all.end(), [&](const auto& other) { return other.node == dependency.node; });
      if (twice != all.end()) {
        twice->must_complete = twice->must_complete || dependency.must_complete;
        continue;
      }
      all.push_back(dependency);
      places[i].push_back(id.pointer);
    }
  }
  find_cycles(tasks, graph, places);
}

/// Walks along the dependencies; an edge back to a node of the walk closes a circle.
void Compiler::find_cycles(const std::vector<ListTask>& tasks, const GraphTask& graph,
                           const std::vector<std::vector<std::string>>& places) {
  enum class Mark : std::uint8_t { fresh, open, done };
  std::vector<Mark> marks(graph.nodes.size(), Mark::fresh);
  struct Step {
    std::uint32_t node = 0;
    std::size_t next = 0;
  };
  for (std::uint32_t start = 0; start < graph.nodes.size(); ++start) {
    if (marks[start] != Mark::fresh) continue;
    std::vector<Step> path{{start}};
    marks[start] = Mark::open;
    while (!path.empty()) {
      Step& step = path.back();
      const auto& edges = graph.nodes[step.node].depends_on;
      if (step.next == edges.size()) {
        marks[step.node] = Mark::done;
        path.pop_back();
        continue;
      }
      const std::size_t edge = step.next++;
      const std::uint32_t target = edges[edge].node;
      if (target >= marks.size()) continue;
      if (marks[target] == Mark::fresh) {
        marks[target] = Mark::open;
        path.push_back({target});
      } else if (marks[target] == Mark::open) {
        std::string circle;
        bool inside = false;
        for (const Step& passed : path) {
          inside = inside || passed.node == target;
          if (inside && circle.size() < 500) circle += '`' + tasks[passed.node].id + "` -> ";
        }
        report_.error(places[step.node][edge], "dependency-cycle",
                      "The tasks depend on each other in a circle: " + circle + '`' + tasks[target].id + "`.");
      }
    }
  }
}

}  // namespace pawl::dsl::detail
