#include "api/detail/function_tools.hpp"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <utility>

#include "api/detail/function_calls.hpp"
#include "api/detail/workflow_tools.hpp"
#include "dsl/compile.hpp"
#include "dsl/written_function.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

bool is_any_beside(const std::vector<std::string>& needs, std::initializer_list<std::string_view> fine) {
  return std::ranges::any_of(needs, [&](const auto& need) { return std::ranges::find(fine, need) == fine.end(); });
}

/// What is known of a tool's calls, whatever their arguments are.
struct Calls {
  bool acts = true;
  bool destructive = false;
  std::vector<std::string> needs;
  bool has_events = false;
};

/// The worst that a call can be: a client that asks its person only about some calls goes by this. What acts may do anything, so it counts
/// as destructive, and as what must not be done twice: the class `idempotent` means that a call may be repeated under its own key, and a
/// client's next call has another.
mcp::Tool::Hints hints_of(const Calls& calls) {
  const bool asks_people = std::ranges::find(calls.needs, "people") != calls.needs.end();
  const bool reads = !calls.acts && !calls.destructive && !asks_people;
  return {.read_only = reads,
          .destructive = calls.destructive || calls.acts,
          .idempotent = reads,
          .open_world = calls.has_events || is_any_beside(calls.needs, {"destroy", "files.read", "files.write", "memory"})};
}

/// All that its steps may do, and those of the functions that it calls, as they are now.
Calls calls_of(const engine::UserFunction& function, const engine::FunctionRegistry& functions) {
  Calls calls{.destructive = function.destructive, .needs = function.needs, .has_events = true};
  const auto& definition = *function.definition;
  const auto checked = dsl::compile_function(json::to_text(definition.task), definition.name + ':' + definition.version, functions);
  if (!checked.ok()) return calls;  // what it calls has changed since it was read
  const auto reach = dsl::reach_of((*checked.value)->tasks, functions);
  calls.acts = reach.calls.acts;
  calls.has_events = reach.has_events;
  return calls;
}

Calls calls_of(const engine::Function& function, const engine::FunctionRegistry& functions) {
  const auto& info = function.info();
  Calls calls;
  calls.destructive = info.destructive;
  for (const auto need : engine::needs_of(info)) calls.needs.emplace_back(engine::to_text(need));
  calls.acts = functions.reach(info.name, json::Value::object()).acts || *effects_of(function).rbegin() > engine::EffectClass::read;
  return calls;
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

/// As `find_tool`, without the work of describing it.
bool is_there(const Context& context, const std::string& name) {
  return user_function(context.d.functions, name) != nullptr || context.d.functions.get(name) != nullptr;
}

std::optional<mcp::Tool> find_tool(const Context& context, const std::string& name) {
  const auto& functions = context.d.functions;
  if (const auto written = user_function(functions, name)) {
    return tool_of(name, written->summary, written->parameters, hints_of(calls_of(*written, functions)));
  }
  const auto* function = functions.get(name);
  if (function == nullptr) return std::nullopt;
  const auto& info = function->info();
  return tool_of(name, info.summary, info.parameters, hints_of(calls_of(*function, functions)));
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
    if (mcp::tool_name(std::string(kFunctionPrefix) + name) == tool && is_there(context, name)) return name;
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
