/// The document as a whole: its head, `use`, and the workflow's own input, output and timeout.
#include <algorithm>
#include <array>
#include <set>

#include "dsl/detail/call_shapes.hpp"
#include "dsl/detail/compiler.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

/// Variables at the workflow's own level: there is no task.
const Names& workflow_names() {
  static const Names names = {"context", "input", "secrets", "workflow", "runtime", "authorization"};
  return names;
}

}  // namespace

Compiler::Compiler(const yaml::Document& document, Reporter& reporter, const FunctionCatalog& functions, const CompileLimits& limits,
                   Source source)
    : document_(document), report_(reporter), functions_(functions), limits_(limits), source_(source) {}

Plan Compiler::run() {
  const Node root{document_.value, ""};
  plan_.document = root.value;
  if (is_object(root, "A workflow")) {
    if (root.value.find("tasks") && !root.value.find("do")) {
      list_form(root);
    } else {
      dsl_form(root);
    }
  }
  if (overflow_) {
    report_.error(*overflow_, "too-many-tasks",
                  "The workflow has more than " + std::to_string(limits_.max_tasks) +
                      " tasks once functions and extensions are in place, or the functions have more than 8 MiB then.");
  }
  return std::move(plan_);
}

Plan Compiler::run_function(const std::string& self) {
  const Node root{document_.value, ""};
  plan_.name = self;
  plan_.document = root.value;
  in_function_ = true;
  calling_.push_back(self);
  if (is_object(root, "A function")) {
    Place place;
    place.names = function_names();
    const TaskIndex only = task(root, self, place, {{}, "a function is not in a list"});
    if (only != kNoTask) plan_.root.tasks.push_back(only);
  }
  if (overflow_) {
    report_.error(*overflow_, "too-many-tasks",
                  "The function has more than " + std::to_string(limits_.max_tasks) +
                      " tasks with those of the functions that it calls, or these have more than 8 MiB when they stand at each call.");
  }
  return std::move(plan_);
}

void Compiler::dsl_form(const Node& root) {
  constexpr std::array<std::string_view, 8> kMembers = {"document", "input", "use", "do", "timeout", "output", "schedule", "evaluate"};
  check_members(root, kMembers, "A workflow");
  if (const auto block = required(root, "document", "A workflow")) document_block(*block);
  workflow_data(root);
  if (const auto tasks = required(root, "do", "A workflow")) {
    Place place;
    place.names = task_names();
    plan_.root = task_list(*tasks, place);
  }
  finally_tasks();
  check_definitions();
}

void Compiler::document_block(const Node& block) {
  constexpr std::array<std::string_view, 8> kMembers = {"dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"};
  if (!is_object(block, "`document`")) return;
  check_members(block, kMembers, "`document`");
  const auto version_text = [&](const Node& node, std::string_view what) -> std::string {
    auto given = text(node, what);
    if (!given) return {};
    if (!is_semantic_version(*given)) {
      report_.error(node.pointer, "invalid-version", std::string(what) + " must be a semantic version such as `1.0.0`.");
    }
    return std::move(*given);
  };
  const auto label = [&](const Node& node, std::string_view what) -> std::string {
    auto given = text(node, what);
    if (!given) return {};
    if (!is_label(*given)) {
      report_.error(node.pointer, "invalid-name", std::string(what) + " consists of letters, digits and inner dashes, 63 at most.");
    }
    return std::move(*given);
  };
  if (const auto dsl = required(block, "dsl", "`document`")) {
    const std::string version = version_text(*dsl, "`dsl`");
    if (is_semantic_version(version) && !version.starts_with("1.0.")) {
      report_.error(dsl->pointer, "unsupported-dsl-version",
                    "Versions 1.0.x of the language are understood, not `" + version.substr(0, 40) + "`.", "1.0.3");
    }
  }
  if (const auto node = required(block, "namespace", "`document`")) plan_.namespace_name = label(*node, "`namespace`");
  if (const auto node = required(block, "name", "`document`")) plan_.name = label(*node, "`name`");
  if (const auto node = required(block, "version", "`document`")) plan_.version = version_text(*node, "`version`");
  if (const auto node = member(block, "title")) plan_.title = text(*node, "`title`").value_or("");
  if (const auto node = member(block, "summary")) plan_.summary = text(*node, "`summary`").value_or("");
  if (const auto node = member(block, "tags")) (void)is_object(*node, "`tags`");
  if (const auto node = member(block, "metadata"); node && is_object(*node, "`metadata`")) plan_.metadata = node->value;
}

