#include "api/detail/function_tools.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "api/detail/function_calls.hpp"
#include "api/detail/workflow_tools.hpp"

namespace pawl::api::detail {
namespace {

using engine::EffectClass;

/// Whose calls stay among the files and memories of the installation.
bool is_open(const std::vector<std::string>& needs) {
  constexpr std::array<std::string_view, 4> kWithin = {"destroy", "files.read", "files.write", "memory"};
  return std::ranges::any_of(needs, [&](const auto& need) { return std::find(kWithin.begin(), kWithin.end(), need) == kWithin.end(); });
}

/// The worst that a call can be: a client that asks its person only about some calls goes by this. What is done once and no more may be
/// anything, so it counts as destructive.
mcp::Tool::Hints hints_of(bool acts, bool destructive, const std::set<EffectClass>& effects, const std::vector<std::string>& needs) {
  const bool is_once = effects.contains(EffectClass::once);
  const bool reads = !acts && !destructive && !is_once && !effects.contains(EffectClass::idempotent);
  return {.read_only = reads, .destructive = !reads && (destructive || is_once), .idempotent = !is_once, .open_world = is_open(needs)};
}

mcp::Tool tool_of(const std::string& name, const std::string& summary, const json::Value& parameters, const mcp::Tool::Hints& hints) {
  mcp::Tool tool;
  tool.name = mcp::tool_name(std::string(kFunctionPrefix) + name);
  tool.title = name;
  tool.description = summary;
  tool.input_schema = parameters;
  tool.hints = hints;
  return tool;
}

std::optional<mcp::Tool> find_tool(const Context& context, const std::string& name) {
  const auto& functions = context.d.functions;
  if (const auto written = user_function(functions, name)) {
    // What it emits starts others, and is not among its effects.
    const std::set<EffectClass> effects(written->effects.begin(), written->effects.end());
    return tool_of(name, written->summary, written->parameters, hints_of(true, written->destructive, effects, written->needs));
  }
  const auto* function = functions.get(name);
  if (function == nullptr) return std::nullopt;
  const auto& info = function->info();
  std::vector<std::string> needs;
  for (const auto need : engine::needs_of(info)) needs.emplace_back(engine::to_text(need));
  const bool acts = functions.reach(name, json::Value::object()).acts;
  return tool_of(name, info.summary, info.parameters, hints_of(acts, info.destructive, effects_of(*function), needs));
}

}  // namespace

bool may_call_functions(const Call& call) {
  return call.principal.permits(Permission::execute, call.organization) && call.principal.permits(Permission::write, call.organization);
}

std::vector<mcp::Tool> function_tools(const Context& context) {
  std::vector<mcp::Tool> tools;
  std::set<std::string> taken;  // long names are cut
  for (const auto& name : context.options.mcp_functions) {
    if (auto tool = find_tool(context, name); tool && taken.insert(tool->name).second) tools.push_back(std::move(*tool));
  }
  return tools;
}

std::optional<std::string> function_of_tool(const Context& context, std::string_view tool) {
  if (!tool.starts_with(kFunctionPrefix)) return std::nullopt;
  for (const auto& name : context.options.mcp_functions) {
    if (mcp::tool_name(std::string(kFunctionPrefix) + name) == tool && find_tool(context, name)) return name;
  }
  return std::nullopt;
}

Result<catalog::ExecutablePtr> function_call(Context& context, const OrganizationId& organization, const std::string& name,
                                             const json::Value& arguments) {
  const auto written = user_function(context.d.functions, name);
  const auto* function = written ? nullptr : context.d.functions.get(name);
  if (!written && function == nullptr) {  // its folder was read again since the tool was found
    return unknown_tool();
  }
  PAWL_TRY_VOID(check_parameters(written ? written->parameters : function->info().parameters, arguments, {}));
  const auto definition = document_of_call(name, without_expressions(arguments), {});
  auto checked = context.d.catalog.check(definition);
  if (!checked.ok()) {
    return Error(ErrorClass::unprocessable, "plugin.invalid_params", "The function cannot be called with these parameters.",
                 std::move(checked.findings));
  }
  return context.d.catalog.keep_unlisted(organization, definition, *checked.value);
}

}  // namespace pawl::api::detail
