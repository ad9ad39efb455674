#include "api/detail/function_tools.hpp"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <utility>

#include "agents/rehearsal.hpp"
#include "api/detail/dry_runs.hpp"
#include "api/detail/function_calls.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/workflow_tools.hpp"
#include "dsl/compile.hpp"
#include "dsl/written_function.hpp"
#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::string_view kDryRun = "_dry_run";

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

std::string tool_name_of(const std::string& function) { return mcp::tool_name(std::string(kFunctionPrefix) + function); }

mcp::Tool tool_of(const std::string& name, const std::string& summary, const json::Value& parameters, const json::Value& output,
                  const mcp::Tool::Hints& hints) {
  mcp::Tool tool;
  tool.name = tool_name_of(name);
  tool.title = name;
  tool.description = summary;
  tool.input_schema = tool_input(parameters);
  tool.output_schema = tool_output(output);
  tool.hints = hints;
  return tool;
}

/// A tool has no other input.
bool takes_object(const json::Value& parameters) {
  const auto* type = parameters.find("type");
  return type == nullptr || *type == json::Value("object");
}

/// As `find_tool`, without the work of describing it.
bool is_there(const Context& context, const std::string& name) {
  const auto& functions = context.d.functions;
  if (const auto written = user_function(functions, name)) return takes_object(written->parameters);
  const auto* function = functions.get(name);
  return function != nullptr && takes_object(function->info().parameters);
}

std::optional<mcp::Tool> find_tool(const Context& context, const std::string& name) {
  const auto& functions = context.d.functions;
  if (!is_there(context, name)) return std::nullopt;
  if (const auto written = user_function(functions, name)) {
    return tool_of(name, written->summary, written->parameters, written->output, hints_of(calls_of(*written, functions)));
  }
  const auto* function = functions.get(name);
  if (function == nullptr) return std::nullopt;  // read again meanwhile
  const auto& info = function->info();
  return tool_of(name, info.summary, info.parameters, info.output, hints_of(calls_of(*function, functions)));
}

/// Takes it out: the function does not know it. What is neither true nor false is not taken for "no".
Result<bool> take_dry_run(const json::Value& parameters, json::Value& arguments) {
  const auto name = dry_run_argument(parameters);
  const auto* wish = arguments.find(name);
  if (wish == nullptr) return false;
  if (!wish->is_bool()) {
    Finding finding;
    finding.pointer = json::pointer_child({}, name);
    finding.message = "must be true or false";
    finding.rule = "type";
    return Error(ErrorClass::unprocessable, "plugin.invalid_params", "The function cannot be called with these parameters.",
                 {std::move(finding)});
  }
  const bool dry_run = wish->as_bool();
  arguments.erase(name);
  return dry_run;
}

struct Steps {
  json::Value steps = json::Value::array();
  bool is_cut = false;
};

/// Steps as the tasks told them, each with its task's name where it has several. Of a task that others stand below, these tell it.
Steps steps_of(const engine::RunView& run) {
  std::set<std::string, std::less<>> references;
  for (const auto& task : run.tasks) references.insert(task.reference);
  Steps told;
  for (const auto& task : run.tasks) {
    const auto below = references.lower_bound(task.reference + "/");
    if (below != references.end() && below->starts_with(task.reference + "/")) continue;
    const auto& output = task.record.output;
    if (!output.get("dry_run").truthy() || !output.get("plan").is_array()) continue;
    for (const auto& planned : output.get("plan").items()) {
      if (told.steps.size() >= kMostTasks) {
        told.is_cut = true;
        return told;
      }
      auto step = planned;
      if (run.tasks.size() > 1 && step.is_object()) step.set("task", task.name);
      told.steps.push_back(std::move(step));
    }
  }
  return told;
}

}  // namespace

std::string dry_run_argument(const json::Value& parameters) {
  const auto text = json::to_text(parameters);
  std::string name(kDryRun);
  while (text.find('"' + name + '"') != std::string::npos) name.insert(0, 1, '_');
  return name;
}