void Compiler::evaluate_block(const Node& root) {
  constexpr std::array<std::string_view, 2> kMembers = {"language", "mode"};
  constexpr std::array<std::string_view, 2> kModes = {"strict", "loose"};
  const auto block = member(root, "evaluate");
  if (!block || !is_object(*block, "`evaluate`")) return;
  check_members(*block, kMembers, "`evaluate`");
  if (const auto language = member(*block, "language")) {
    const auto name = text(*language, "`language`");
    if (name && *name != "jq")
      report_.error(language->pointer, "unsupported-language", "Expressions are written in jq; no other language is understood.", "jq");
  }
  if (const auto mode = member(*block, "mode")) loose_ = one_of(*mode, "`mode`", kModes) == "loose";
}

/// What both forms of a document share, in the order in which the rest needs it.
void Compiler::workflow_data(const Node& root) {
  evaluate_block(root);
  use_block(root);
  if (const auto node = member(root, "schedule")) schedule(*node, plan_.metadata);
  workflow_metadata();
  if (const auto node = member(root, "input")) plan_.input = data_in(*node, workflow_names());
  if (const auto node = member(root, "output")) plan_.output = data_out(*node, with_name(workflow_names(), "output"), "`output`");
  if (const auto node = member(root, "timeout"); node && !root.value.find("tasks")) plan_.timeout = timeout(*node, workflow_names());
}

void Compiler::use_block(const Node& root) {
  constexpr std::array<std::string_view, 8> kMembers = {"authentications", "errors",  "extensions", "functions",
                                                        "retries",         "secrets", "timeouts",   "catalogs"};
  const auto use = member(root, "use");
  if (!use || !is_object(*use, "`use`")) return;
  check_members(*use, kMembers, "`use`");
  if (const auto secrets = member(*use, "secrets"); secrets && is_list(*secrets, "`secrets`")) {
    for (std::size_t i = 0; i < secrets->value.size(); ++i) {
      auto name = text(item(*secrets, i), "The name of a secret");
      if (name) plan_.secrets.push_back(std::move(*name));
    }
  }
  read_definitions(*use, "errors", errors_);
  read_definitions(*use, "retries", retries_);
  read_definitions(*use, "timeouts", timeouts_);
  read_definitions(*use, "authentications", authentications_);
  read_definitions(*use, "catalogs", catalogs_);
  read_definitions(*use, "functions", function_tasks_);
  for (const auto& [name, node] : authentications_) check_shape(*call_shape("authentication"), node);
  for (const auto& [name, node] : catalogs_) check_shape(*call_shape("catalog"), node);
  check_functions();
  read_extensions(*use);
}

void Compiler::read_definitions(const Node& use, const char* name, Definitions& out) {
  const auto block = member(use, name);
  if (!block || !is_object(*block, "`" + std::string(name) + '`')) return;
  for (const json::Member& entry : block->value.members()) {
    Node node{entry.value, json::pointer_child(block->pointer, entry.name())};
    if (is_object(node, "`" + std::string(entry.name()) + '`')) out.emplace(entry.name(), std::move(node));
  }
}

