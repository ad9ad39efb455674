// Workflows as tools of the Model Context Protocol: one for each active workflow of an organization.
//
// A tool is called as its document is. Where two documents have one name, the older workflow keeps it and the others get the end of their
// id behind it, so a name means the same workflow as long as that exists.
#pragma once

#include <string>
#include <vector>

#include "api/detail/context.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

inline constexpr std::size_t kMaxTools = 1000;

/// The organization's tools by name, of at most `kMaxTools` workflows, the newest. Blocks: on the pool.
[[nodiscard]] Result<std::vector<mcp::Tool>> workflow_tools(Context& context, const OrganizationId& organization);
/// Error `mcp.unknown_tool`. Blocks: on the pool.
[[nodiscard]] Result<catalog::ExecutablePtr> workflow_of_tool(Context& context, const OrganizationId& organization, std::string_view name);

}  // namespace pawl::api::detail
