// Agent2Agent 1.0, JSON-RPC binding: workflows that opt in (`document.metadata.a2a`) are the skills of one agent.
//
// A message starts a run, and the run is the task: durable before it is spoken of, of its organization alone, and there for `GetTask` as
// long as runs are kept. The card at the well-known place says how the agent is reached and nothing of any organization; which skills there
// are is told to who is signed in (`GetExtendedAgentCard`). What a message starts is in a2a_messages.cpp; what tasks look like, their lists
// and their ends are in a2a_tasks.cpp.
#include <utility>

#include "api/detail/body_size.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/routes/a2a_messages.hpp"
#include "api/routes/a2a_tasks.hpp"
#include "api/routes/theme.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace a2a {
namespace {

using json::Value;

constexpr std::string_view kVersion = "1.0";
constexpr std::size_t kMaxDepth = 128;

// ---- cards ----------------------------------------------------------------------------------------------------------------------

Value card(const Context& context, std::string_view base) {
  auto scheme = Value::object({{"httpAuthSecurityScheme", Value::object({{"scheme", "Bearer"}, {"description", "An API key of Pawl"}})}});
  return Value::object(
      {{"name", "Pawl"},
       {"description",
        "Runs durable workflows. Its skills are those of the organization that the caller signs in to: see the extended card."},
       {"version", context.options.version},
       {"supportedInterfaces",
        Value::array(
            {Value::object({{"url", std::string(base) + "/a2a"}, {"protocolBinding", "JSONRPC"}, {"protocolVersion", Value(kVersion)}})})},
       {"capabilities", Value::object({{"streaming", true}, {"pushNotifications", false}, {"extendedAgentCard", true}})},
       {"defaultInputModes", Value::array({"application/json", "text/plain"})},
       {"defaultOutputModes", Value::array({"application/json", "text/plain"})},
       {"skills", Value::array({Value::object({{"id", "workflows"},
                                               {"name", "Workflows"},
                                               {"description", "Runs a workflow; which ones there are is told to who is signed in."},
                                               {"tags", Value::array({"workflow"})}})})},
       {"securitySchemes", Value::object({{"bearer", std::move(scheme)}})},
       {"securityRequirements",
        Value::array({Value::object({{"schemes", Value::object({{"bearer", Value::object({{"list", Value::array()}})}})}})})}});
}

void agent_card(Context& context, Call call) { call.reply(200, json::to_text(card(context, context.public_url))); }

Result<std::vector<NamedWorkflow>> skills_of(Context& context, const OrganizationId& organization) {
  PAWL_TRY(named, named_workflows(context, organization));
  std::erase_if(named, [](const NamedWorkflow& each) { return !is_skill(*each.workflow->plan); });
  return named;
}

Value skill_of(const NamedWorkflow& named) {
  const auto& wish = named.workflow->plan->metadata.get("a2a");
  auto skill = Value::object({{"id", named.name}, {"name", title_of(named)}, {"description", description_of(named)}});
  skill.set("tags", wish.get("tags").is_array() ? wish.get("tags") : Value::array({"workflow"}));
  if (wish.get("examples").is_array()) skill.set("examples", wish.get("examples"));
  return skill;
}

void extended_card(Context& context, Call& call, const Value& id) {
  const auto skills = skills_of(context, call.organization);
  if (skills.has_error()) return refuse(call, id, Code::internal_error, skills.error().message);
  auto list = Value::array();
  for (const auto& each : *skills) list.push_back(skill_of(each));
  auto all = card(context, context.public_url);
  all.set("skills", std::move(list));
  call.reply(200, reply_text(id, std::move(all)));
}

void message(Context& context, Call call) {
  if (has_too_many_values(call.request.body)) return refuse(call, {}, Code::invalid_request, "The message has too many members and items.");
  json::ParseLimits limits;
  limits.max_depth = kMaxDepth;
  const auto parsed = json::parse(std::exchange(call.request.body, {}), limits);  // a stream may last for days: it does not keep the text
  if (parsed.has_error()) return refuse(call, {}, Code::parse_error, "The message is not valid JSON.");
  const auto& id = parsed->get("id");
  if (parsed->get("jsonrpc") != Value("2.0") || !parsed->get("method").is_string() || (!id.is_string() && !id.is_integer())) {
    return refuse(call, {}, Code::invalid_request, "This is not a request of JSON-RPC 2.0.");
  }
  const auto version = call.request.header("A2A-Version");
  if (version != kVersion && !version.starts_with("1.0.")) {  // left out it is 0.3
    return refuse(call, id, Code::unsupported_version, "Only version 1.0 is spoken here: send the field `A2A-Version: 1.0`.");
  }
  const auto method = parsed->get("method").as_string();
  const auto& params = parsed->get("params");
  const bool sends = method == "SendMessage" || method == "SendStreamingMessage";
  if ((sends || method == "CancelTask") && !call.principal.permits(Permission::execute, call.organization)) {
    return call.fail(forbidden(Permission::execute));
  }
  if (sends) return send_message(context, std::move(call), id, params, method == "SendStreamingMessage");
  if (method == "GetExtendedAgentCard") return extended_card(context, call, id);
  if (method == "ListTasks") return list_tasks(context, std::move(call), id, params);
  const bool of_task = method == "GetTask" || method == "CancelTask" || method == "SubscribeToTask";
  if (!of_task) return refuse(call, id, Code::method_not_found, "There is no such method here.");
  const auto run = task_id(params);
  if (!run) return refuse(call, id, Code::task_not_found, "There is no task of this id.");
  if (method == "CancelTask") return cancel_task(context, std::move(call), id, *run);
  if (method == "SubscribeToTask") return follow_task(context, std::move(call), id, *run);
  tell_task(context, std::make_shared<Call>(std::move(call)), id, *run);
}

// ---- rows -------------------------------------------------------------------------------------------------------------------------

Shape answer_shape() {
  return Shape::object("A2aAnswer", {{"jsonrpc", Shape::text("2.0")},
                                     {"id", Shape::any(Value(1))},
                                     {"result", Shape::any(Value::object({{"task", Value::object()}})), Shape::kOptional},
                                     {"error", Shape::any(Value::object({{"code", -32001}, {"message", "There is no task of this id."}})),
                                      Shape::kOptional}})
      .open();
}

Shape card_shape() {
  return Shape::object("AgentCard", {{"name", Shape::text("Pawl")},
                                     {"description", Shape::text("Runs durable workflows.", 2000)},
                                     {"version", Shape::text("1.0.0")},
                                     {"supportedInterfaces", Shape::array(Shape::any(Value::object({{"url", "https://pawl.example.com/a2a"},
                                                                                                    {"protocolBinding", "JSONRPC"},
                                                                                                    {"protocolVersion", "1.0"}})),
                                                                          10)}})
      .open();
}

std::vector<Route> routes() {
  return {
      {.method = http::Method::get,
       .path = "/.well-known/agent-card.json",
       .id = "getAgentCard",
       .tag = "documentation",
       .summary = "How this installation is reached as an agent (Agent2Agent)",
       .permission = Permission::open,
       .handler = agent_card,
       .reply = card_shape()},
      {.method = http::Method::post,
       .path = "/a2a",
       .id = "a2a",
       .tag = "a2a",
       .summary = "Send a request of Agent2Agent 1.0 (JSON-RPC)",
       .permission = Permission::read,
       .handler = message,
       .runs = Runs::pool,
       .body = Body::raw,
       .reply = answer_shape(),
       .other_replies = {{200, "Of `SendStreamingMessage` and `SubscribeToTask`: the task, then what becomes of it.", "text/event-stream",
                          Shape::text("data: {}\n\n", 1U << 20U)}},
       .description =
           "Methods `SendMessage`, `SendStreamingMessage`, `GetTask`, `ListTasks`, `SubscribeToTask`, `CancelTask`, "
           "`GetExtendedAgentCard`. A message "
           "runs "
           "the workflow that `metadata.skillId` names, one whose `document.metadata.a2a` is set; that and cancelling need the permission "
           "`execute`. See docs/a2a.md."},
  };
}

}  // namespace
}  // namespace a2a

std::vector<Route> a2a_routes() { return a2a::routes(); }

}  // namespace pawl::api::detail
