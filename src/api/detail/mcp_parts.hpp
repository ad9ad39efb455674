// What the parts of `/mcp` share: how faults and runs read in the protocol, and the trail.
#pragma once

#include <optional>
#include <string>

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

/// What was done, for the trail: the route's own record would name neither tool nor run.
void record(Context& context, const Call& call, std::string action, audit::Resource resource, const std::optional<RunId>& run,
            bool succeeded, json::Value details);

}  // namespace pawl::api::detail
