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

/// After a cancel by a client: the run has not heeded it. Every other one goes on with ending, or has ended; one that is suspended while it
/// winds up stands still, and only a person may break that off.
[[nodiscard]] inline bool is_unheard(const engine::RunView& view) { return view.phase == engine::Phase::suspended; }
inline constexpr std::string_view kUnheard =
    "The task is ending already: what its run had done is being undone, or its last tasks run. That is suspended, and goes on when "
    "somebody resumes the run (POST /api/runs/{run_id}/resume) or breaks it off (POST /api/runs/{run_id}/cancel).";

/// What was done, for the trail: the route's own record would name neither tool nor run.
void record(Context& context, const Call& call, std::string action, audit::Resource resource, const std::optional<RunId>& run,
            bool succeeded, json::Value details);

}  // namespace pawl::api::detail
