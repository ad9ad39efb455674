/// `call: llm`: one call of a model as a step of a workflow.
///
///     - judge:
///         call: llm
///         with:
///           model: openai/gpt-4o-mini
///           prompt: ${ "Is this urgent? " + .text }
///           output: {schema: {type: object, properties: {urgent: {type: boolean}}, required: [urgent]}}
///
/// Effect class: `idempotent`, and `read` for `scripted` models. A call changes nothing in the world but the bill: one that was under way
/// when the process died is made again, which no provider lets us avoid, and the answer says so (`possible_double_bill`); `once` would end
/// the run for a lost sentence. It waits for the commit of what it follows from, which `read` would not: a crash repeats no call that the
/// journal knows the answer of.
///
/// Where somebody follows the run when the call begins (or `stream: true` says that somebody may come), the answer is streamed to them.
///
/// A request that carries a secret of the run is refused: models never see secrets.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "engine/function.hpp"
#include "models/answer_stream.hpp"
#include "models/client.hpp"

namespace pawl::models {

/// What a call says while it says it, for whoever follows the run: nothing of it is kept, the result is what counts.
struct Followers {
  const Clock& clock;
  /// Asked when a call begins: whether anybody follows the organization's runs. A call with `stream: true` is told all the same.
  std::function<bool(const OrganizationId&)> wants;
  /// On the threads of `Client::ask`; must not block. The last piece of a call is its end.
  std::function<void(const engine::Invocation&, const Piece&)> tell;
  /// A text as it may be shown: without secrets. It is given whole words. Empty: as it is.
  std::function<std::string(std::string_view)> hide{};
};

struct LlmFunctionParts {
  Client& client;
  /// Reads the files that input parts name by `path` (function `file-read`). Outlives the function.
  const engine::FunctionRegistry& functions;
  std::optional<Followers> followers{};  ///< nothing: answers are not streamed
};
[[nodiscard]] std::unique_ptr<engine::Function> make_llm_function(LlmFunctionParts parts);

/// The arguments of `call: llm` as a call. Error `llm.arguments` (or of the schema).
[[nodiscard]] Result<Call> read_call(const json::Value& arguments);
/// The output of `call: llm`.
[[nodiscard]] json::Value to_output(const Answer& answer);
/// What must not be sent anywhere: the texts among the secrets of a run (`engine::Invocation::secrets`).
[[nodiscard]] std::vector<std::string> forbidden_texts(const json::Value& secrets);

}  // namespace pawl::models
