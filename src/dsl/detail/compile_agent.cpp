/// `call: agent`: the loop's settings, the tools with what the model is told of them, and the tasks that turns and tools run as.
#include <algorithm>
#include <array>
#include <vector>

#include "dsl/detail/call_shapes.hpp"
#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "dsl/detail/suggest.hpp"
#include "dsl/written_function.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

/// Compiled on their own; the rest are arguments that are evaluated when the agent starts.
constexpr std::array<std::string_view, 6> kApart = {"tools", "output", "approval", "stop_when", "guardrails", "allow_after_untrusted"};
/// Arguments that decide under whose name and how far a call goes: an author may settle them, a model is never asked.
constexpr std::array<std::string_view, 5> kNeverOffered = {"allow_destructive", "authentication", "credentials", "integration",
                                                           "idempotency_key"};
constexpr std::size_t kMaxAgentDepth = 4;
constexpr std::size_t kMostSchemaParts = 64;  // that `$ref` and `allOf` in the parameters of a tool lead to

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Fixed arguments as they say where a call goes: what an expression makes of the run's data is settled before the model is asked, and is
/// no part of a URI template that it could fill.
json::Value as_the_run_settles(const json::Value& fixed) {
  if (fixed.is_string()) {
    const auto text = fixed.as_string();
    if (!has_expression(text)) return fixed;
    std::string settled;
    for (const auto& part : scan_text(text).parts) settled += part.expression ? std::string_view("run") : part.text;
    return json::Value(settled);
  }
  if (!fixed.is_object()) return fixed;
  auto settled = json::Value::object();
  for (const auto& member : fixed.members()) settled.set(member.name(), as_the_run_settles(member.value));
  return settled;
}

std::optional<EffectClass> effect_of(const json::Value& name) {
  if (name == json::Value("pure")) return EffectClass::pure;
  if (name == json::Value("read")) return EffectClass::read;
  if (name == json::Value("idempotent")) return EffectClass::idempotent;
  if (name == json::Value("once")) return EffectClass::once;
  return std::nullopt;
}

/// What a provider takes as a tool's name; a function's is without dots already but for those of `run`.
std::string tool_name(std::string_view name) {
  std::string made(name.substr(0, 64));
  std::replace_if(
      made.begin(), made.end(), [](char c) { return c == '.' || c == '/' || c == ' '; }, '-');
  return made;
}

/// What stands at a `$ref` into the schema itself; null: nothing, or it points elsewhere.
const json::Value* referred(const json::Value& root, const json::Value& schema) {
  const auto& reference = schema.get("$ref");
  if (!reference.is_string() || !reference.as_string().starts_with('#')) return nullptr;
  return json::resolve(root, reference.as_string().substr(1));
}

/// `schema` with the members of all that its `$ref` and `allOf` lead to beside its own: providers want one object. The first to name a
/// member describes it; what a model gives is validated by the schema as it is written, before the tool's steps.
json::Value merged_object(const json::Value& schema) {
  if (schema.find("$ref") == nullptr && schema.find("allOf") == nullptr) return schema;
  auto properties = json::Value::object();
  auto required = json::Value::array();
  std::vector<const json::Value*> parts = {&schema};
  for (std::size_t next = 0; next < parts.size(); ++next) {
    const auto& part = *parts[next];
    const auto lead_to = [&](const json::Value* other) {
      const bool is_new = other != nullptr && other->is_object() && std::find(parts.begin(), parts.end(), other) == parts.end();
      if (is_new && parts.size() < kMostSchemaParts) parts.push_back(other);
    };
    if (part.get("properties").is_object()) {
      for (const auto& property : part.get("properties").members()) {
        if (properties.find(property.name()) == nullptr) properties.set_shared(property.key, property.value);
      }
    }
    if (part.get("required").is_array()) {
      for (const auto& name : part.get("required").items()) {
        const auto known = required.items();
        if (std::find(known.begin(), known.end(), name) == known.end()) required.push_back(name);
      }
    }
    lead_to(referred(schema, part));
    if (part.get("allOf").is_array()) {
      for (const auto& other : part.get("allOf").items()) lead_to(&other);
    }
  }
  auto merged = schema;
  if (!properties.empty()) merged.set("properties", std::move(properties));
  if (!required.empty()) merged.set("required", std::move(required));
  return merged;
}

