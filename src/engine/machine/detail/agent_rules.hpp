/// The small rules of agents, as functions of data: what a call of the model may take, what a tool's answer becomes, what was seen before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/plan.hpp"
#include "engine/machine/detail/state.hpp"

namespace pawl::engine::detail {

/// A whole number among the settings, `usual` where it is not given.
[[nodiscard]] std::uint64_t setting(const json::Value& settings, std::string_view name, std::uint64_t usual);

/// At most so many tokens go into the next turn: what is known of the transcript, and a token for each byte that is new.
[[nodiscard]] std::uint64_t most_input_tokens(const AgentState& agent, const dsl::AgentTask& body);
[[nodiscard]] std::uint64_t used_tokens(const AgentState& agent);
/// An answer of fewer tokens is none.
constexpr std::uint64_t kLeastAnswer = 16;
/// The most that a request costs, in billionths; nothing where the price is not known.
[[nodiscard]] std::optional<std::int64_t> dearest(const json::Value& price, std::uint64_t prompt, std::uint64_t answer);
/// The longest answer, up to `most`, that `money` pays beside the prompt; 0: none.
[[nodiscard]] std::uint64_t paid_answer(const json::Value& price, std::uint64_t prompt, std::uint64_t most, std::int64_t money);
/// `model`, `provider` and `fallback` of the next turn: where it is asked for again, the next of the fallbacks comes first.
[[nodiscard]] json::Value model_settings(const AgentState& agent);
/// What is known of a model is kept under this.
[[nodiscard]] std::string model_named(const json::Value& settings);
/// How often a turn is asked for again after requests that may have been paid for without an answer.
[[nodiscard]] std::uint32_t most_repeats(const AgentState& agent);

/// What a turn has used.
struct TurnUsage {
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t reasoning_tokens = 0;
  std::optional<std::int64_t> cost;  ///< in billionths; none: the model's price is not known
};
[[nodiscard]] TurnUsage usage_of_reply(const json::Value& reply);
void add_usage(AgentState& agent, const TurnUsage& usage);
/// At most so many tokens are what has been said so far, after a turn.
[[nodiscard]] std::uint64_t known_after(const TurnUsage& usage, const json::Value& reply, std::uint64_t most_input);

/// The messages that go out: all, or the first ones and the latest `window`, never an answer of a tool without the call.
[[nodiscard]] json::Value window_of(const AgentState& agent);

/// `{id, name, arguments}` of call `number` of a turn. Models make mistakes: a missing id is made up, what is no name is none.
[[nodiscard]] json::Value readable_call(const json::Value& call, std::uint32_t turn, std::size_t number);
/// All of a turn. `with_own_ids`: one whose id another of them has had gets a new one, since answers name calls by their ids.
[[nodiscard]] std::vector<json::Value> readable_calls(const json::Value& calls, std::uint32_t turn, bool with_own_ids);
[[nodiscard]] bool repeats_ids(const json::Value& calls);

/// What the model reads of a tool's output: text as it is, the rest as JSON, cut after `most` bytes at a character's end.
[[nodiscard]] std::string shown_to_model(const json::Value& output, std::size_t most);
/// The same of what went wrong.
[[nodiscard]] json::Value told_error(std::string_view kind, std::string_view detail);

[[nodiscard]] const dsl::AgentTool* find_tool(const dsl::AgentTask& body, const json::Value& name);
/// Whether what it calls must not happen once the agent has read what nobody vouches for.
[[nodiscard]] bool is_held_back(const AgentState& agent, const dsl::AgentTool& tool);
/// Remembers a call with its answer, and says how often there was the same one.
[[nodiscard]] std::uint32_t remember_call(AgentState& agent, const json::Value& call, std::string_view answer);
void add_once(std::vector<std::string>& names, std::string_view name);

/// Why these cannot be messages of a conversation; empty: they can.
[[nodiscard]] std::string wrong_with_messages(const json::Value& messages);
/// Text as it is, null as none, the rest as JSON.
[[nodiscard]] std::string text_of(const json::Value& value);

}  // namespace pawl::engine::detail