json::Value tool_input(json::Value parameters) {
  const auto name = dry_run_argument(parameters);
  if (!parameters.is_object()) parameters = json::Value::object();
  parameters.set("type", "object");
  auto properties = parameters.get("properties").is_object() ? parameters.get("properties") : json::Value::object();
  properties.set(name, json::Value::object({{"type", "boolean"},
                                            {"default", false},
                                            {"description",
                                             "true: nothing is done. The answer is `{dry_run: true, plan: [...]}`: what a call with these "
                                             "arguments would do, step by step."}}));
  parameters.set("properties", std::move(properties));
  return parameters;
}

json::Value tool_output(const json::Value& output) {
  if (output.get("type") != json::Value("object")) return {};
  const auto text = json::to_text(output);
  for (const std::string_view moved : {"\"$ref\"", "\"$dynamicRef\"", "\"$recursiveRef\"", "\"$id\""}) {
    if (text.find(moved) != std::string::npos) return {};  // it would lead elsewhere below `anyOf`
  }
  auto real = output;
  auto schema = json::Value::object({{"type", "object"}});
  if (const auto* dialect = output.find("$schema")) schema.set("$schema", *dialect);
  real.erase("$schema");
  auto plan = json::Value::object(
      {{"type", "object"},
       {"description", "Nothing was done: it was asked for a plan, or the function destroys and was not allowed to."},
       {"properties",
        json::Value::object({{"dry_run", json::Value::object({{"const", true}})}, {"plan", json::Value::object({{"type", "array"}})}})},
       {"required", json::Value::array({"dry_run", "plan"})}});
  schema.set("anyOf", json::Value::array({std::move(real), std::move(plan)}));
  return schema;
}

bool declares_output(const Context& context, const std::string& name) {
  const auto& functions = context.d.functions;
  if (const auto written = user_function(functions, name)) return !tool_output(written->output).is_null();
  const auto* function = functions.get(name);
  return function != nullptr && !tool_output(function->info().output).is_null();
}

bool is_planned_call(const engine::RunView& run) {
  return run.dry_run && run.trigger.get("plugin").is_string() && run.trigger.get("via") == json::Value("mcp");
}

mcp::Outcome planned_outcome(const engine::RunView& run) {
  auto outcome = outcome_of(run);
  const bool stopped = run.phase == engine::Phase::faulted;
  if (run.phase != engine::Phase::completed && !stopped) return outcome;
  auto planned = steps_of(run);
  // What has failed over an answer that nobody knows before the real call still has told what comes before it.
  if (stopped && (planned.steps.empty() || agents::to_json(run, 0).get("conclusive").truthy())) return outcome;
  auto told = json::Value::object({{"dry_run", true}, {"plan", std::move(planned.steps)}});
  if (planned.is_cut) told.set("truncated", true);
  if (stopped) told.set("stopped", std::exchange(outcome.failure, {}));
  outcome.output = std::move(told);
  return outcome;
}

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

std::vector<std::string> function_tool_names(const Context& context) {
  std::vector<std::string> names;
  for (const auto& name : context.options.mcp_functions) {
    if (is_there(context, name)) names.push_back(tool_name_of(name));
  }
  return names;
}

std::optional<std::string> function_of_tool(const Context& context, std::string_view tool) {
  if (!tool.starts_with(kFunctionPrefix)) return std::nullopt;
  for (const auto& name : context.options.mcp_functions) {
    if (tool_name_of(name) == tool && is_there(context, name)) return name;
  }
  return std::nullopt;
}

Result<FunctionCall> function_call(Context& context, const OrganizationId& organization, const std::string& name, json::Value arguments) {
  const auto written = user_function(context.d.functions, name);
  const auto* function = written ? nullptr : context.d.functions.get(name);
  if (!written && function == nullptr) {  // its folder was read again since the tool was found
    return unknown_tool();
  }
  const auto& parameters = written ? written->parameters : function->info().parameters;
  PAWL_TRY(dry_run, take_dry_run(parameters, arguments));
  PAWL_TRY_VOID(check_parameters(parameters, arguments, {}));
  const auto definition = document_of_call(name, without_expressions(arguments), {});
  auto checked = context.d.catalog.check(definition);
  if (!checked.ok()) {
    return Error(ErrorClass::unprocessable, "plugin.invalid_params", "The function cannot be called with these parameters.",
                 std::move(checked.findings));
  }
  PAWL_TRY(kept, context.d.catalog.keep_unlisted(organization, definition, *checked.value));
  return FunctionCall{std::move(kept), dry_run};
}

}  // namespace pawl::api::detail
