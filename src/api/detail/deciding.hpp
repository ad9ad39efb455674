// Who may decide what a run asks, wherever the decision comes from: the inbox, or a client of the Model Context Protocol.
#pragma once

#include <functional>

#include "api/detail/context.hpp"

namespace pawl::api::detail {

/// Whose word the caller's is. Blocks.
[[nodiscard]] Result<engine::Decider> decider_of(Context& context, const Call& call);

/// `can_decide`, also with what only people who are signed in decide: remedies. Blocks.
[[nodiscard]] Result<void> complete(Context& context, const Call& call, catalog::ApprovalView& view);

/// Decides with the caller's rights. `done` comes once, when it is durable, on any thread. Error `approval.forbidden` where no API key
/// decides, and those of `Approvals::decide`. Blocks for its reads.
void decide_approval(Context& context, const Call& call, const engine::ApprovalKey& id, engine::ApprovalDecision decision,
                     std::function<void(Result<RunId>)> done);

}  // namespace pawl::api::detail
