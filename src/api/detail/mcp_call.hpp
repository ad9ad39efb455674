// Tools, prompts of workflows, and the tasks that long calls become.
#pragma once

#include <string>

#include "api/detail/context.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

// All answer the call. On the pool.
void call_tool(Context& context, Call call, mcp::Request request, mcp::CallTool wish);
/// Of a workflow that is a prompt: its run's output is the answer.
void run_prompt(Context& context, Call call, mcp::Request request, mcp::GetPrompt wish);
void get_task(Context& context, Call call, mcp::Request request, const std::string& task);
void cancel_task(Context& context, Call call, mcp::Request request, const std::string& task);
/// Answers to what the task's run asks.
void update_task(Context& context, Call call, mcp::Request request, mcp::UpdateTask wish);

}  // namespace pawl::api::detail
