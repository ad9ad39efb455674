/// Task lists, what all tasks have in common, and the choice of the task's kind.
#include <algorithm>
#include <array>

#include "dsl/detail/compiler.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

constexpr std::array<std::string_view, 12> kKeywords = {"call",  "do",  "fork", "emit",   "for", "listen",
                                                        "raise", "run", "set",  "switch", "try", "wait"};
constexpr std::array<std::string_view, 7> kCommon = {"if", "input", "output", "export", "timeout", "then", "metadata"};
constexpr std::array<std::string_view, 3> kDirectives = {"continue", "exit", "end"};

bool is_directive(std::string_view name) { return std::find(kDirectives.begin(), kDirectives.end(), name) != kDirectives.end(); }

/// What else may stand beside the keyword.
std::vector<std::string_view> companions(std::string_view type) {
  if (type == "call") return {"with"};
  if (type == "for") return {"while", "do"};
  if (type == "listen") return {"foreach"};
  if (type == "try") return {"catch"};
  return {};
}

/// The keyword under which extensions know a task; in a task list its type is the function's name.
std::string_view extension_kind(const Task& task) {
  if (const auto* call = std::get_if<CallTask>(&task.body)) return call->function.starts_with("run.") ? "run" : "call";
  if (std::holds_alternative<InvokeTask>(task.body) || std::holds_alternative<AgentTask>(task.body)) return "call";
  return task.type;
}

bool extends(std::string_view extend, std::string_view kind) {
  return extend == "all" || extend == kind || (extend == "composite" && (kind == "do" || kind == "fork"));
}

}  // namespace

TaskIndex Compiler::reserve_task(const std::string& pointer) {
  if (plan_.tasks.size() >= limits_.max_tasks) {
    if (!overflow_) overflow_ = pointer;
    return kNoTask;
  }
  plan_.tasks.emplace_back();
  return static_cast<TaskIndex>(plan_.tasks.size() - 1);
}

TaskList Compiler::task_list(const Node& node, const Place& place, bool branches) {
  TaskList list;
  if (!is_list(node, "A list of tasks")) return list;
  std::vector<std::pair<std::string, Node>> entries;
  Siblings siblings;
  if (branches) siblings.why_none = "a branch of a fork cannot jump to another";
  for (std::size_t i = 0; i < node.value.size(); ++i) {
    std::string name;
    auto task = entry(item(node, i), "A task", name);
    if (!task) continue;
    if (is_directive(name)) {
      report_.key_error(task->pointer, "reserved-name", "`" + name + "` is a flow directive: a task cannot have this name.");
    } else if (std::find_if(entries.begin(), entries.end(), [&](const auto& known) { return known.first == name; }) != entries.end()) {
      report_.key_error(task->pointer, "duplicate-task", "There is a task `" + name + "` in this list already: names must differ.");
    } else if (name.empty()) {
      report_.key_error(task->pointer, "reserved-name", "A task needs a name.");
    }
    siblings.names.push_back(branches ? std::string() : name);
    entries.emplace_back(std::move(name), std::move(*task));
  }
  for (const auto& [name, task_node] : entries) {
    const TaskIndex index = task(task_node, name, place, siblings);
    if (index == kNoTask) break;  // no more tasks are possible
    list.tasks.push_back(index);
  }
  return list;
}

