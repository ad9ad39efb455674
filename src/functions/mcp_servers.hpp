/// Functions that ask other machines' tools and agents: `mcp` and `a2a`; and the administrator's catalogue of MCP servers, the only ones
/// that are started as programs.
///
///     servers:
///       files:
///         command: /usr/local/bin/node
///         arguments: [/opt/mcp/files/index.js, /data]
///         environment: {LOG_LEVEL: warn}
///         programs: [/opt/mcp]         # folders that the sandbox shows beside the system's programs
///         roots: read                  # none (default), read, write: the folders that workflows may use; write: where the run may destroy
///         network: false
///         trust_annotations: false     # true: what the server says of its tools (readOnlyHint) counts
///         organizations: all           # or a list of ids; left out: the installation's own organization alone
///       wiki:
///         url: https://wiki.example.com/mcp
///         headers: {Authorization: Bearer ...}
///
/// Workflows name a server, and can change nothing of how it is started. Each call starts a process of its own and ends it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "functions/functions.hpp"

namespace pawl::functions {

struct McpServer {
  enum class Roots : std::uint8_t { none, read, write };

  std::string name;  ///< [A-Za-z0-9_-]{1,64}
  std::string command{};
  std::vector<std::string> arguments{};
  std::vector<std::pair<std::string, std::string>> environment{};
  std::vector<std::string> programs{};
  Roots roots = Roots::none;
  bool network = false;
  std::string url{};  ///< in place of `command`
  std::vector<std::pair<std::string, std::string>> headers{};
  bool trust_annotations = false;
  bool for_all = false;
  std::vector<OrganizationId> organizations{};  ///< empty, and not `for_all`: the installation's own
};

struct McpOptions {
  std::vector<McpServer> servers{};  ///< that workflows may name
  OrganizationId installation{};     ///< the installation's own organization: whose the operator's means are
  std::string version{};             ///< of this program, as others are told
};

/// Adds `mcp` and `a2a`. Programs have a runner of their own, so that servers that take long hold up no script; its thread starts with the
/// first of them. Errors as of `add_builtin_functions`.
[[nodiscard]] Result<void> add_mcp_functions(engine::FunctionRegistry& registry, const Dependencies& dependencies,
                                             const FunctionsOptions& options, McpOptions mcp);

/// YAML or JSON. Error `mcp.servers` names the place and what is wrong there.
[[nodiscard]] Result<std::vector<McpServer>> read_mcp_servers(std::string_view text);

}  // namespace pawl::functions
