// What clients of the Model Context Protocol read: prompts and resources.
//
// Prompts are workflows whose `document.metadata.mcp.prompt` is true (their input's properties are the arguments, their run's output the
// messages), and the versioned prompts that this program itself works with. Resources are the organization's workflow documents and its
// runs. Both are the caller's organization's alone. What runs hold came from anywhere, and is labelled so.
#pragma once

#include "api/detail/context.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

// All answer the call. On the pool.
void list_prompts(Context& context, Call call, const mcp::Request& request, const mcp::ListPrompts& wish);
void get_prompt(Context& context, Call call, mcp::Request request, mcp::GetPrompt wish);
void list_resources(Context& context, Call call, const mcp::Request& request, const mcp::ListResources& wish);
void list_templates(Context& context, Call call, const mcp::Request& request, const mcp::ListTemplates& wish);
void read_resource(Context& context, Call call, mcp::Request request, const std::string& uri);
void complete_argument(Context& context, Call call, const mcp::Request& request, const mcp::Complete& wish);

/// Is it one of the program's own, which no run answers?
[[nodiscard]] bool is_own_prompt(std::string_view name);

}  // namespace pawl::api::detail
