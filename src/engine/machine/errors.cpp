// Workflow errors (RFC 9457 objects): how they are made, compared, and how they travel up the tree of activations.
#include <algorithm>

#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"
#include "json/size.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

constexpr std::string_view kStandardTypes = "https://open-workflow-specification.org/spec/1.0.0/errors/";

/// The name behind any alias of a standard type; empty for other types.
std::string_view standard_name(std::string_view type) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!type.starts_with(scheme)) continue;
    type.remove_prefix(scheme.size());
    for (const std::string_view host : {"open-workflow-specification.org", "serverlessworkflow.io"}) {
      if (!type.starts_with(host)) continue;
      auto path = type.substr(host.size());
      for (const std::string_view prefix : {"/spec/1.0.0/errors/", "/dsl/errors/types/"}) {
        if (path.starts_with(prefix)) return path.substr(prefix.size());
      }
    }
    return {};
  }
  return {};
}

}  // namespace

json::Value make_error(std::string_view kind, int status, std::string_view title, std::string_view detail) {
  std::string type(kStandardTypes);
  type += kind;
  auto error = json::Value::object();
  error.set("type", std::move(type));
  error.set("status", status);
  error.set("title", title);
  if (!detail.empty()) error.set("detail", detail);
  return error;
}

bool same_error_type(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const auto name = standard_name(a);
  return !name.empty() && name == standard_name(b);
}

namespace detail {
namespace {

void set_instance(json::Value& problem, std::string_view reference) {
  if (!problem.is_object()) problem = make_error("runtime", 500, "Error that is not an object", json::to_text(problem));
  problem.set("instance", reference);
}

}  // namespace

json::Value expression_error(const Error& error, std::string_view source) {
  std::string detail = error.message;
  if (!source.empty()) {
    detail += " (in `";
    detail += source;
    detail += "`)";
  }
  return make_error("expression", 400, "Expression failed", detail);
}

json::Value too_large_error() {
  return make_error("expression", 400, "Value too large",
                    "the value would be larger than " + std::to_string(kMaxValueBytes >> 20U) + " MiB as JSON");
}

void Core::fault(Activation& act, json::Value problem) {
  PAWL_ASSERT(act.kind == Kind::task, "only tasks fault; a list passes on what its task ended with");
  set_instance(problem, reference_of(act));
  remember_fault(act, FaultPoint::Restart::child);
  propagate(act, std::move(problem));
}

/// For an error that began in several children: they, not the task as a whole, are what a retry starts again.
void Core::fault_keeping_instance(Activation& act, json::Value problem, FaultPoint::Restart restart) {
  remember_fault(act, restart);
  propagate(act, std::move(problem));
}

void Core::propagate(Activation& act, json::Value problem) {
  act.error = std::move(problem);
  cancel_children(act);
  end(act, Ending::faulted);
}

/// Graphs, agents and competing forks take the faults of their children and remember where they stood themselves once they fault.
bool Core::is_absorbed(const Activation& act) const {
  for (const auto* place = parent_of(act); place != nullptr; place = parent_of(*place)) {
    if (place->kind != Kind::task || place->step != Step::body) continue;
    const auto& body = task_of(*place).body;
    if (std::holds_alternative<dsl::GraphTask>(body)) return true;
    if (std::holds_alternative<dsl::AgentTask>(body) && !place->children.empty()) return true;  // a tool; a model's failure is the agent's
    if (const auto* fork = std::get_if<dsl::ForkTask>(&body); fork != nullptr && fork->compete) return true;
  }
  return false;
}

void Core::remember_fault(const Activation& act, FaultPoint::Restart restart) {
  if (is_undoing(act)) return;  // that is no fault of the run
  fault_record = act.record;
  if (is_absorbed(act)) return;
  auto& chain = fault_point.chain;
  chain.clear();
  fault_point.restart = restart;
  fault_point.number = act.number;
  fault_point.raw_input = act.raw_input;
  const Activation* place = restart == FaultPoint::Restart::child ? parent_of(act) : &act;
  for (; place != nullptr; place = parent_of(*place)) chain.push_back(*place);
  std::reverse(chain.begin(), chain.end());
}

bool Core::evaluate(Activation& act, const dsl::Template& source, const json::Value& dot, const TaskScope& scope, json::Value& result) {
  if (source.is_constant()) {
    result = source.constant();
    return true;
  }
  auto evaluated = source.evaluate(dot, scope);
  if (evaluated.has_error()) {
    const auto* expression = std::get_if<dsl::Expression>(&source.node());
    fault(act, expression_error(evaluated.error(), expression != nullptr ? std::string_view(expression->source()) : std::string_view()));
    return false;
  }
  return accept(act, std::move(evaluated).value(), result);
}

/// What an expression gives must stay small enough to be written down: memory shows shared parts once, the journal and every reader all of
/// them.
bool Core::accept(Activation& act, json::Value value, json::Value& result) {
  if (json::larger_than(value, kMaxValueBytes)) {
    fault(act, too_large_error());
    return false;
  }
  result = std::move(value);
  return true;
}

bool Core::evaluate(Activation& act, const dsl::Expression& source, const json::Value& dot, const TaskScope& scope, json::Value& result) {
  auto evaluated = source.evaluate(dot, scope);
  if (evaluated.has_error()) {
    fault(act, expression_error(evaluated.error(), source.source()));
    return false;
  }
  return accept(act, std::move(evaluated).value(), result);
}

bool Core::evaluate(Activation& act, const dsl::Template& source, json::Value& result) {
  return evaluate(act, source, act.input, TaskScope(*this, &act, act.input), result);
}

bool Core::test(Activation& act, const dsl::Expression& source, const json::Value& dot, const TaskScope& scope, bool& result) {
  const auto tested = source.test(dot, scope);
  if (tested.has_error()) {
    fault(act, expression_error(tested.error(), source.source()));
    return false;
  }
  result = tested.value();
  return true;
}

bool Core::evaluate_duration(Activation& act, const dsl::Template& source, const json::Value& dot, const TaskScope& scope, Millis& result) {
  json::Value value;
  if (!evaluate(act, source, dot, scope, value)) return false;
  const auto duration = dsl::to_duration(value);
  if (duration.has_error()) {
    fault(act, expression_error(duration.error(), {}));
    return false;
  }
  result = duration.value();
  return true;
}

bool Core::validate(Activation& act, const std::optional<dsl::Schema>& schema, const json::Value& value, std::string_view what) {
  if (!schema) return true;
  const auto findings = schema->validate(value);
  if (findings.empty()) return true;
  fault(act, validation_error(findings, what));
  return false;
}

json::Value validation_error(const Findings& findings, std::string_view what) {
  std::string detail;
  for (const auto& finding : findings) {
    if (!detail.empty()) detail += "; ";
    detail += finding.pointer.empty() ? std::string_view("(root)") : std::string_view(finding.pointer);
    detail += ": ";
    detail += finding.message;
  }
  std::string title = "Invalid ";
  title += what;
  return make_error("validation", 400, title, detail);
}

}  // namespace detail
}  // namespace pawl::engine
