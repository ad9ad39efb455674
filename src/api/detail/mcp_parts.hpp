// What the parts of `/mcp` share: how faults and runs read in the protocol, and the trail.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/detail/context.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

/// Of a stream's queue (1 MiB): one event must fit in beside what waits there. No answer is larger.
inline constexpr std::size_t kLargestMessage = 768U << 10U;

[[nodiscard]] http::Response mcp_response(int status, std::string text);
[[nodiscard]] http::Response mcp_response(const mcp::Fault& fault);
[[nodiscard]] mcp::Fault fault_of(const Error& error, const mcp::Request& request);
[[nodiscard]] mcp::Fault wrong_parameters(const mcp::Request& request, std::string message);

[[nodiscard]] json::Value meta_of(const RunId& run);
/// Of a run that has ended, as it may be shown.
[[nodiscard]] mcp::Outcome outcome_of(const engine::RunView& view);

/// After a cancel by a client: why the run has not heeded it. Empty: it has, and winds up or has ended as a cancelled one. One that had
/// ended otherwise and winds up goes on with that; one that is suspended while it winds up stands still, and only a person may break that
/// off.
[[nodiscard]] std::string_view why_unheard(const engine::RunView& view);
/// What a run does that winds up, for whoever would take it for one that works; empty: it does not.
[[nodiscard]] std::string_view ending_of(const engine::RunView& view);

/// What was done, for the trail: the route's own record would name neither tool nor run.
void record(Context& context, const Call& call, std::string action, audit::Resource resource, const std::optional<RunId>& run,
            bool succeeded, json::Value details);

}  // namespace pawl::api::detail