/// The parameters that are left to the model. Rules over several of them are the function's own business: they may speak of the others.
json::Value offered_parameters(const json::Value& all, const json::Value& fixed) {
  auto offered = json::Value::object({{"type", "object"}});
  auto properties = json::Value::object();
  for (const json::Member& property :
       all.get("properties").is_object() ? all.get("properties").members() : std::span<const json::Member>()) {
    const bool settled = fixed.find(property.name()) != nullptr || is_one_of(property.name(), kNeverOffered);
    if (!settled) properties.set_shared(property.key, property.value);
  }
  auto required = json::Value::array();
  if (all.get("required").is_array()) {
    for (const json::Value& name : all.get("required").items()) {
      if (name.is_string() && properties.find(name.as_string()) != nullptr) required.push_back(name);
    }
  }
  offered.set("properties", std::move(properties));
  if (!required.empty()) offered.set("required", std::move(required));
  offered.set("additionalProperties", false);
  for (const std::string_view definitions : {"$defs", "definitions"}) {
    if (const auto* found = all.find(definitions)) offered.set(definitions, *found);
  }
  return offered;
}

}  // namespace

/// A function that is a tool.
struct Compiler::ToolFunction {
  std::string name;               ///< of the program's own, or of `use.functions`
  FunctionDefinitionPtr written;  ///< of a catalog
  bool is_own = false;            ///< of `use.functions`
  json::Value parameters;         ///< JSON Schema
  json::Value summary;

  /// A task that the machine runs as it stands, and not a call that goes out.
  [[nodiscard]] bool is_task() const { return is_own || written != nullptr; }
};

void Compiler::agent_call(Task& task, const Node& name, const std::optional<Node>& with, const Place& place) {
  task.body = AgentTask{};
  if (functions_.find("llm") == nullptr) {
    report_.error(name.pointer, "unknown-function", "`call: agent` asks models by the function `llm`, which this program does not have.");
    return;
  }
  if (!with) return missing(name.pointer.substr(0, name.pointer.rfind('/')), "with", "`call: agent`");
  task.body = agent(*with, task.reference, place, false);
}

/// The task of `reference` is `place.parent`.
AgentTask Compiler::agent(const Node& with, const std::string& reference, const Place& place, bool is_tool) {
  AgentTask made;
  if (!is_object(with, "The arguments of an agent")) return made;
  check_shape(*call_shape("agent"), with);
  Node settings = with;
  for (const std::string_view apart : kApart) settings.value.erase(apart);
  const bool is_asked = settings.value.find("prompt") != nullptr || settings.value.find("input") != nullptr;
  if (is_asked && settings.value.find("prompt") != nullptr && settings.value.find("input") != nullptr) {
    report_.error(json::pointer_child(with.pointer, "input"), "excludes-each-other",
                  "`input` is another name of `prompt`: an agent has one of them.");
  }
  if (!is_asked && !settings.value.get("messages").is_array() && !settings.value.get("messages").is_string()) {
    settings.value.set("prompt", is_tool ? "${ .task }" : "${ . }");
  }
  if (const auto limit = member(with, "timeout")) (void)duration(*limit, place.names, true);
  if (const auto budget = member(with, "budget"); budget && budget->value.is_object()) {
    if (const auto limit = member(*budget, "time")) (void)duration(*limit, place.names, true);
  }
  made.arguments = data(settings, place.names);
  if (const auto condition = member(with, "stop_when")) made.stop_when = expression(*condition, place.names, "`stop_when`");
  if (const auto guardrails = member(with, "guardrails"); guardrails && guardrails->value.is_object()) {
    if (const auto input = member(*guardrails, "input")) made.input_guardrail = expression(*input, place.names, "`guardrails.input`");
    if (const auto answer = member(*guardrails, "output")) made.output_guardrail = expression(*answer, place.names, "`guardrails.output`");
  }
  if (const auto output = member(with, "output")) agent_output(made, *output);
  made.turn = agent_step("model", "turn", reference + "/agent/turn", "llm", with, place);
  // A turn is paid for: it begins when all that it follows from is durable, so that a crash repeats none but the one under way.
  if (made.turn != kNoTask) {
    auto& turn = std::get<CallTask>(plan_.tasks[made.turn].body);
    turn.effect = EffectClass::idempotent;
    turn.arguments = made.arguments;  // for those who read the plan: which model it asks
  }
  if (const auto memory = member(with, "memory"); memory && memory->value.is_object()) agent_memory(*memory, reference, place);
  if (const auto tools = member(with, "tools")) agent_tools(made, *tools, reference, place);
  if (const auto approval = member(with, "approval")) agent_approval(made, *approval, place);
  if (const auto allowed = member(with, "allow_after_untrusted"); allowed && allowed->value.is_array()) {
    for (std::size_t i = 0; i < allowed->value.size(); ++i) {
      const Node one = item(*allowed, i);
      const auto named = [&](const AgentTool& tool) { return one.value == json::Value(tool.name); };
      const auto tool = std::find_if(made.tools.begin(), made.tools.end(), named);
      if (tool != made.tools.end()) {
        tool->allowed_after_untrusted = true;
      } else if (one.value.is_string()) {
        report_.error(one.pointer, "unknown-tool", "The agent has no tool `" + std::string(one.value.as_string().substr(0, 60)) + "`.");
      }
    }
  }
  const bool asks =
      made.approval || with.value.get("after_untrusted") == json::Value("ask") ||
      std::any_of(made.tools.begin(), made.tools.end(), [](const auto& tool) { return tool.needs_approval || tool.approval; });
  if (asks && functions_.find("approval") != nullptr) {
    made.approve = agent_step("approval", "approve", reference + "/agent/approve", "approval", with, place);
  } else if (asks) {
    report_.warning(with.pointer, "no-approval",
                    "Nobody can be asked for approval: this program has no function `approval`. "
                    "What needs it will be refused, and the model told so.");
  }
  return made;
}

