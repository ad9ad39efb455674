#include "app/function_settings.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "app/files.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

functions::SandboxMode sandbox_mode(config::Sandbox sandbox) {
  switch (sandbox) {
    case config::Sandbox::automatic: return functions::SandboxMode::automatic;
    case config::Sandbox::bubblewrap: return functions::SandboxMode::bubblewrap;
    case config::Sandbox::landlock: return functions::SandboxMode::landlock;
    case config::Sandbox::none: return functions::SandboxMode::waived;
  }
  return functions::SandboxMode::automatic;
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto relative = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(folder));
  return !relative.empty() && *relative.begin() != "..";
}

std::vector<std::string> hidden_folders(const std::string& data, const std::string& plugins, const std::vector<std::string>& roots) {
  std::vector<std::string> hidden;
  if (std::error_code none; !plugins.empty() && fs::is_directory(plugins, none)) hidden.push_back(plugins);
  for (const auto& root : roots) {
    if (is_below(root, data)) return hidden;
  }
  hidden.push_back(data);
  return hidden;
}

}  // namespace

Result<void> check_plugin_directory(const std::string& plugins, const std::vector<std::string>& roots) {
  if (plugins.empty()) return {};
  for (const auto& root : roots) {
    if (!is_below(plugins, root) && !is_below(root, plugins)) continue;
    return Error(ErrorClass::invalid, "config.plugin_directory",
                 fmt::format("PLUGIN_DIRECTORY ({}) must not lie in what workflows may change ({}), nor this in it.", plugins, root));
  }
  return {};
}

functions::FunctionsOptions function_options_of(const config::Config& config, const std::string& data,
                                                const std::vector<std::string>& roots) {
  functions::FunctionsOptions options;
  options.roots = roots;
  options.hidden = hidden_folders(data, config.plugin_directory, roots);
  options.sandbox = sandbox_mode(config.sandbox);
  options.ca_file = config.ca_file;
  return options;
}

Result<functions::McpOptions> mcp_options_of(const std::string& data) {
  functions::McpOptions made;
  made.version = PAWL_VERSION;
  const auto path = fs::path(data) / "mcp-servers.yaml";
  std::error_code unknown;
  if (!fs::exists(path, unknown)) return made;
  PAWL_TRY(text, read_file(path.string()));
  auto servers = functions::read_mcp_servers(text);
  if (servers.has_error()) return Error(servers.error().kind, servers.error().code, "mcp-servers.yaml: " + servers.error().message);
  made.servers = std::move(*servers);
  return made;
}

namespace {

/// The first that is told of any version of a user function; empty: none.
std::string fault_of(const json::Value& faults, std::string_view name) {
  const auto folder = fmt::format("functions/{}/", name);
  for (const auto& one : faults.items()) {
    const auto file = one.get("file").as_string();
    if (!file.starts_with(folder)) continue;
    return fmt::format("{}:{}:{}: {}", file, one.get("line").as_integer(), one.get("column").as_integer(), one.get("message").as_string());
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> mcp_functions_of(const config::Config& config, const engine::FunctionRegistry& functions,
                                                  const json::Value& faults) {
  const auto known = functions.names();
  std::vector<std::string> wanted;
  for (auto name : config.mcp_functions) {
    std::replace(name.begin(), name.end(), '_', '-');
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      if (const auto fault = fault_of(faults, name); !fault.empty()) {
        return Error(ErrorClass::invalid, "config.mcp_functions",
                     fmt::format("PAWL_MCP_FUNCTIONS: the function `{}` is left out for a fault: {}", name, fault));
      }
      return Error(ErrorClass::invalid, "config.mcp_functions",
                   fmt::format("PAWL_MCP_FUNCTIONS: there is no function `{}`; `pawl functions list` names them.", name));
    }
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) wanted.push_back(std::move(name));
  }
  return wanted;
}

}  // namespace pawl::app
