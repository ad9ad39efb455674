#include "api/detail/model_reply.hpp"

#include "audit/redact.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxHistory = 50;

Shape usage_shape() {
  return Shape::object("ModelUsage", {{"input_tokens", Shape::integer(120)},
                                      {"output_tokens", Shape::integer(36)},
                                      {"cached_tokens", Shape::integer(0)},
                                      {"reasoning_tokens", Shape::integer(0)}});
}

Members whom() {
  return {{"provider", Shape::text("openai", kMaxName), Shape::kOptional},
          {"model", Shape::text("openai/gpt-4o-mini", kMaxName), Shape::kOptional}};
}

}  // namespace

Error no_models() { return {ErrorClass::unavailable, "llm.off", "This process asks no models."}; }

std::string text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

json::Value without_secrets(const Context& context, const json::Value& value) {
  return context.d.redactor == nullptr ? audit::Redactor().value(value) : context.d.redactor->value(value);
}

json::Value told(const models::Answer& answer) {
  const auto& usage = answer.usage;
  auto attempts = json::Value::array();
  for (const auto& attempt : answer.attempts) {
    attempts.push_back(
        json::Value::object({{"model", attempt.model}, {"error", attempt.error.empty() ? json::Value() : json::Value(attempt.error)}}));
  }
  return json::Value::object({{"status", "success"},
                              {"provider", answer.provider},
                              {"model", answer.model},
                              {"tokens_used", usage.input + usage.output},
                              {"usage", models::to_json(usage)},
                              {"cost", answer.cost ? json::Value(*answer.cost) : json::Value()},
                              {"attempts", std::move(attempts)},
                              {"scripted", answer.scripted}});
}

models::Asker asker_of(const Call& call) {
  return {
      .organization = call.organization, .provider = text_of(call.body, "provider"), .model = text_of(call.body, "model"), .forbidden = {}};
}

json::Value findings_json(const Findings& findings) {
  auto list = json::Value::array();
  for (const auto& finding : findings) {
    auto item = json::Value::object({{"severity", finding.severity == Severity::error ? "error" : "warning"},
                                     {"pointer", finding.pointer},
                                     {"line", finding.line},
                                     {"column", finding.column},
                                     {"message", finding.message},
                                     {"rule", finding.rule}});
    if (!finding.suggestion.empty()) item.set("suggestion", finding.suggestion);
    list.push_back(std::move(item));
  }
  return list;
}

json::Value failure_of(const engine::RunView& run, std::string_view wanted) {
  auto history = json::Value::array();
  auto facts = json::Value::object({{"workflow", run.workflow_name}, {"error", run.error}});
  for (const auto& task : run.tasks) {
    if (history.size() < kMaxHistory) {
      history.push_back(json::Value::object(
          {{"task", task.name}, {"reference", task.reference}, {"type", task.type}, {"failed", !task.record.error.is_null()}}));
    }
    if (task.record.error.is_null() || (!wanted.empty() && task.name != wanted && task.reference != wanted)) continue;
    facts.set("task", task.name);
    facts.set("reference", task.reference);
    facts.set("type", task.type);
    facts.set("task_error", task.record.error);
    facts.set("task_input", task.record.input);
  }
  facts.set("history", std::move(history));
  return facts;
}

Shape reply_shape(std::string_view name, Members own) {
  const auto attempt = Shape::object(
      "ModelAttempt", {{"model", Shape::text("openai/gpt-4o-mini")}, {"error", Shape::text("llm.rate_limited", 5000).or_null()}});
  Members members = {{"status", Shape::choice({"success", "given_up"})},
                     {"provider", Shape::text("openai")},
                     {"model", Shape::text("gpt-4o-mini")},
                     {"tokens_used", Shape::integer(156)},
                     {"usage", usage_shape()},
                     {"cost", Shape::number(0.0004).or_null().described("US dollars; null: the price is unknown.")},
                     {"attempts", Shape::array(attempt, 100)},
                     {"scripted", Shape::boolean(false).described("True: the answer comes from a file, not from a model.")}};
  members.insert(members.end(), own.begin(), own.end());
  return Shape::object(name, std::move(members));
}

Shape with_whom(std::string_view name, Members members) {
  const auto more = whom();
  members.insert(members.end(), more.begin(), more.end());
  return Shape::object(name, std::move(members));
}

}  // namespace pawl::api::detail
