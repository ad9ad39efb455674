/// set, switch, for, fork, try, raise.
#include <algorithm>
#include <array>

#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {

SetTask Compiler::set_task(const Node& node, const Place& place) {
  if (node.value.is_object() && node.value.empty()) {
    report_.error(node.pointer, "invalid-value", "`set` needs at least one property.");
  }
  auto made = mapping(node, place.names, "`set`");
  return {made ? std::move(*made) : Template()};
}

SwitchTask Compiler::switch_task(const Node& node, const Place& place, const Siblings& siblings) {
  constexpr std::array<std::string_view, 2> kMembers = {"when", "then"};
  SwitchTask made;
  if (!is_list(node, "`switch`")) return made;
  if (node.value.empty()) report_.error(node.pointer, "invalid-value", "`switch` needs at least one case.");
  std::vector<std::string> names;
  bool has_default = false;
  for (std::size_t i = 0; i < node.value.size(); ++i) {
    SwitchCase one;
    const auto given = entry(item(node, i), "A case", one.name);
    if (!given || !is_object(*given, "A case")) continue;
    check_members(*given, kMembers, "A case");
    if (std::find(names.begin(), names.end(), one.name) != names.end()) {
      report_.key_error(given->pointer, "duplicate-case", "There is a case `" + one.name + "` in this switch already.");
    }
    names.push_back(one.name);
    if (const auto when = member(*given, "when")) {
      one.when = expression(*when, place.names, "`when`");
    } else if (has_default) {
      report_.key_error(given->pointer, "two-default-cases", "A switch has one case without `when` at most: the default.");
    } else {
      has_default = true;
    }
    if (const auto then = required(*given, "then", "A case")) one.then = flow(*then, siblings);
    made.cases.push_back(std::move(one));
  }
  return made;
}

ForTask Compiler::for_task(const Node& task, const Place& place) {
  constexpr std::array<std::string_view, 3> kMembers = {"each", "in", "at"};
  ForTask made;
  made.in = Template(json::Value::array());
  const auto loop = member(task, "for");
  if (loop && is_object(*loop, "`for`")) {
    check_members(*loop, kMembers, "`for`");
    if (const auto each = member(*loop, "each")) variable_name(*each, made.each, "`each`");
    if (const auto at = member(*loop, "at")) variable_name(*at, made.at, "`at`");
    if (made.each == made.at) {
      report_.error(json::pointer_child(loop->pointer, loop->value.find("at") ? "at" : "each"), "variable-name",
                    "`each` and `at` need different variables.");
    }
    if (const auto in = required(*loop, "in", "`for`")) {
      if (in->value.is_array()) {
        made.in = data(*in, place.names);
      } else if (auto compiled = expression(*in, place.names, "`in`")) {
        made.in = std::move(*compiled);
      }
    }
  }
  Place inside = place;
  inside.names = with_name(with_name(place.names, made.each), made.at);
  if (const auto condition = member(task, "while")) made.while_ = expression(*condition, inside.names, "`while`");
  if (const auto tasks = required(task, "do", "A `for` task")) made.tasks = task_list(*tasks, inside);
  const json::Value& concurrency = task.value.get("metadata").get("concurrency");
  if (concurrency.is_integer() && concurrency.as_integer() >= 1 && concurrency.as_integer() <= 1000) {
    made.concurrency = static_cast<std::uint32_t>(concurrency.as_integer());
  }
  return made;
}

ForkTask Compiler::fork_task(const Node& node, const Place& place) {
  constexpr std::array<std::string_view, 2> kMembers = {"branches", "compete"};
  ForkTask made;
  if (!is_object(node, "`fork`")) return made;
  check_members(node, kMembers, "`fork`");
  if (const auto branches = required(node, "branches", "`fork`")) {
    made.branches = task_list(*branches, place, true).tasks;
    if (branches->value.is_array() && branches->value.empty()) {
      report_.error(branches->pointer, "invalid-value", "`fork` needs at least one branch.");
    }
  }
  if (const auto compete = member(node, "compete")) made.compete = boolean(*compete, "`compete`").value_or(false);
  return made;
}

