// The life of a task: `if`, input, extensions before, body, extensions after, output, export, `then`.
#include <fmt/format.h>

#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::begin_task(Activation& act) {
  const auto& task = task_of(act);
  act.started_at = now;
  open_record(act);
  const bool is_undoable = !task.compensation.tasks.empty() && wind_up.stage == WindUp::Stage::main && !is_undoing(act);
  if (is_undoable && wind_up.finished.size() >= limits.max_undoable) {
    return fault(act, make_error("runtime", 500, "Too many tasks to undo",
                                 fmt::format("The run had finished {} tasks with a compensation already.", limits.max_undoable)));
  }
  if (is_undoable && wind_up.bytes >= kMaxUndoableBytes) {
    return fault(act, make_error("runtime", 500, "Too much to undo",
                                 fmt::format("What the run keeps to undo finished tasks (inputs, outputs, contexts) has come to {} MiB.",
                                             kMaxUndoableBytes >> 20U)));
  }
  if (task.condition) {
    bool wanted = false;
    if (!test(act, *task.condition, act.raw_input, TaskScope(*this, &act, act.raw_input), wanted)) return;
    if (!wanted) {
      act.output = act.raw_input;
      return end(act, Ending::skipped);
    }
  }
  if (!validate(act, task.input.schema, act.raw_input, "input")) return;
  if (task.input.from) {
    if (!evaluate(act, *task.input.from, act.raw_input, TaskScope(*this, &act, act.raw_input), act.input)) return;
  } else {
    act.input = act.raw_input;
  }
  if (!arm_timeout(act)) return;
  act.step = Step::before;
  run_before(act);
}

bool Core::arm_timeout(Activation& act) {
  const auto& task = task_of(act);
  if (!task.timeout) return true;
  Millis limit{};
  if (!evaluate_duration(act, *task.timeout, act.input, TaskScope(*this, &act, act.input), limit)) return false;
  act.timeout_timer = set_timer(act, limit, TimerUse::timeout);
  return true;
}

/// `position` counts the extensions. What their lists put out is dropped, unless one says `then: exit`: then that is the task's output.
void Core::run_before(Activation& act) {
  const auto& extensions = task_of(act).extensions;
  for (; act.position < extensions.size(); ++act.position) {
    const auto& extension = extensions[act.position];
    if (!extension.before) continue;
    bool wanted = true;
    if (extension.when && !test(act, *extension.when, act.input, TaskScope(*this, &act, act.input), wanted)) return;
    if (!wanted) continue;
    open_list(act, ListRole::before, act.position, act.input);
    return;
  }
  act.position = 0;
  act.step = Step::body;
  start_body(act);
}

void Core::start_body(Activation& act) {
  std::visit([&](const auto& body) { start(act, body); }, task_of(act).body);
}

void Core::complete_body(Activation& act, json::Value result) {
  act.output = std::move(result);
  act.position = 0;
  act.step = Step::after;
  run_after(act);
}

void Core::run_after(Activation& act) {
  const auto& extensions = task_of(act).extensions;
  for (; act.position < extensions.size(); ++act.position) {
    const auto& extension = extensions[act.position];
    if (!extension.after) continue;
    bool wanted = true;
    TaskScope scope(*this, &act, act.input);
    scope.with_output(act.output);
    if (extension.when && !test(act, *extension.when, act.output, scope, wanted)) return;
    if (!wanted) continue;
    open_list(act, ListRole::after, act.position, act.output);
    return;
  }
  finish_task(act);
}

void Core::finish_task(Activation& act) {
  const auto& task = task_of(act);
  if (task.output.as) {
    const auto raw = act.output;
    if (!evaluate(act, *task.output.as, raw, TaskScope(*this, &act, act.input).with_output(raw), act.output)) return;
  }
  if (!validate(act, task.output.schema, act.output, "output")) return;
  if (task.export_to.as || task.export_to.schema) {
    json::Value context = context_of(act);
    if (task.export_to.as) {
      TaskScope scope(*this, &act, act.input);
      scope.with_output(act.output);
      if (!evaluate(act, *task.export_to.as, act.output, scope, context)) return;
    }
    if (!validate(act, task.export_to.schema, context, "context")) return;
    set_context(act, std::move(context));
  }
  if (!act.has_flow) act.flow = task.then;
  end(act, Ending::completed);
}

void Core::end(Activation& act, Ending ending) {
  act.ending = ending;
  stop_waiting(act);
  if (act.kind == Kind::task) {
    constexpr TaskStatus kStatus[] = {TaskStatus::completed, TaskStatus::skipped, TaskStatus::faulted};
    close_record(act, kStatus[static_cast<std::size_t>(ending)]);
    if (ending == Ending::completed) note_finished(act);
  }
  act.step = Step::ended;
  push(act, WorkItem::Op::ended);
}

/// Hands what an activation ended with to its parent.
void Core::settle(Activation& act) {
  if (act.id == root) {
    if (act.ending == Ending::faulted) {
      auto problem = act.error;
      return fault_run(std::move(problem));
    }
    const auto result = act.output;
    return complete_run(result);
  }
  if (act.parent == kNone) return drifted(act);
  Ended ended;
  ended.number = act.number;
  ended.max_attempt = act.max_attempt;
  ended.role = act.role;
  ended.ending = act.ending;
  ended.owns_context = act.owns_context;
  ended.flow = act.flow;
  ended.output = std::move(act.output);
  ended.error = std::move(act.error);
  ended.context = std::move(act.context);
  auto& parent = *activations[act.parent];
  release(act);
  if (parent.kind == Kind::list) return list_child_ended(parent, ended);
  child_ended(parent, ended);
}

void Core::child_ended(Activation& act, Ended& ended) {
  if (ended.role == ListRole::before || ended.role == ListRole::after) {
    if (ended.ending == Ending::faulted) return propagate(act, std::move(ended.error));
    const bool exits = ended.flow.kind == dsl::Flow::Kind::exit;
    if (exits) act.output = std::move(ended.output);
    if (exits) return finish_task(act);
    ++act.position;
    return act.step == Step::before ? run_before(act) : run_after(act);
  }
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { ended_in(act, body, ended); }) {
          ended_in(act, body, ended);
        } else {
          PAWL_ASSERT(false, "a task of this kind has no children");
        }
      },
      task_of(act).body);
}

}  // namespace pawl::engine::detail
