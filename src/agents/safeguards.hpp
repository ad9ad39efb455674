/// What a new version of a workflow gives up that kept an eye on it or held it back, for the person who is to approve the change. Pure.
///
/// Listed are approvals (`call: approval`, what an agent must ask for) and limits (timeouts, budgets, most turns and calls, attempts, input
/// schemas, conditions) that are gone or differ, by the way of names to their task: `/outer/pay`. What is added is not listed: the manifest
/// of capabilities says it (engine/capabilities.hpp).
#pragma once

#include <string>
#include <vector>

#include "dsl/plan.hpp"

namespace pawl::agents {

/// Sentences, in the order of the older document; empty: nothing.
[[nodiscard]] std::vector<std::string> weakened(const dsl::Plan& before, const dsl::Plan& after);
/// Whether the two are started by the same and under the same conditions: `schedule` and the document's metadata.
[[nodiscard]] bool starts_alike(const dsl::Plan& before, const dsl::Plan& after);

}  // namespace pawl::agents