TaskIndex Compiler::agent_step(std::string_view type, std::string name, std::string reference, std::string function, const Node& node,
                               const Place& place) {
  const TaskIndex index = reserve_task(node.pointer);
  if (index == kNoTask) return kNoTask;
  Task step;
  step.index = index;
  step.parent = place.parent;
  step.name = std::move(name);
  step.reference = std::move(reference);
  step.type = type;
  step.sees_secrets = !in_function_;
  CallTask call;
  call.function = std::move(function);
  call.of_agent = true;
  step.body = std::move(call);
  plan_.tasks[index] = std::move(step);
  return index;
}

/// Steps of their own: what is summed up is a model's answer, which is paid for, and what is kept lies in the database. The machine finds
/// them by their types (agent_memory.cpp).
void Compiler::agent_memory(const Node& memory, const std::string& reference, const Place& place) {
  if (const auto summary = member(memory, "summary"); summary && summary->value.is_object()) {
    const auto step = agent_step("summary", "summary", reference + "/agent/summary", "llm", *summary, place);
    if (step != kNoTask) std::get<CallTask>(plan_.tasks[step].body).effect = EffectClass::idempotent;
  }
  const auto stored = member(memory, "stored");
  if (!stored || !stored->value.is_object()) return;
  if (const auto ttl = member(*stored, "ttl")) (void)duration(*ttl, place.names, true);
  for (const auto* const needed : {"memory-read", "memory-write"}) {
    if (functions_.find(needed) != nullptr) continue;
    report_.error(stored->pointer, "unknown-function", "This program keeps no memory between runs.");
    return;
  }
  agent_step("memory-read", "recall", reference + "/agent/recall", "memory-read", *stored, place);
  agent_step("memory-write", "remember", reference + "/agent/remember", "memory-write", *stored, place);
}

void Compiler::agent_output(AgentTask& agent, const Node& node) {
  const auto schema = member(node, "schema");
  if (!schema || !schema->value.is_object()) return;
  agent.output_schema = schema->value;
  Result<Schema> compiled = Schema::compile(schema->value);
  if (compiled.has_value()) {
    agent.output = std::move(compiled).value();
  } else {
    const Error& error = compiled.error();
    report_.error(schema->pointer + (error.findings.empty() ? std::string() : error.findings[0].pointer), "invalid-schema", error.message);
  }
}

/// A list of tools, an expression over `{tool, arguments}`, or `true` for all.
void Compiler::agent_approval(AgentTask& agent, const Node& node, const Place& place) {
  if (node.value.is_string()) {
    agent.approval = expression(node, place.names, "`approval`");
  } else if (node.value.is_bool()) {
    for (AgentTool& tool : agent.tools) tool.needs_approval = tool.needs_approval || node.value.as_bool();
  } else if (node.value.is_array()) {
    for (std::size_t i = 0; i < node.value.size(); ++i) {
      const Node one = item(node, i);
      const auto name = text(one, "The name of a tool");
      const auto tool = std::find_if(agent.tools.begin(), agent.tools.end(), [&](const AgentTool& each) { return name == each.name; });
      if (tool != agent.tools.end()) {
        tool->needs_approval = true;
      } else if (name) {
        report_.error(one.pointer, "unknown-tool", "The agent has no tool `" + name->substr(0, 60) + "` to be approved.");
      }
    }
  }
}

