/// What a run does when its main part is over: `metadata.compensate` of a task undoes it, `metadata.finally` of the workflow runs in any
/// case.
#include <array>
#include <utility>

#include "dsl/detail/compiler.hpp"

namespace pawl::dsl::detail {
namespace {

/// What both kinds see besides the usual: how the run ended.
Names at_the_end(Names names) { return with_name(with_name(std::move(names), "error"), "status"); }

/// Tasks that change nothing outside of the run, or never finish.
bool is_undoable(const Task& task) {
  return !std::holds_alternative<SwitchTask>(task.body) && !std::holds_alternative<RaiseTask>(task.body) &&
         !std::holds_alternative<SetTask>(task.body) && !std::holds_alternative<WaitTask>(task.body);
}

}  // namespace

void Compiler::compensation(Task& task, const Node& node, const Place& place) {
  const auto metadata = member(node, "metadata");
  const auto given = metadata ? member(*metadata, "compensate") : std::nullopt;
  if (!given) return;
  if (undoing_ == calling_.size()) {
    return report_.error(given->pointer, "no-compensation", "What compensates and what runs `finally` is not undone itself.");
  }
  if (auto* const attempt = std::get_if<TryTask>(&task.body); attempt != nullptr && given->value.is_bool()) {
    attempt->undoes = given->value.as_bool();
    return;
  }
  if (!is_undoable(task)) {
    return report_.error(given->pointer, "no-compensation",
                         "A `" + task.type + "` task changes nothing outside of the run: there is nothing to undo.");
  }
  if (!is_object(*given, "`metadata.compensate`")) return;
  Place inside = place;
  inside.names = at_the_end(place.names);
  const auto around = std::exchange(undoing_, calling_.size());
  const auto index = compensating_task(*given, "compensate " + task.name, inside);
  undoing_ = around;
  if (index != kNoTask) task.compensation.tasks.push_back(index);
}

/// In a task list (not in a function that is called from one) it may be written as its tasks are, by `type` and `params`.
TaskIndex Compiler::compensating_task(const Node& node, const std::string& name, const Place& place) {
  constexpr std::array<std::string_view, 9> kMembers = {"name",  "description", "type",   "params",  "timeout",
                                                        "input", "output",      "export", "metadata"};
  if (!plan_.task_list_form || in_function_ || node.value.find("type") == nullptr)
    return task(node, name, place, {{}, "what compensates is not in a list"});
  const auto index = reserve_task(node.pointer);
  if (index == kNoTask) return kNoTask;
  check_members(node, kMembers, "A task that compensates");
  list_task(index, node, name, place);
  return index;
}

void Compiler::finally_tasks() {
  const Node metadata{plan_.metadata, plan_.task_list_form ? "/metadata" : "/document/metadata"};
  if (const auto compensate = member(metadata, "compensate")) {
    report_.warning(compensate->pointer, "unused-metadata",
                    "`metadata.compensate` has a meaning for tasks only: each says what undoes it.");
  }
  const auto given = member(metadata, "finally");
  if (!given || !is_list(*given, "`metadata.finally`")) return;
  if (given->value.empty()) return report_.error(given->pointer, "invalid-value", "`metadata.finally` has one task at least.");
  const auto around = std::exchange(undoing_, calling_.size());
  if (plan_.task_list_form) {
    const auto index = graph_of(*given, "finally", GraphTask().max_parallel, at_the_end(task_names()));
    if (index != kNoTask) plan_.finally.tasks.push_back(index);
  } else {
    Place place;
    place.names = at_the_end(task_names());
    plan_.finally = task_list(*given, place);
  }
  undoing_ = around;
}

}  // namespace pawl::dsl::detail
