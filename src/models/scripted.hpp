/// The provider `scripted`: answers from a file, offline and always the same. For tests, examples and evaluations; every answer says that
/// it is scripted, and nothing ever falls back to it by itself.
///
///     # scripts/triage.yaml, called as `scripted/triage`
///     replies:
///       - match: {contains: refund, turn: 1}      # all that are given must hold
///         tool_calls: [{name: lookup, arguments: {order: 7}}]
///       - match: {tool: lookup}                   # the last message is a result of this tool
///         content: "It is on its way: {{tool}}"   # {{user}} and {{tool}}: the last message of the kind
///         usage: {input_tokens: 40, output_tokens: 12}
///       - match: {contains: broken}
///         error: {status: 429, retry_after: 2, message: slow down, attempts: 1}   # the first attempt of a call fails, the next does not
///       - content: {answer: 42}                   # no match: fits always; a value that is no text is written as JSON
///
/// The first reply that fits answers; where none does the call fails with `invalid`. What fits follows from the request alone
/// (`contains`: a part of the last user message; `instructions`: of the instructions; `turn`: how many messages of the model there will be;
/// `tool`: the last message), so a repeated call gets the same answer. Usage that is not given is counted at four bytes for a token.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/codec.hpp"
#include "models/message.hpp"

namespace pawl::models {

/// All scripts by name. Filled before it is used; reading it is safe from any thread.
class Scripts {
 public:
  /// Reads every `*.yaml`, `*.yml` and `*.json` of the folder. Error `llm.script`: one of them is no script, or the folder is not there.
  [[nodiscard]] static Result<Scripts> load(const std::string& folder);
  /// Error `llm.script` with what is wrong.
  [[nodiscard]] Result<void> add(std::string name, const json::Value& script);

  [[nodiscard]] std::vector<std::string> names() const;
  /// The answer of script `name` to the request. `attempt` counts from 0 within one call. The answer is given to `on_chunk` word by word.
  [[nodiscard]] Outcome<Reply> answer(std::string_view name, const Request& request, std::uint32_t attempt, const OnChunk& on_chunk) const;

 private:
  std::map<std::string, json::Value, std::less<>> scripts_;
};

}  // namespace pawl::models