void Compiler::agent_tools(AgentTask& agent, const Node& list, const std::string& reference, const Place& place) {
  if (!list.value.is_array()) return;
  for (std::size_t i = 0; i < list.value.size(); ++i) {
    const Node node = item(list, i);
    auto tool = agent_tool(node, reference, place);
    if (!tool) continue;
    const auto same = [&](const AgentTool& other) { return other.name == tool->name; };
    if (std::any_of(agent.tools.begin(), agent.tools.end(), same)) {
      report_.error(node.pointer, "duplicate-tool", "There is a tool `" + tool->name + "` already: give this one a `name`.");
      continue;
    }
    agent.tools.push_back(std::move(*tool));
  }
}

std::optional<AgentTool> Compiler::agent_tool(const Node& node, const std::string& reference, const Place& place) {
  if (!is_object(node, "A tool")) return std::nullopt;
  check_shape(*call_shape("agent.tool"), node);
  AgentTool tool;
  tool.offer = json::Value::object();
  if (const auto name = member(node, "name"); name && name->value.is_string()) tool.name = name->value.as_string();
  const auto function = member(node, "function");
  const auto workflow = member(node, "workflow");
  const auto inner = member(node, "agent");
  const auto server = member(node, "mcp");
  const int kinds = (function ? 1 : 0) + (workflow ? 1 : 0) + (inner ? 1 : 0) + (server ? 1 : 0);
  if (kinds == 0) missing(node.pointer, "function`, `workflow`, `agent` or `mcp", "A tool");
  if (kinds > 1) report_.error(node.pointer, "excludes-each-other", "A tool is a function, a workflow, an agent or one of an MCP server.");
  for (const std::string_view name : {"tool", "pin", "timeout"}) {
    if (const auto given = member(node, name); given && !server) {
      report_.key_error(given->pointer, "unknown-property", "Only tools of an MCP server have `" + std::string(name) + "`.");
    }
  }
  if (kinds != 1) return std::nullopt;
  std::string called = "llm";
  json::Value parameters = json::Value::object({{"type", "object"}});
  json::Value description = node.value.get("description");
  std::optional<ToolFunction> own;
  if (function && function->value.is_string()) {
    own = tool_function(*function);
    if (!own || !function_tool(tool, *own, node, place)) return std::nullopt;
    if (!own->is_task()) called = own->name;
    parameters = tool.offer.take("parameters");
    if (description.is_null()) description = own->summary;
  } else if (workflow && workflow->value.is_object()) {
    if (!workflow_tool(tool, node, *workflow, place)) return std::nullopt;
    called = "run.workflow";
    if (node.value.get("parameters").is_object()) parameters = node.value.get("parameters");
  } else if (server && server->value.is_object()) {
    if (!server_tool(tool, node, *server, place)) return std::nullopt;
    called = "mcp";
    parameters = node.value.get("parameters");
  } else if (inner && inner->value.is_object()) {
    parameters = node.value.get("parameters").is_object()
                     ? node.value.get("parameters")
                     : json::Value::object({{"type", "object"},
                                            {"properties", json::Value::object({{"task", json::Value::object({{"type", "string"}})}})},
                                            {"required", json::Value::array({"task"})},
                                            {"additionalProperties", false}});
    if (tool.name.empty()) {
      missing(node.pointer, "name", "An agent as a tool");
      return std::nullopt;
    }
  } else {
    return std::nullopt;
  }
  if (description.is_null()) description = "";
  tool.offer = json::Value::object({{"name", tool.name}, {"description", std::move(description)}, {"parameters", parameters}});
  Result<Schema> compiled = Schema::compile(parameters);
  if (compiled.has_value()) {
    tool.parameters = std::move(compiled).value();
  } else {
    report_.error(json::pointer_child(node.pointer, "parameters"), "invalid-schema", compiled.error().message);
  }
  if (node.value.get("trusted") == json::Value(true)) tool.reads_outside = false;
  if (const auto approval = member(node, "approval")) {
    if (approval->value.is_bool()) tool.needs_approval = approval->value.as_bool();
    if (approval->value.is_string()) tool.approval = expression(*approval, place.names, "`approval`");
  }
  tool.task = agent_step("tool", tool.name, json::pointer_child(reference + "/agent/tool", tool.name), called, node, place);
  if (tool.task == kNoTask) return std::nullopt;
  if (own && own->is_task()) {
    written_tool(tool, *own, node, *function, place);
    if (node.value.get("trusted") == json::Value(true)) tool.reads_outside = false;
    return tool;
  }
  if (!inner) {
    auto& call = std::get<CallTask>(plan_.tasks[tool.task].body);
    call.effect = effect_of(node.value.get("effect"));
    call.arguments = tool.fixed;  // for those who read the plan: what the call can reach
    return tool;
  }
  Place inside = place;
  inside.parent = tool.task;
  inside.names = in_function_ ? function_names() : task_names();
  const std::string reached = plan_.tasks[tool.task].reference;
  std::size_t depth = 0;
  for (auto at = reached.find("/agent/tool/"); at != std::string::npos; at = reached.find("/agent/tool/", at + 1)) ++depth;
  if (depth >= kMaxAgentDepth) {
    report_.error(inner->pointer, "agent-depth",
                  "Agents are tools of agents more than " + std::to_string(kMaxAgentDepth) + " levels deep.");
    return std::nullopt;
  }
  auto body = agent(*inner, reached, inside, true);
  // It judges its own tools by what it has read; for the one above it is as good a witness as they are, and as what it remembers.
  const bool remembers = inner->value.get("memory").get("stored").is_object() || inner->value.find("untrusted") != nullptr;
  tool.reads_outside = tool.reads_outside && (remembers || std::any_of(body.tools.begin(), body.tools.end(),
                                                                       [](const auto& each) { return each.reads_outside; }));
  tool.acts = false;
  plan_.tasks[tool.task].body = std::move(body);
  return tool;
}

