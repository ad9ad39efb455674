#include "world.hpp"

#include <algorithm>
#include <charconv>

#include "dsl/compile.hpp"
#include "json/write.hpp"
#include "local_engine.hpp"
#include "yaml/yaml.hpp"

namespace pawl::conformance {
namespace {

using engine::Phase;
using engine::TaskStatus;
using Outcome = std::optional<std::string>;

const json::Value* property(const json::Value& root, std::string_view path) {
  const json::Value* current = &root;
  while (current != nullptr && !path.empty()) {
    const auto end = path.find_first_of(".[", 1);
    auto part = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
    if (part.starts_with('.')) part.remove_prefix(1);
    if (part.starts_with('[')) {
      std::size_t index = 0;
      std::from_chars(part.data() + 1, part.data() + part.size(), index);
      current = current->is_array() && index < current->size() ? &current->at(index) : nullptr;
    } else {
      current = current->find(part);
    }
  }
  return current;
}

/// `'a', 'b'` -> a, b
std::vector<std::string> quoted(std::string_view text) {
  std::vector<std::string> names;
  while (true) {
    const auto open = text.find('\'');
    const auto close = open == std::string_view::npos ? open : text.find('\'', open + 1);
    if (close == std::string_view::npos) return names;
    names.emplace_back(text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
  }
}

bool strip_suffix(std::string& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

Result<json::Value> data_of(const std::string& document) {
  auto parsed = yaml::parse(document);
  if (!parsed.ok())
    return Error(ErrorClass::invalid, "scenario.data", "the scenario's own YAML is wrong: " + parsed.findings.front().message);
  return parsed.value->value;
}

Outcome expect_equal(const json::Value& actual, const std::string& document, const std::string& what) {
  const auto expected = data_of(document);
  if (expected.has_error()) return expected.error().message;
  if (actual == expected.value()) return {};
  return what + " is " + json::to_text(actual) + ", expected " + json::to_text(expected.value());
}

/// Members that the scenario names must be equal; an error may say more (`detail`).
Outcome expect_error(const json::Value& actual, const std::string& document, const std::string& what) {
  const auto expected = data_of(document);
  if (expected.has_error()) return expected.error().message;
  if (!expected.value().is_object()) return what + ": the expected error is not a map";
  for (const auto& member : expected.value().members()) {
    const auto& value = actual.get(member.name());
    const bool same_type = member.name() == "type" && value.is_string() && member.value.is_string() &&
                           engine::same_error_type(value.as_string(), member.value.as_string());
    if (!same_type && !(value == member.value))
      return what + " is " + json::to_text(actual) + ", expected " + json::to_text(expected.value());
  }
  return {};
}

Outcome expect_phase(const engine::RunView& run, Phase phase) {
  if (run.phase == phase) return {};
  return "the workflow is " + std::string(engine::to_text(run.phase)) +
         (run.error.is_null() ? "" : " with error " + json::to_text(run.error));
}

}  // namespace

Outcome World::perform(const GherkinStep& step) {
  if (step.keyword == "Given") return arrange(step);
  if (step.keyword == "When") return act(step);
  if (!result_) {
    if (const auto failure = finish()) return failure;
  }
  return step.text.find("workflow ") != std::string::npos ? assert_workflow(step) : assert_task(step);
}

Outcome World::define(const std::string& document, bool main) {
  auto compiled = dsl::compile(document, engine_.functions());
  if (!compiled.ok()) {
    std::string why = "the definition is refused:";
    for (const auto& finding : compiled.findings) {
      why += "\n        " + std::to_string(finding.line) + ":" + std::to_string(finding.column) + ": " + finding.message + " [" +
             finding.rule + "]";
    }
    if (!main) return why;
    invalid_ = why;
    return {};
  }
  const auto id = engine_.add_workflow(*compiled.value);
  if (main) {
    plan_ = *compiled.value;
    workflow_ = id;
  }
  return {};
}

Outcome World::arrange(const GherkinStep& step) {
  auto document = step.document;
  for (auto at = document.find("{local}"); at != std::string::npos; at = document.find("{local}")) document.replace(at, 7, host_);
  if (step.text == "a workflow with definition:") return define(document, true);
  if (step.text == "given another workflow with definition:" || step.text == "another workflow with definition:")
    return define(document, false);
  if (step.text == "given the workflow input is:" || step.text == "the workflow input is:") {
    auto input = data_of(document);
    if (input.has_error()) return input.error().message;
    input_ = std::move(input).value();
    return {};
  }
  return "no such step";
}

Outcome World::start() {
  if (invalid_) return invalid_;
  if (!plan_) return "no workflow is defined";
  run_ = engine_.start(workflow_, plan_, input_);
  return {};
}

Outcome World::finish() {
  if (!run_) return invalid_ ? invalid_ : Outcome("the workflow was not executed");
  auto result = engine_.wait(*run_, std::chrono::seconds(20));
  if (result.has_error()) return result.error().message;
  result_ = std::move(result).value();
  return {};
}

Outcome World::act(const GherkinStep& step) {
  if (step.text == "the workflow is executed" || step.text == "the workflow is started") {
    return invalid_ && step.text.ends_with("executed") ? Outcome{} : start();
  }
  if (step.text == "the event is published:") {
    auto event = data_of(step.document);
    if (event.has_error()) return event.error().message;
    return engine_.publish(*run_, std::move(event).value());
  }
  if (step.text == "the workflow is cancelled") return engine_.cancel(*run_);
  return "no such step";
}

Outcome World::assert_workflow(const GherkinStep& step) {
  const auto& run = *result_;
  if (step.text == "the workflow should complete") return expect_phase(run, Phase::completed);
  if (step.text == "the workflow should fault") return expect_phase(run, Phase::faulted);
  if (step.text == "the workflow should cancel") return expect_phase(run, Phase::cancelled);
  if (step.text == "the workflow should complete with output:") {
    if (auto failure = expect_phase(run, Phase::completed)) return failure;
    return expect_equal(run.output, step.document, "the output");
  }
  if (step.text == "the workflow should fault with error:") {
    if (auto failure = expect_phase(run, Phase::faulted)) return failure;
    return expect_error(run.error, step.document, "the error");
  }
  const auto names = quoted(step.text);
  if (step.text.starts_with("the workflow output should have properties ")) {
    for (const auto& name : names) {
      if (property(run.output, name) == nullptr) return "the output has no property '" + name + "': " + json::to_text(run.output);
    }
    return {};
  }
  if (!step.text.starts_with("the workflow output should have a ") || names.size() != 1) return "no such step";
  const auto* value = property(run.output, names[0]);
  if (value == nullptr) return "the output has no property '" + names[0] + "': " + json::to_text(run.output);
  if (step.text.ends_with(" property with value:")) return expect_equal(*value, step.document, "property '" + names[0] + "'");
  const auto containing = step.text.find(" property containing ");
  if (containing == std::string::npos) return "no such step";
  std::size_t count = 0;
  const auto* digits = step.text.data() + containing + std::string_view(" property containing ").size();
  std::from_chars(digits, step.text.data() + step.text.size(), count);
  if ((value->is_array() || value->is_object()) && value->size() == count) return {};
  return "property '" + names[0] + "' is " + json::to_text(*value) + ", expected " + std::to_string(count) + " items";
}

const engine::RunView::TaskView* World::task(const std::string& name) const {
  const auto found = std::find_if(result_->tasks.begin(), result_->tasks.end(), [&](const auto& view) { return view.name == name; });
  return found == result_->tasks.end() ? nullptr : &*found;
}

std::optional<std::size_t> World::position(const std::string& name) const {
  const auto* found = task(name);
  if (found == nullptr || found->record.status == TaskStatus::skipped) return std::nullopt;
  return static_cast<std::size_t>(found - result_->tasks.data());
}

Outcome World::assert_order(const std::string& text) {
  std::string subject = text;
  if (strip_suffix(subject, " should run first") || strip_suffix(subject, " should run last")) {
    const auto at = position(subject);
    if (!at) return "task " + subject + " did not run";
    const bool first = text.ends_with("first");
    if (*at == (first ? 0 : result_->tasks.size() - 1)) return {};
    return "task " + subject + " ran at place " + std::to_string(*at + 1) + " of " + std::to_string(result_->tasks.size());
  }
  for (const auto* relation : {" should run before ", " should run after "}) {
    const auto at = text.find(relation);
    if (at == std::string::npos) continue;
    const auto left = position(text.substr(0, at));
    const auto right = position(text.substr(at + std::string_view(relation).size()));
    if (!left || !right) return "one of the tasks did not run";
    const bool before = std::string_view(relation) == " should run before ";
    if (before ? *left < *right : *left > *right) return {};
    return "the tasks ran in the other order";
  }
  return "no such step";
}

Outcome World::assert_task(const GherkinStep& step) {
  if (step.text.find(" should run ") != std::string::npos) return assert_order(step.text);
  struct Form {
    std::string_view suffix;
    TaskStatus status;
    bool output;
    bool error;
  };
  static constexpr Form kForms[] = {{" should complete with output:", TaskStatus::completed, true, false},
                                    {" should complete", TaskStatus::completed, false, false},
                                    {" should fault with error:", TaskStatus::faulted, false, true},
                                    {" should fault", TaskStatus::faulted, false, false},
                                    {" should cancel", TaskStatus::cancelled, false, false},
                                    {" should be skipped", TaskStatus::skipped, false, false}};
  for (const auto& form : kForms) {
    std::string name = step.text;
    if (!strip_suffix(name, form.suffix)) continue;
    const auto* found = task(name);
    if (found == nullptr) return "task " + name + " has no record";
    if (found->record.status != form.status) return "task " + name + " is " + std::string(engine::to_text(found->record.status));
    if (form.output) return expect_equal(found->record.output, step.document, "the output of " + name);
    if (form.error) return expect_error(found->record.error, step.document, "the error of " + name);
    return {};
  }
  return "no such step";
}

}  // namespace pawl::conformance
