// Functions as tools of the Model Context Protocol: those that the administrator has named (`PAWL_MCP_FUNCTIONS`), and no others.
//
// A tool has its function's declaration: the schema of its parameters, and hints from its effect class. A call is a run of its own, of a
// document that holds the call alone: journaled, permitted and written into the trail as the step of any workflow. Whoever calls one says
// what is called, as whoever writes a workflow does, so it takes that right (`write`) beside `execute`.
//
// Beside the function's own parameters a tool takes `_dry_run`: the run is a dry one then, and its plan the answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/detail/context.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

/// In front of the function's name. A workflow of such a name gets the end of its id behind it.
inline constexpr std::string_view kFunctionPrefix = "function_";

[[nodiscard]] bool may_call_functions(const Call& call);

/// Those that are there: what users have written may have gone since the start. Describing what users have written compiles it.
[[nodiscard]] std::vector<mcp::Tool> function_tools(const Context& context);
/// The names of these tools alone, without the work of describing them.
[[nodiscard]] std::vector<std::string> function_tool_names(const Context& context);

/// The function behind a tool; empty: it is none of these.
[[nodiscard]] std::optional<std::string> function_of_tool(const Context& context, std::string_view tool);

struct FunctionCall {
  catalog::ExecutablePtr document;
  bool dry_run = false;
};
/// The document of one call, kept for the run's sake. Error `plugin.invalid_params` with all that is wrong. Blocks: on the pool.
[[nodiscard]] Result<FunctionCall> function_call(Context& context, const OrganizationId& organization, const std::string& name,
                                                 json::Value arguments);

/// The argument that asks for a plan only: a name that the schema of the function's parameters nowhere has.
[[nodiscard]] std::string dry_run_argument(const json::Value& parameters);
/// What a client is told that the tool takes; a function whose input is no object is none.
[[nodiscard]] json::Value tool_input(json::Value parameters);
/// What a client is told that the tool gives: what the function does, or a plan. Null: nothing that would always be true.
[[nodiscard]] json::Value tool_output(const json::Value& output);

/// Whether the function's tool has an output schema.
[[nodiscard]] bool declares_output(const Context& context, const std::string& name);

/// Whether the run is of a tool that only planned.
[[nodiscard]] bool is_planned_call(const engine::RunView& run);
/// What such a run says, once it has ended; `run` with its tasks, as it may be shown.
[[nodiscard]] mcp::Outcome planned_outcome(const engine::RunView& run);

}  // namespace pawl::api::detail
