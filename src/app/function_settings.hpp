/// What the configuration means for the functions: what they may see, and which servers they may talk to.
///
/// Free functions of the start; they read the file system and keep nothing.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/config.hpp"
#include "engine/function.hpp"
#include "functions/functions.hpp"
#include "functions/mcp_servers.hpp"

namespace pawl::app {

/// Who writes the folder of user functions decides what workflows of others do. Where there are others, hiding it is not enough: a folder
/// above it could be given another name and made again. Error `config.plugin_directory`: it lies below one of `roots`, or one below it.
[[nodiscard]] Result<void> check_plugin_directory(const std::string& plugins, const std::vector<std::string>& roots);

/// Below `roots` files are reached, but for what a workflow is never shown: the data folder, unless a root was put below it on purpose, and
/// the folder of user functions.
[[nodiscard]] functions::FunctionsOptions function_options_of(const config::Config& config, const std::string& data,
                                                              const std::vector<std::string>& roots);

/// With the catalogue of MCP servers, which lies in the data folder `data`: there no workflow can read or change it. Errors: those of
/// `read_mcp_servers`, naming the file.
[[nodiscard]] Result<functions::McpOptions> mcp_options_of(const std::string& data);

/// Canonical names of the functions that are tools of the MCP server. Error `config.mcp_functions`: there is no such function, or it was
/// left out for a fault, which is named. `faults`: those of user functions (`UserFunctionFolder::findings`).
[[nodiscard]] Result<std::vector<std::string>> mcp_functions_of(const config::Config& config, const engine::FunctionRegistry& functions,
                                                                const json::Value& faults);

}  // namespace pawl::app
