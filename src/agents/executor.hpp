/// The executor: from a sentence, or a plan in words, to one call of something that exists, with parameters that fit. It proposes; starting
/// is for whoever asked.
///
///     choose(assistant, asker, "sort the inbox", std::move(choices), [](models::Assisted assisted) { ... });
///     // assisted.output: {kind: "workflow" | "function" | "none", name, input, reason}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "dsl/plan.hpp"
#include "engine/function.hpp"
#include "models/assistant.hpp"

namespace pawl::agents {

struct Choice {
  enum class Kind : std::uint8_t { workflow, function };
  Kind kind = Kind::workflow;
  std::string name;
  std::string description;
  json::Value parameters;  ///< JSON Schema of the input
};
[[nodiscard]] std::string_view to_text(Choice::Kind kind);

/// All functions that can be called by themselves, with the parameters that a model may choose: none that says under whose name or how far
/// a call goes, and never `allow_destructive`. Programs, scripts, agents and their tools (`run.*`, `shell-command`, `mcp`
/// ...) are not among them.
[[nodiscard]] std::vector<Choice> function_choices(const engine::FunctionRegistry& functions);

/// What is wrong with the input, by JSON pointers below `/input`.
[[nodiscard]] Findings check_input(const Choice& choice, const json::Value& input);

models::Assistant::Cancel choose(const models::Assistant& assistant, const models::Asker& asker, std::string_view instruction,
                                 std::vector<Choice> choices, models::Assistant::Done done);

/// A document that calls the function with the members of its input, which stay data: no expression of theirs is evaluated.
[[nodiscard]] json::Value call_document(std::string_view function, const json::Value& arguments);

}  // namespace pawl::agents
