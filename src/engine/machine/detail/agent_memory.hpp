/// What an agent remembers, as functions of data: which messages are summed up, how a model is asked for it, and what is kept between runs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dsl/plan.hpp"
#include "engine/machine/detail/state.hpp"

namespace pawl::engine::detail {

/// A step of an agent that is neither a turn nor a call: `summary`, `memory-read` (recall), `memory-write` (remember).
[[nodiscard]] bool is_aside(const dsl::Task& step);
[[nodiscard]] bool is_aside_of(const dsl::Plan& plan, dsl::TaskIndex agent, dsl::TaskIndex step);
/// That of the agent with this type; kNoTask: it has none.
[[nodiscard]] dsl::TaskIndex aside_of(const dsl::Plan& plan, dsl::TaskIndex agent, std::string_view type);

/// Why the evaluated `memory` cannot be followed; empty: it can.
[[nodiscard]] std::string wrong_with_memory(const json::Value& memory);

/// Messages `from` to `until` of the transcript are old: behind what the agent was asked, and before the latest ones, which stay. What was
/// recalled from earlier runs is old as well.
struct OldMessages {
  std::size_t from = 0;
  std::size_t until = 0;
};
/// Nothing: the transcript is short enough, or there is nothing in it that could be shortened.
[[nodiscard]] std::optional<OldMessages> old_messages(const AgentState& agent);
/// As text: who said what, which tools were called and what they answered.
[[nodiscard]] std::string told_as_text(const AgentState& agent, const OldMessages& old);
/// Which model sums up: `model`, and where it is the agent's own `provider` and `fallback`.
[[nodiscard]] json::Value summary_settings(const AgentState& agent);
/// The transcript with the summary in the place of what it sums up.
void replace_old(AgentState& agent, const OldMessages& old, std::string_view summary);

/// What a guardrail has to say against `dot`; nothing where it lets it pass (`true`, `null`). `false` and texts object.
[[nodiscard]] std::optional<std::string> objection(const std::optional<dsl::Expression>& guardrail, const json::Value& dot,
                                                   const dsl::Scope& scope);

/// What is kept of the transcript: the latest messages, beginning with one of the user, without what only one provider understands.
[[nodiscard]] json::Value kept_messages(const AgentState& agent);

}  // namespace pawl::engine::detail