std::string Compiler::task_type(const Node& node) {
  std::vector<std::string_view> found;
  for (const std::string_view keyword : kKeywords) {
    if (node.value.find(keyword)) found.push_back(keyword);
  }
  const auto has = [&](std::string_view keyword) { return std::find(found.begin(), found.end(), keyword) != found.end(); };
  if (found.size() == 1) return std::string(found[0]);
  if (found.size() == 2 && has("for") && has("do")) return "for";
  if (found.empty()) {
    std::string suggestion;
    std::string_view culprit;
    for (const json::Member& member : node.value.members()) {
      if (std::find(kCommon.begin(), kCommon.end(), member.name()) != kCommon.end()) continue;
      std::string near = nearest(member.name(), std::span<const std::string_view>(kKeywords));
      if (near.empty() && !culprit.empty()) continue;
      culprit = member.name();
      suggestion = std::move(near);
      if (!suggestion.empty()) break;
    }
    const std::string what = culprit.empty() ? "" : " `" + std::string(culprit.substr(0, 60)) + "` is not a task.";
    const std::string message = "This task says nothing to do." + what + " Tasks are " + list_names(kKeywords) + '.';
    report_.key_error(culprit.empty() ? node.pointer : json::pointer_child(node.pointer, culprit), "unknown-task-type", message,
                      suggestion);
    return {};
  }
  // The second keyword in the task is the one too many.
  std::size_t seen = 0;
  for (const json::Member& member : node.value.members()) {
    if (!has(member.name()) || ++seen < 2) continue;
    report_.key_error(json::pointer_child(node.pointer, member.name()), "ambiguous-task",
                      "A task does one thing; this one has " + list_names(found) + ". Is the next task's name indented too far?");
    break;
  }
  return {};
}

TaskIndex Compiler::task(const Node& node, const std::string& name, const Place& place, const Siblings& siblings) {
  const TaskIndex index = reserve_task(node.pointer);
  if (index == kNoTask) return kNoTask;
  Task made;
  made.index = index;
  made.parent = place.parent;
  made.name = name;
  made.reference = place.reference(node.pointer);
  made.definition = node.value;
  made.sees_secrets = !in_function_;
  if (is_object(node, "A task")) {
    made.type = task_type(node);
    if (!made.type.empty()) {
      std::vector<std::string_view> known(kCommon.begin(), kCommon.end());
      known.push_back(made.type);
      for (const std::string_view more : companions(made.type)) known.push_back(more);
      check_members(node, known, "A `" + made.type + "` task");
    }
    common(made, node, place.names, siblings);
    Place below = place;
    below.parent = index;
    below.extend = place.extend;
    if (!made.type.empty()) body(made, node, below, siblings);
    on_unknown(made, node, below);
    compensation(made, node, below);
    if (place.extend) apply_extensions(made, below);
  }
  plan_.tasks[index] = std::move(made);
  return index;
}

void Compiler::common(Task& task, const Node& node, const Names& names, const Siblings& siblings) {
  if (const auto condition = member(node, "if")) task.condition = expression(*condition, names, "`if`");
  if (const auto input = member(node, "input")) task.input = data_in(*input, names);
  const Names after = with_name(names, "output");
  if (const auto output = member(node, "output")) task.output = data_out(*output, after, "`output`");
  if (const auto exported = member(node, "export")) task.export_to = data_out(*exported, after, "`export`");
  if (const auto limit = member(node, "timeout")) task.timeout = timeout(*limit, names);
  if (const auto then = member(node, "then")) {
    task.then = flow(*then, siblings);
    task.has_then = true;
  }
  task_metadata(task, node);
}

void Compiler::task_metadata(Task& task, const Node& node) {
  const auto metadata = member(node, "metadata");
  if (!metadata || !is_object(*metadata, "`metadata`")) return;
  task.metadata = metadata->value;
  constexpr std::array<std::string_view, 4> kEffects = {"pure", "read", "idempotent", "once"};
  if (const auto effect = member(*metadata, "effect")) (void)one_of(*effect, "`metadata.effect`", kEffects);
  if (const auto finally = member(*metadata, "finally")) {
    report_.warning(finally->pointer, "unused-metadata", "`metadata.finally` has a meaning for a workflow only, not for a task.");
  }
  if (const auto concurrency = member(*metadata, "concurrency")) {
    (void)integer(*concurrency, "`metadata.concurrency`", 1, 1000);
    if (!node.value.find("for")) {
      report_.warning(concurrency->pointer, "unused-metadata", "`metadata.concurrency` has a meaning for `for` tasks only.");
    }
  }
}