std::optional<Compiler::ToolFunction> Compiler::tool_function(const Node& name) {
  ToolFunction found;
  found.name = name.value.as_string();
  json::Value task;
  if (const auto own = function_tasks_.find(found.name); own != function_tasks_.end()) {
    found.is_own = true;
    task = own->second.value;
  } else if (const auto* signature = functions_.find(found.name); signature != nullptr && found.name != "agent") {
    found.name = signature->name;
    found.parameters = signature->parameters;
    found.summary = signature->summary;
    return found;
  } else if (found.name == "agent") {
    report_.error(name.pointer, "unknown-function", "An agent as a tool is written as `agent: {...}`.");
    return std::nullopt;
  } else {
    found.written = written_function(name);
    if (found.written == nullptr) return std::nullopt;
    found.name = found.written->name;
    task = found.written->task;
  }
  found.parameters = task.get("input").get("schema").get("document");
  if (const auto* type = found.parameters.find("type"); type != nullptr && *type != json::Value("object")) {
    report_.error(name.pointer, "wrong-type",
                  "What a model gives a tool is an object: `input.schema` of `" + found.name + "` wants another type.");
    return std::nullopt;
  }
  // What takes anything is asked for anything: the author says by `parameters` what the model should give.
  if (!found.parameters.is_object()) found.parameters = json::Value::object({{"type", "object"}, {"additionalProperties", true}});
  found.parameters = merged_object(found.parameters);
  if (const auto& summary = task.get("metadata").get("summary"); summary.is_string()) found.summary = summary;
  return found;
}

/// Its steps are the agent's call: what they may reach and do is what the tool may.
void Compiler::written_tool(AgentTool& tool, const ToolFunction& function, const Node& node, const Node& name, const Place& place) {
  const std::size_t first = plan_.tasks.size();
  Task task = std::move(plan_.tasks[tool.task]);
  if (function.written != nullptr) {
    definition_call(task, function.written, name, std::nullopt, place);
  } else {
    invoke(task, function.name, Node{json::Value::object(), node.pointer}, place);
  }
  plan_.tasks[tool.task] = std::move(task);
  const auto reach = reach_of(std::span(plan_.tasks).subspan(first), functions_).calls;
  tool.reads_outside = reach.reads_outside;
  tool.acts = reach.acts;
}

