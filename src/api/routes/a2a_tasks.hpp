/// Agent2Agent: what its tasks look like on the wire, and what is asked about them. A task is a run that a message has started.
///
/// Functions that answer a call do so from whatever thread the engine calls back on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/detail/context.hpp"
#include "api/route.hpp"
#include "catalog/idempotency.hpp"
#include "crypto/crypto.hpp"
#include "engine/engine.hpp"
#include "json/value.hpp"

namespace pawl::api::detail::a2a {

inline constexpr std::string_view kContext = "a2a_context";  ///< in the trigger: the conversation that the message belongs to
inline constexpr std::size_t kLongestId = 200;

enum class Code : std::int32_t {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  internal_error = -32603,
  task_not_found = -32001,
  not_cancelable = -32002,
  content_type = -32005,
  unsupported_version = -32009,
};

[[nodiscard]] std::string reply_text(const json::Value& id, json::Value result);
/// `data`: array, what a program can act on, each with its `@type`; null: nothing.
[[nodiscard]] std::string fault_text(const json::Value& id, Code code, std::string message, json::Value data = {});
void refuse(Call& call, const json::Value& id, Code code, std::string message, json::Value data = {});
/// Empty where it is no text.
[[nodiscard]] std::string text_in(const json::Value& object, std::string_view name);

// ---- what a task looks like; `view`: as it may be shown ----
[[nodiscard]] std::string_view state_of(engine::Phase phase);
[[nodiscard]] std::string context_of(const engine::RunView& view);
[[nodiscard]] json::Value status_of(const Context& context, const engine::RunView& view);
[[nodiscard]] json::Value artifact_of(const engine::RunView& view);
[[nodiscard]] json::Value task_of(const Context& context, const engine::RunView& view, bool with_output = true);

// ---- what is asked about tasks ----
[[nodiscard]] std::optional<RunId> task_id(const json::Value& params);
void tell_task(Context& context, const std::shared_ptr<Call>& call, const json::Value& id, const RunId& run);
void list_tasks(Context& context, Call call, const json::Value& id, const json::Value& params);
void cancel_task(Context& context, Call call, const json::Value& id, const RunId& run);

/// A message of this id is one task, however often its sender (user and key) sends it within a day. `fresh`: the run that it becomes where
/// it is the first. `claimed` is called on the writer's thread, and what it starts is there before a second message is told of the claim.
/// Error `request.idempotency_conflict`: the other message was not the same.
using Claimed = std::function<void(const Result<catalog::IdempotencyClaim>&)>;
void claim_message(Context& context, const Call& call, std::string_view message_id, const crypto::Digest& digest, const RunId& fresh,
                   Claimed claimed);

}  // namespace pawl::api::detail::a2a
