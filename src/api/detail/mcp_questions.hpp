// What a run asks people, asked through a client of the Model Context Protocol (elicitation).
//
// A client is asked only what its caller may decide: nothing that is for others, for two pairs of eyes, or for people who are signed in.
// All of that stays in the inbox, where everything else can be decided as well. An answer is a decision with the caller's rights at that
// moment, bound to what was shown by its digest, as every decision is; the first one counts. `accept` approves, `decline` rejects, `cancel`
// leaves it open.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/detail/context.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

/// The name of a question towards clients: which approval, and what it was when it was asked.
struct QuestionKey {
  engine::ApprovalKey approval;
  std::string digest;

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] static std::optional<QuestionKey> parse(std::string_view text);
};

/// What the run asks that the caller may decide and a client can show. Blocks.
[[nodiscard]] Result<std::vector<mcp::Question>> questions_of(Context& context, const Call& call, const RunId& run);

/// `answer`: `{action, content?}`. `done` comes once, on any thread; a `cancel` decides nothing and is no error. Error `mcp.answer` for
/// what is no answer, and those of a decision. In the trail as a decision is. Blocks for its reads.
void decide_by_client(Context& context, const Call& call, const QuestionKey& key, const json::Value& answer,
                      std::function<void(Result<void>)> done);

/// What a client without sessions carries from the question to the repeated call: which run it is. Sealed, for this caller, tool and
/// arguments, and for a day.
[[nodiscard]] std::string seal_state(const Context& context, const Call& call, const mcp::CallTool& wish, const RunId& run);
[[nodiscard]] std::optional<RunId> open_state(const Context& context, const Call& call, const mcp::CallTool& wish);

}  // namespace pawl::api::detail
