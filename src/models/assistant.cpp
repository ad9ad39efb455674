#include "models/assistant.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "base/assert.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/detail/embedded.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models {
namespace {

using detail::text_of;

constexpr std::uint32_t kMostRepairs = 3;
constexpr std::size_t kMostFindings = 20;

json::Value literal(std::string_view text) {
  auto value = json::parse(text);
  PAWL_ASSERT(value.has_value(), "a literal is JSON");
  return std::move(value).value();
}

constexpr std::string_view kPlanSchema = R"({
  "type": "object",
  "properties": {
    "execution_strategy": {"enum": ["sequential", "parallel", "hybrid"]},
    "task_order": {"type": "array", "items": {"type": "string"}},
    "parallel_groups": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
    "estimated_duration": {"type": "string"},
    "llm_suggestions": {"type": "string"},
    "risks": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    "optimizations": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    "explanation": {"type": "string"}
  },
  "required": ["execution_strategy", "task_order", "parallel_groups", "estimated_duration", "llm_suggestions", "risks", "optimizations", "explanation"],
  "additionalProperties": false
})";

constexpr std::string_view kReviewSchema = R"({
  "type": "object",
  "properties": {
    "issues": {"type": "array", "maxItems": 50, "items": {
      "type": "object",
      "properties": {"severity": {"enum": ["error", "warning", "info"]}, "field": {"type": "string"}, "message": {"type": "string"}, "fix": {"type": "string"}},
      "required": ["severity", "field", "message", "fix"],
      "additionalProperties": false
    }},
    "suggestions": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    "fixed_document": {"type": ["string", "null"]}
  },
  "required": ["issues", "suggestions", "fixed_document"],
  "additionalProperties": false
})";

constexpr std::string_view kRecoverySchema = R"({
  "type": "object",
  "properties": {
    "recovery_strategy": {"enum": ["retry", "skip", "modify", "manual", "unknown"]},
    "root_cause": {"type": "string"},
    "actions": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    "modified_params": {"type": "object"},
    "confidence": {"enum": ["high", "medium", "low"]},
    "preventive_measures": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    "llm_analysis": {"type": "string"}
  },
  "required": ["recovery_strategy", "root_cause", "actions", "modified_params", "confidence", "preventive_measures", "llm_analysis"],
  "additionalProperties": false
})";

constexpr std::string_view kDocumentSchema = R"({
  "type": "object",
  "properties": {"document": {"type": "string"}, "explanation": {"type": "string"}, "example_input": {"type": "object"}},
  "required": ["document", "explanation"],
  "additionalProperties": false
})";

Finding finding(std::string pointer, std::string message) {
  Finding result;
  result.pointer = std::move(pointer);
  result.message = std::move(message);
  result.rule = "llm-answer";
  return result;
}

json::Value to_json(const Findings& findings) {
  auto list = json::Value::array();
  for (const auto& item : findings) {
    if (list.size() >= kMostFindings) break;
    list.push_back(json::Value::object({{"severity", item.severity == Severity::error ? "error" : "warning"},
                                        {"pointer", item.pointer},
                                        {"line", item.line},
                                        {"message", item.message}}));
  }
  return list;
}

std::string repair_text(const Findings& findings) {
  std::string text = "Your answer was not accepted:\n";
  std::size_t shown = 0;
  for (const auto& item : findings) {
    if (++shown > kMostFindings) break;
    const auto hint = item.suggestion.empty() ? std::string() : fmt::format(" (did you mean `{}`?)", item.suggestion);
    const auto place = item.line > 0 ? fmt::format("line {}: ", item.line) : std::string();
    text += fmt::format("- {}{}{}{}{}\n", place, item.pointer, item.pointer.empty() ? "" : ": ", item.message, hint);
  }
  return text + "Answer again with the whole corrected answer.";
}

json::Value functions_of(const dsl::FunctionCatalog& catalog) {
  auto list = json::Value::object();
  for (const auto& name : catalog.names()) {
    if (const auto* signature = catalog.find(name); signature != nullptr) list.set(name, signature->parameters);
  }
  return list;
}