/// Those that something refers to were checked there, with the variables in scope; the rest here. What both find is reported once.
void Compiler::check_definitions() {
  const Names with_error = with_name(task_names(), "error");
  for (const auto& [name, node] : errors_) {
    if (used_.count(node.pointer) == 0) (void)error_definition(node, task_names());
  }
  for (const auto& [name, node] : retries_) {
    if (used_.count(node.pointer) == 0) (void)retry_policy(node, with_error);
  }
  for (const auto& [name, node] : timeouts_) {
    if (used_.count(node.pointer) == 0) (void)timeout(node, task_names());
  }
  for (const auto& [name, node] : authentications_) {
    if (used_.count(node.pointer) == 0) (void)data(node, task_names());
  }
}

/// Compiles each function once where it stands, for its findings; calls of it get copies. A function must not lead back to itself.
void Compiler::check_functions() {
  struct Call {
    std::string target;
    std::string pointer;
  };
  std::map<std::string, std::vector<Call>, std::less<>> calls;
  for (const auto& [name, node] : function_tasks_) {
    const std::size_t tasks_before = plan_.tasks.size();
    Place place;
    place.names = task_names();
    place.extend = false;
    place.expand = false;
    calls_between_.clear();
    (void)task(node, name, place, {{}, "a function is not in a list"});
    plan_.tasks.resize(tasks_before);
    for (const auto& [pointer, target] : calls_between_) calls[name].push_back({target, pointer});
  }
  enum class Mark : std::uint8_t { open, done };
  std::map<std::string, Mark, std::less<>> marks;
  struct Step {
    std::string name;
    std::size_t next = 0;
  };
  for (const auto& [start, node] : function_tasks_) {
    if (marks.count(start) != 0) continue;
    std::vector<Step> path{{start}};
    marks[start] = Mark::open;
    while (!path.empty()) {
      const std::vector<Call>& out = calls[path.back().name];
      if (path.back().next == out.size()) {
        marks[path.back().name] = Mark::done;
        path.pop_back();
        continue;
      }
      const Call& call = out[path.back().next++];
      const auto seen = marks.find(call.target);
      if (seen == marks.end()) {
        marks[call.target] = Mark::open;
        path.push_back({call.target});
      } else if (seen->second == Mark::open) {
        std::string circle;
        bool inside = false;
        for (const Step& step : path) {
          inside = inside || step.name == call.target;
          if (inside) circle += step.name + " -> ";
        }
        report_.error(call.pointer, "function-recursion", "Functions must not call themselves: " + circle + call.target + '.');
      }
    }
  }
}

void Compiler::read_extensions(const Node& use) {
  constexpr std::array<std::string_view, 4> kMembers = {"extend", "when", "before", "after"};
  constexpr std::array<std::string_view, 12> kTargets = {"call", "composite", "emit",   "for", "listen", "raise",
                                                         "run",  "set",       "switch", "try", "wait",   "all"};
  const auto list = member(use, "extensions");
  if (!list || !is_list(*list, "`extensions`")) return;
  for (std::size_t i = 0; i < list->value.size(); ++i) {
    ExtensionSource source;
    const auto node = entry(item(*list, i), "An extension", source.name);
    if (!node || !is_object(*node, "An extension")) continue;
    check_members(*node, kMembers, "An extension");
    if (const auto extend = required(*node, "extend", "An extension")) {
      if (const auto target = one_of(*extend, "`extend`", kTargets)) source.extend = *target;
    }
    if (const auto when = member(*node, "when")) (void)expression(*when, task_names(), "`when`");
    // Once where it stands, for its findings.
    const std::size_t tasks_before = plan_.tasks.size();
    Place place;
    place.names = task_names();
    place.extend = false;
    place.expand = false;
    if (const auto before = member(*node, "before")) (void)task_list(*before, place);
    place.names = with_name(place.names, "output");
    if (const auto after = member(*node, "after")) (void)task_list(*after, place);
    plan_.tasks.resize(tasks_before);
    source.node = *node;
    extensions_.push_back(std::move(source));
  }
}

}  // namespace pawl::dsl::detail
