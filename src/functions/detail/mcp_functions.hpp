/// The factories of the functions that ask other machines' tools and agents.
#pragma once

#include <memory>

#include "functions/detail/builtin.hpp"
#include "functions/mcp_servers.hpp"

namespace pawl::functions {

std::unique_ptr<engine::Function> make_mcp(const Parts& parts, McpOptions options);
std::unique_ptr<engine::Function> make_a2a(const Parts& parts);

}  // namespace pawl::functions