/// What is wrong with a document that a model wrote; warnings do not count.
Findings errors_in(std::string_view document, const dsl::FunctionCatalog& functions) {
  auto compiled = dsl::compile(document, functions);
  std::erase_if(compiled.findings, [](const Finding& item) { return item.severity != Severity::error; });
  return std::move(compiled.findings);
}

std::vector<std::string> task_names(const dsl::Plan& plan) {
  std::vector<std::string> names;
  for (const auto& task : plan.tasks) {
    if (!task.name.empty()) names.push_back(task.name);
  }
  return names;
}

}  // namespace

Prompt prompt(std::string_view name) {
  constexpr std::string_view kVersion = "version: ";
  auto text = detail::embedded_file(fmt::format("prompts/{}.md", name));
  PAWL_ASSERT(text.starts_with(kVersion), "a prompt of the program begins with its version");
  const auto end = text.find('\n');
  const auto version = text.substr(kVersion.size(), end - kVersion.size());
  return {fmt::format("{}@{}", name, version), std::string(text.substr(end + 1))};
}

namespace {

/// Of what is known at once.
template <class Look>
Assistant::Check at_once(Look look) {
  return [look = std::move(look)](const json::Value& output, const std::function<void(Findings)>& told) { told(look(output)); };
}

/// Rounds of one piece of work.
class Rounds : public std::enable_shared_from_this<Rounds> {
 public:
  Rounds(Client& client, Assistant::Work work, Assistant::Done done) : client_(client), work_(std::move(work)), done_(std::move(done)) {
    messages_.push_back(Message::of(Role::user, json::to_text(work_.facts, {.indent = 1})));
    assisted_.prompt = work_.prompt.name;
  }

  void begin() {
    if (cancelled()) {
      return finish(Answer(), Error(ErrorClass::unavailable, "llm.cancelled", "The call was cancelled."));
    }
    Call call;
    call.organization = work_.asker.organization;
    call.provider = work_.asker.provider;
    call.model = work_.asker.model;
    call.forbidden = work_.asker.forbidden;
    call.prompt = work_.prompt.name;
    call.request.instructions = work_.prompt.text;
    call.request.messages = messages_;
    call.output_schema = work_.schema;
    auto cancel = client_.ask(std::move(call), [self = shared_from_this()](Answer answer) { self->answered(std::move(answer)); });
    bool now = false;
    {
      const std::lock_guard lock(mutex_);
      cancel_ = cancel;
      now = cancelled_;
    }
    if (now) cancel();
  }

  void cancel() {
    Client::Cancel running;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      running = cancel_;
    }
    if (running) running();
  }

 private:
  bool cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  void answered(Answer answer) {
    add(answer);
    if (answer.reply.has_error()) {
      auto error = answer.reply.error();  // the parameter takes the answer away
      return finish(std::move(answer), std::move(error));
    }
    ++assisted_.rounds;
    assisted_.draft = answer.output;
    if (answer.output.is_null()) {
      const auto how = to_text(answer.reply->finish);
      return finish(std::move(answer),
                    Error(ErrorClass::unprocessable, "llm.no_answer", fmt::format("The model gave no answer ({}).", how)));
    }
    if (!work_.check) return judged(std::move(answer), {});
    const auto shared = std::make_shared<Answer>(std::move(answer));
    work_.check(shared->output,
                [self = shared_from_this(), shared](Findings findings) { self->judged(std::move(*shared), std::move(findings)); });
  }

  void judged(Answer answer, Findings findings) {
    assisted_.findings = std::move(findings);
    if (assisted_.findings.empty()) {
      assisted_.output = answer.output;
      return finish(std::move(answer), std::nullopt);
    }
    if (assisted_.rounds > kMostRepairs) {
      return finish(std::move(answer), Error(ErrorClass::unprocessable, "llm.given_up",
                                             fmt::format("No valid answer after {} rounds.", assisted_.rounds), assisted_.findings));
    }
    messages_.push_back(to_message(*answer.reply));
    messages_.push_back(Message::of(Role::user, repair_text(assisted_.findings)));
    begin();
  }

  void add(const Answer& answer) {
    usage_ += answer.usage;
    cost_known_ = cost_known_ && answer.cost.has_value();
    cost_ += answer.cost.value_or(0);
    attempts_.insert(attempts_.end(), answer.attempts.begin(), answer.attempts.end());
  }

