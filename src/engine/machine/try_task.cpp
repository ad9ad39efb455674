// `try`: attempts by the retry policy first, then `catch.do` if there is one, else the error goes on. An error that the filters do not let
// through, and one raised in `catch.do`, go up at once. With neither policy nor `catch.do` the error is swallowed and the output is the
// input. With `metadata.compensate: true` what the attempt had finished is undone before any of that, newest first; meanwhile the error
// lies in `extra`.
#include <utility>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::TryTask& body) {
  act.count = 0;
  act.cursor = wind_up.finished.size();
  start_attempt(act, body);
}

void Core::start_attempt(Activation& act, const dsl::TryTask& body) {
  const auto& retry = body.handler.retry;
  std::optional<Millis> limit;
  if (retry && retry->attempt_duration) {
    Millis duration{};
    if (!evaluate_duration(act, *retry->attempt_duration, act.input, TaskScope(*this, &act, act.input), duration)) return;
    limit = duration;
  }
  if (act.count > 0) {
    ++act.max_attempt;
    if (act.record != kNone) {
      records[act.record].attempt = act.count + 1;
      set_record_status(act, TaskStatus::running);
    }
  }
  const auto inherited = act.attempt;
  if (act.count > 0) act.attempt = act.max_attempt;  // the attempt's tasks take their number from here
  auto& list = open_list(act, ListRole::body, 0, act.input);
  act.attempt = inherited;
  if (limit) list.timer = set_timer(list, *limit, TimerUse::attempt_limit);
}

void Core::ended_in(Activation& act, const dsl::TryTask& body, Ended& ended) {
  if (ended.role == ListRole::undo) {
    undone(ended.number, std::move(ended.error));
    return undo_attempt(act, body);
  }
  if (ended.role == ListRole::handler) {
    if (ended.ending == Ending::faulted) return propagate(act, std::move(ended.error));
    if (body.handler.then) {
      act.flow = *body.handler.then;
      act.has_flow = true;
    }
    return complete_body(act, std::move(ended.output));
  }
  if (ended.ending == Ending::faulted) return attempt_failed(act, body, std::move(ended.error));
  complete_body(act, std::move(ended.output));
}

void Core::attempt_failed(Activation& act, const dsl::TryTask& body, json::Value problem) {
  bool caught = false;
  if (!is_caught(act, body.handler, problem, caught)) return;
  if (!caught) return propagate(act, std::move(problem));
  if (!body.undoes) return deal_with(act, body, std::move(problem));
  act.extra = std::move(problem);
  undo_attempt(act, body);
}

void Core::undo_attempt(Activation& act, const dsl::TryTask& body) {
  for (const auto list : wind_up.adrift) {  // begun by a `try` in here, or by this one in an earlier round of a loop around it
    const auto number = activations[list]->number;
    if (stands_below(wind_up.finished[number], act)) return start_undo(&act, number);
  }
  for (auto number = wind_up.finished.size(); number-- > act.cursor;) {
    const auto& entry = wind_up.finished[number];
    if (entry.status == Finished::Status::done && lies_in(entry, act)) return start_undo(&act, static_cast<std::uint32_t>(number));
  }
  auto problem = std::exchange(act.extra, {});
  if (auto failures = undo_failures(&act); !failures.empty()) problem.set("compensation_failures", std::move(failures));
  for (auto& entry : wind_up.finished) {
    if (rules < 3 && lies_in(entry, act)) entry.is_untold = false;
  }
  deal_with(act, body, std::move(problem));
}

/// Of an error that is caught.
void Core::deal_with(Activation& act, const dsl::TryTask& body, json::Value problem) {
  if (body.handler.retry) {
    std::optional<Millis> delay;
    const RetryQuestion question{*body.handler.retry, body.handler.as, problem, act.count, act.started_at, 0};
    if (!ask_retry(act, question, delay)) return;
    if (delay) {
      ++act.count;
      if (act.record != kNone) {
        records[act.record].error = problem;
        set_record_status(act, TaskStatus::retrying);
      }
      if (fault_record != kNone && fault_record != act.record && records[fault_record].status == TaskStatus::faulted) {
        records[fault_record].status = TaskStatus::retrying;
        mark_dirty(fault_record);
      }
      if (*delay <= Millis::zero()) return start_attempt(act, body);
      act.timer = set_timer(act, *delay, TimerUse::retry);
      return;
    }
  }
  catch_error(act, body, std::move(problem));
}

void Core::catch_error(Activation& act, const dsl::TryTask& body, json::Value problem) {
  // Here the workflow is told what was not undone. A further attempt alone tells nobody.
  for (auto& entry : wind_up.finished) {
    if (rules >= 3 && body.undoes && lies_in(entry, act)) entry.is_untold = false;
  }
  if (body.handler.tasks) {
    open_list(act, ListRole::handler, 0, act.input, std::move(problem));
    return;
  }
  if (body.handler.retry) return propagate(act, std::move(problem));
  if (body.handler.then) {
    act.flow = *body.handler.then;
    act.has_flow = true;
  }
  complete_body(act, act.input);
}

/// `catch.errors.with`: every member named there must be equal in the error; types compare by their aliases. Then `when` and `exceptWhen`,
/// which see the task's input as `.` and the error as a variable.
bool Core::is_caught(Activation& act, const dsl::CatchClause& handler, const json::Value& problem, bool& caught) {
  caught = false;
  TaskScope scope(*this, &act, act.input);
  scope.bind(handler.as, problem);
  if (handler.errors_with) {
    json::Value wanted;
    if (!evaluate(act, *handler.errors_with, act.input, scope, wanted)) return false;
    for (const auto& member : wanted.members()) {
      const auto& value = problem.get(member.name());
      const bool texts = member.value.is_string() && value.is_string();
      const bool same_type = member.name() == "type" && texts && same_error_type(member.value.as_string(), value.as_string());
      if (!same_type && !(member.value == value)) return true;
    }
  }
  bool holds = true;
  if (handler.when && !test(act, *handler.when, act.input, scope, holds)) return false;
  if (!holds) return true;
  if (handler.except_when && !test(act, *handler.except_when, act.input, scope, holds)) return false;
  caught = !handler.except_when || !holds;
  return true;
}

}  // namespace pawl::engine::detail