TryTask Compiler::try_task(const Node& task, const Place& place, const Siblings& siblings) {
  constexpr std::array<std::string_view, 7> kMembers = {"errors", "as", "when", "exceptWhen", "retry", "do", "then"};
  TryTask made;
  if (const auto tasks = member(task, "try")) made.tasks = task_list(*tasks, place);
  const auto handler = required(task, "catch", "A `try` task");
  if (!handler || !is_object(*handler, "`catch`")) return made;
  check_members(*handler, kMembers, "`catch`");
  CatchClause& clause = made.handler;
  if (const auto as = member(*handler, "as")) variable_name(*as, clause.as, "`as`");
  Place inside = place;
  inside.names = with_name(place.names, clause.as);
  if (const auto errors = member(*handler, "errors"); errors && is_object(*errors, "`errors`")) {
    constexpr std::array<std::string_view, 1> kWith = {"with"};
    constexpr std::array<std::string_view, 5> kFilter = {"type", "status", "instance", "title", "detail"};
    check_members(*errors, kWith, "`errors`");
    if (const auto with = member(*errors, "with"); with && is_object(*with, "`with`")) {
      check_members(*with, kFilter, "An error filter");
      if (const auto status = member(*with, "status");
          status && !(status->value.is_string() && has_expression(status->value.as_string()))) {
        (void)integer(*status, "`status`", 0, 999);
      }
      clause.errors_with = data(*with, place.names);
    }
  }
  if (const auto when = member(*handler, "when")) clause.when = expression(*when, inside.names, "`when`");
  if (const auto except = member(*handler, "exceptWhen")) clause.except_when = expression(*except, inside.names, "`exceptWhen`");
  if (const auto policy = member(*handler, "retry")) clause.retry = retry(*policy, inside.names);
  if (const auto tasks = member(*handler, "do")) clause.tasks = task_list(*tasks, inside);
  if (const auto then = member(*handler, "then")) clause.then = flow(*then, siblings);
  return made;
}

RaiseTask Compiler::raise_task(const Node& node, const Place& place) {
  constexpr std::array<std::string_view, 1> kMembers = {"error"};
  RaiseTask made;
  if (!is_object(node, "`raise`")) return made;
  check_members(node, kMembers, "`raise`");
  const auto error = required(node, "error", "`raise`");
  if (!error) return made;
  std::optional<Template> definition;
  if (!error->value.is_string()) {
    definition = error_definition(*error, place.names);
  } else if (has_expression(error->value.as_string())) {
    definition = data(*error, place.names);
  } else if (const auto named = reference(*error, errors_, "errors")) {
    definition = error_definition(*named, place.names);
  }
  if (definition) made.error = std::move(*definition);
  return made;
}

std::optional<Template> Compiler::error_definition(const Node& node, const Names& names) {
  constexpr std::array<std::string_view, 5> kMembers = {"type", "status", "instance", "title", "detail"};
  if (!is_object(node, "An error")) return std::nullopt;
  check_members(node, kMembers, "An error");
  if (const auto type = required(node, "type", "An error")) {
    const auto given = text(*type, "`type`");
    if (given && !has_expression(*given) && (given->empty() || given->find_first_of(" \t\n") != std::string::npos)) {
      report_.error(type->pointer, "invalid-uri", "The type of an error is a URI.");
    }
  }
  if (const auto status = required(node, "status", "An error")) {
    if (!(status->value.is_string() && has_expression(status->value.as_string()))) (void)integer(*status, "`status`", 0, 999);
  }
  for (const std::string_view name : {"instance", "title", "detail"}) {
    if (const auto given = member(node, name)) (void)text(*given, "`" + std::string(name) + '`');
  }
  return data(node, names);
}

std::optional<RetryPolicy> Compiler::retry(const Node& node, const Names& names) {
  if (!node.value.is_string()) {
    if (!is_object(node, "`retry`")) return std::nullopt;
    return retry_policy(node, names);
  }
  const auto definition = reference(node, retries_, "retries");
  if (!definition) return std::nullopt;
  return retry_policy(*definition, names);
}