Flow Compiler::flow(const Node& node, const Siblings& siblings) {
  const auto target = text(node, "`then`");
  if (!target || *target == "continue") return {};
  if (*target == "exit") return {Flow::Kind::exit, 0};
  if (*target == "end") return {Flow::Kind::end, 0};
  const auto found = std::find(siblings.names.begin(), siblings.names.end(), *target);
  if (!target->empty() && found != siblings.names.end()) {
    return {Flow::Kind::jump, static_cast<std::uint32_t>(found - siblings.names.begin())};
  }
  std::vector<std::string_view> names(kDirectives.begin(), kDirectives.end());
  names.insert(names.end(), siblings.names.begin(), siblings.names.end());
  std::string message = "There is no task `" + target->substr(0, 60) + "` in this list to go on with";
  if (!siblings.why_none.empty()) message += ": " + std::string(siblings.why_none);
  report_.error(node.pointer, "unknown-then-target",
                message + ". `then` is `continue`, `exit`, `end` or the name of a task of the same list.",
                nearest(*target, std::span<const std::string_view>(names)));
  return {};
}

std::optional<Template> Compiler::timeout(const Node& node, const Names& names) {
  constexpr std::array<std::string_view, 1> kMembers = {"after"};
  if (node.value.is_string()) {
    if (timeouts_.find(node.value.as_string()) == timeouts_.end() && to_duration(node.value).has_value()) {
      report_.error(node.pointer, "unknown-reference",
                    "The text of a timeout is a name in `use.timeouts`; a duration stands below `after`.",
                    "{after: " + std::string(node.value.as_string()) + '}');
      return std::nullopt;
    }
    const auto definition = reference(node, timeouts_, "timeouts");
    if (!definition) return std::nullopt;
    const auto after = member(*definition, "after");
    return after ? duration(*after, names) : std::nullopt;
  }
  if (!is_object(node, "`timeout`")) return std::nullopt;
  check_members(node, kMembers, "A timeout");
  const auto after = required(node, "after", "A timeout");
  return after ? duration(*after, names) : std::nullopt;
}

void Compiler::body(Task& task, const Node& node, const Place& place, const Siblings& siblings) {
  if (task.type == "call") {
    call_task(task, node, place);
  } else if (task.type == "for") {
    task.body = for_task(node, place);
  } else if (task.type == "try") {
    task.body = try_task(node, place, siblings);
  } else if (task.type == "listen") {
    task.body = listen_task(node, place);
  } else if (task.type == "switch") {
    task.body = switch_task(*member(node, "switch"), place, siblings);
  } else {
    simple_body(task, *member(node, task.type), place);
  }
}

/// Tasks whose whole body stands below their keyword.
void Compiler::simple_body(Task& task, const Node& node, const Place& place) {
  if (task.type == "set") {
    task.body = set_task(node, place);
  } else if (task.type == "do") {
    task.body = DoTask{task_list(node, place)};
  } else if (task.type == "fork") {
    task.body = fork_task(node, place);
  } else if (task.type == "raise") {
    task.body = raise_task(node, place);
  } else if (task.type == "emit") {
    task.body = emit_task(node, place);
  } else if (task.type == "run") {
    run_task(task, node, place);
  } else if (task.type == "wait") {
    auto made = duration(node, place.names);
    task.body = WaitTask{made ? std::move(*made) : Template(json::Value(0))};
  }
}

void Compiler::apply_extensions(Task& task, const Place& place) {
  for (std::size_t i = 0; i < extensions_.size(); ++i) {
    const ExtensionSource& source = extensions_[i];
    if (!extends(source.extend, extension_kind(task))) continue;
    const Reporter::Mute mute(report_, true);
    ExtensionUse use;
    Place inside;
    inside.parent = task.index;
    inside.names = task_names();
    inside.strip = source.node.pointer.size();
    inside.prefix = json::pointer_child(task.reference + "/extensions/" + std::to_string(i), source.name);
    inside.extend = false;
    inside.expand = place.expand;
    if (const auto when = member(source.node, "when")) use.when = expression(*when, task_names(), "`when`");
    if (const auto before = member(source.node, "before")) use.before = task_list(*before, inside);
    inside.names = with_name(inside.names, "output");
    if (const auto after = member(source.node, "after")) use.after = task_list(*after, inside);
    task.extensions.push_back(std::move(use));
  }
}

}  // namespace pawl::dsl::detail