bool Compiler::function_tool(AgentTool& tool, const ToolFunction& function, const Node& node, const Place& place) {
  if (tool.name.empty()) tool.name = tool_name(function.name);
  json::Value fixed = json::Value::object();
  if (const auto with = member(node, "with"); with && with->value.is_object()) {
    fixed = with->value;
    authentication_place_ = true;
    tool.fixed = data(*with, place.names);
    authentication_place_ = false;
  } else {
    tool.fixed = Template(fixed);
  }
  const json::Value& all = function.parameters;
  const json::Value& properties = all.get("properties");
  for (const json::Member& given : fixed.members()) {
    if (!properties.is_object() || properties.find(given.name()) != nullptr || all.get("additionalProperties").truthy()) continue;
    report_.key_error(json::pointer_child(json::pointer_child(node.pointer, "with"), given.name()), "unknown-property",
                      "`" + function.name + "` has no parameter `" + std::string(given.name().substr(0, 60)) + "`.");
  }
  if (all.get("required").is_array()) {
    for (const json::Value& needed : all.get("required").items()) {
      if (!needed.is_string() || !is_one_of(needed.as_string(), kNeverOffered) || fixed.find(needed.as_string()) != nullptr) continue;
      missing(json::pointer_child(node.pointer, "with"), needed.as_string(), "The tool, which cannot leave this to a model,");
    }
  }
  const bool takes_anything = function.is_task() && !properties.is_object();
  tool.offer.set("parameters", node.value.get("parameters").is_object() ? node.value.get("parameters")
                               : takes_anything                         ? json::Value::object({{"type", "object"}})
                                                                        : offered_parameters(all, fixed));
  if (const auto effect = member(node, "effect"); effect && function.is_task()) {
    report_.key_error(effect->pointer, "unknown-property", "`" + function.name + "` has steps of its own: each of them has its effect.");
  }
  if (function.is_task()) return true;
  const auto reach = functions_.reach(function.name, as_the_run_settles(fixed));
  tool.reads_outside = reach.reads_outside;
  tool.acts = reach.acts;
  return true;
}

/// A tool of an MCP server. All that the model is told of it stands in the document, where somebody has read it, and the pin says that the
/// server's own definition is still what it was then; so nothing that a server says can change what a run does.
bool Compiler::server_tool(AgentTool& tool, const Node& node, const Node& server, const Place& place) {
  if (functions_.find("mcp") == nullptr) {
    report_.error(server.pointer, "unknown-function",
                  "Tools of MCP servers are called by the function `mcp`, which this program does not have.");
    return false;
  }
  bool is_complete = true;
  for (const std::string_view needed : {"tool", "pin", "description", "parameters"}) {
    if (node.value.find(needed) != nullptr) continue;
    missing(node.pointer, needed, "A tool of an MCP server");
    is_complete = false;
  }
  if (!is_complete || !node.value.get("tool").is_string() || !node.value.get("parameters").is_object()) return false;
  if (tool.name.empty()) tool.name = tool_name(node.value.get("tool").as_string());
  tool.wraps_input = true;
  Node call{json::Value::object({{"method", "tools/call"}, {"transport", server.value}, {"output", "content"}}), server.pointer};
  for (const std::string_view name : {"tool", "pin", "timeout"}) {
    if (const auto* given = node.value.find(name); given != nullptr) call.value.set(name, *given);
  }
  const bool only_reads = node.value.get("effect") == json::Value("read") || node.value.get("effect") == json::Value("pure");
  if (only_reads) call.value.set("read_only", true);
  if (const auto with = member(node, "with"); with && with->value.is_object()) call.value.set("input", with->value);
  authentication_place_ = true;
  tool.fixed = data(call, place.names);
  authentication_place_ = false;
  tool.acts = !only_reads;
  return true;
}

bool Compiler::workflow_tool(AgentTool& tool, const Node& node, const Node& workflow, const Place& place) {
  if (tool.name.empty() && workflow.value.get("name").is_string()) tool.name = tool_name(workflow.value.get("name").as_string());
  tool.wraps_input = true;
  Node call = workflow;
  if (const auto with = member(node, "with"); with && with->value.is_object()) {
    // What of the workflow's input is settled; the model's arguments are laid over it, and these over them.
    call.value.set("input", with->value);
  }
  tool.fixed = data(call, place.names);
  return !tool.name.empty();
}

}  // namespace pawl::dsl::detail