RetryPolicy Compiler::retry_policy(const Node& node, const Names& names) {
  constexpr std::array<std::string_view, 6> kMembers = {"when", "exceptWhen", "delay", "backoff", "limit", "jitter"};
  RetryPolicy policy;
  if (!is_object(node, "A retry policy")) return policy;
  check_members(node, kMembers, "A retry policy");
  if (const auto when = member(node, "when")) policy.when = expression(*when, names, "`when`");
  if (const auto except = member(node, "exceptWhen")) policy.except_when = expression(*except, names, "`exceptWhen`");
  if (const auto delay = member(node, "delay")) {
    if (auto made = duration(*delay, names)) policy.delay = std::move(*made);
  }
  if (const auto given = member(node, "backoff")) backoff(*given, policy, names);
  if (const auto limit = member(node, "limit")) retry_limit(*limit, policy, names);
  if (const auto jitter = member(node, "jitter"); jitter && is_object(*jitter, "`jitter`")) {
    constexpr std::array<std::string_view, 2> kJitter = {"from", "to"};
    check_members(*jitter, kJitter, "`jitter`");
    if (const auto from = required(*jitter, "from", "`jitter`")) policy.jitter_from = duration(*from, names);
    if (const auto to = required(*jitter, "to", "`jitter`")) policy.jitter_to = duration(*to, names);
  }
  return policy;
}

void Compiler::backoff(const Node& node, RetryPolicy& policy, const Names& names) {
  constexpr std::array<std::string_view, 3> kKinds = {"constant", "linear", "exponential"};
  if (!is_object(node, "`backoff`")) return;
  check_members(node, kKinds, "`backoff`");
  std::string_view chosen;
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    const auto given = member(node, kKinds[i]);
    if (!given) continue;
    if (!chosen.empty()) {
      report_.key_error(given->pointer, "excludes-each-other", "A backoff is constant, linear or exponential: keep one.");
      return;
    }
    chosen = kKinds[i];
    policy.backoff = static_cast<RetryPolicy::Backoff>(i);
    if (given->value.is_null() || !is_object(*given, "A backoff")) continue;
    if (const auto increment = member(*given, "increment"); increment && chosen == "linear") policy.increment = duration(*increment, names);
    if (const auto factor = member(*given, "multiplier"); factor && chosen == "exponential") {
      if (factor->value.is_number() && factor->value.as_double() >= 1 && factor->value.as_double() <= 1000) {
        policy.multiplier = factor->value.as_double();
      } else {
        report_.error(factor->pointer, "invalid-value", "`multiplier` must be a number from 1 to 1000.");
      }
    }
    for (const std::string_view name : {"maxDelay", "max"}) {
      if (const auto most = member(*given, name)) policy.max_delay = duration(*most, names);
    }
  }
  if (chosen.empty()) report_.key_error(node.pointer, "missing-property", "`backoff` needs `constant`, `linear` or `exponential`.");
}

void Compiler::retry_limit(const Node& node, RetryPolicy& policy, const Names& names) {
  constexpr std::array<std::string_view, 2> kMembers = {"attempt", "duration"};
  constexpr std::array<std::string_view, 2> kAttempt = {"count", "duration"};
  if (!is_object(node, "`limit`")) return;
  check_members(node, kMembers, "`limit`");
  if (const auto total = member(node, "duration")) policy.total_duration = duration(*total, names);
  const auto attempt = member(node, "attempt");
  if (!attempt || !is_object(*attempt, "`attempt`")) return;
  check_members(*attempt, kAttempt, "`attempt`");
  if (const auto count = member(*attempt, "count")) {
    if (const auto number = integer(*count, "`count`", 0, 1'000'000)) policy.max_retries = static_cast<std::uint32_t>(*number);
  }
  if (const auto limit = member(*attempt, "duration")) policy.attempt_duration = duration(*limit, names);
}

}  // namespace pawl::dsl::detail