  void finish(Answer answer, std::optional<Error> error) {
    if (error) assisted_.output = std::move(*error);
    answer.usage = usage_;
    answer.cost = cost_known_ ? std::optional(cost_) : std::nullopt;
    answer.attempts = std::move(attempts_);
    assisted_.answer = std::move(answer);
    const auto done = std::move(done_);
    done(std::move(assisted_));
  }

  Client& client_;
  const Assistant::Work work_;
  Assistant::Done done_;
  std::vector<Message> messages_;
  Assisted assisted_;
  Usage usage_;
  double cost_ = 0;
  bool cost_known_ = true;
  std::vector<Attempt> attempts_;
  std::mutex mutex_;
  Client::Cancel cancel_;
  bool cancelled_ = false;
};

}  // namespace

Assistant::Cancel Assistant::run(Work work, Done done) const {
  const auto rounds = std::make_shared<Rounds>(client_, std::move(work), std::move(done));
  rounds->begin();
  return [weak = std::weak_ptr(rounds)] {
    if (const auto running = weak.lock()) running->cancel();
  };
}

Assistant::Cancel Assistant::plan(const Asker& asker, const json::Value& document, const dsl::PlanPtr& plan, Done done) const {
  auto names = task_names(*plan);
  auto tasks = json::Value::array();
  for (const auto& name : names) tasks.push_back(name);
  auto check = at_once([names = std::move(names)](const json::Value& output) {
    Findings findings;
    const auto look = [&](const json::Value& list, const std::string& pointer) {
      for (std::size_t i = 0; i < list.size(); ++i) {
        const auto name = list.at(i).as_string();
        if (std::find(names.begin(), names.end(), name) != names.end()) continue;
        findings.push_back(finding(fmt::format("{}/{}", pointer, i), fmt::format("there is no task \"{}\"", name)));
      }
    };
    look(output.get("task_order"), "/task_order");
    const auto& groups = output.get("parallel_groups");
    for (std::size_t i = 0; i < groups.size(); ++i) look(groups.at(i), fmt::format("/parallel_groups/{}", i));
    return findings;
  });
  return run({.asker = asker,
              .prompt = prompt("plan"),
              .facts = json::Value::object({{"tasks", std::move(tasks)}, {"workflow", document}}),
              .schema = literal(kPlanSchema),
              .check = std::move(check)},
             std::move(done));
}

Assistant::Cancel Assistant::review(const Asker& asker, std::string_view document, const Findings& found, bool auto_fix, Done done) const {
  auto check = at_once([&functions = functions_, auto_fix](const json::Value& output) {
    const auto fixed = text_of(output, "fixed_document");
    return auto_fix && !fixed.empty() ? errors_in(fixed, functions) : Findings();
  });
  return run({.asker = asker,
              .prompt = prompt("validate"),
              .facts = json::Value::object({{"auto_fix", auto_fix}, {"compiler", to_json(found)}, {"document", document}}),
              .schema = literal(kReviewSchema),
              .check = std::move(check)},
             std::move(done));
}

Assistant::Cancel Assistant::recover(const Asker& asker, const json::Value& failure, Done done) const {
  return run({.asker = asker, .prompt = prompt("recover"), .facts = failure, .schema = literal(kRecoverySchema)}, std::move(done));
}

Assistant::Cancel Assistant::generate_workflow(const Asker& asker, std::string_view description, TryOut try_out, Done done) const {
  auto check = [&functions = functions_, try_out = std::move(try_out)](const json::Value& output, std::function<void(Findings)> told) {
    auto document = text_of(output, "document");
    auto findings = errors_in(document, functions);
    if (!findings.empty() || !try_out) return told(std::move(findings));
    const auto compiled = dsl::compile(document, functions);
    try_out({.document = std::move(document), .plan = *compiled.value, .input = output.get("example_input")}, std::move(told));
  };
  return run({.asker = asker,
              .prompt = prompt("generate-workflow"),
              .facts = json::Value::object({{"description", description}, {"functions", functions_of(functions_)}}),
              .schema = literal(kDocumentSchema),
              .check = std::move(check)},
             std::move(done));
}

}  // namespace pawl::models
