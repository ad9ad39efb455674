// POST /mcp: every active workflow of the organization, and the functions that the administrator has named, as tools of the Model Context
// Protocol (Streamable HTTP).
//
// The protocol itself is in mcp/, what is done in detail/mcp_*.cpp.
#include <iterator>
#include <utility>

#include "api/detail/body_size.hpp"
#include "api/detail/cors.hpp"
#include "api/detail/function_tools.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/mcp_call.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/mcp_questions.hpp"
#include "api/detail/mcp_reading.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

/// May a page of this origin speak here? Programs send none.
bool is_origin_fine(const Context& context, const http::Request& request) {
  return request.header("Origin").empty() || is_own_or_trusted_origin(context.options.cors_origins, request);
}

// ---- what is asked for ------------------------------------------------------------------------------------------------------------

void list_tools(Context& context, Call& call, const mcp::Request& request, const mcp::ListTools& wish) {
  if (!wish.cursor.empty()) {
    return call.reply(
        mcp_response({mcp::Code::invalid_params, "There is one page: no cursor is valid.", request.stateless ? 400 : 200, {}, request.id}));
  }
  auto tools = workflow_tools(context, call.organization);
  if (tools.has_error()) return call.reply(mcp_response(fault_of(tools.error(), request)));
  if (may_call_functions(call)) {
    auto functions = function_tools(context);
    std::move(functions.begin(), functions.end(), std::back_inserter(*tools));
  }
  call.reply(mcp_response(200, mcp::reply_text(request, mcp::tools_result(request, *tools, {}))));
}

/// The client's answer to a question that stood in a stream of its session.
void take_answer(Context& context, Call call, const mcp::Answer& answer) {
  const auto key = QuestionKey::parse(answer.question);
  if (!key || answer.result.is_null()) return call.reply(http::Response::empty(202));  // the inbox still has it
  const auto shared = std::make_shared<Call>(std::move(call));
  decide_by_client(context, *shared, *key, answer.result, [shared](const Result<void>& decided) {
    if (!decided.has_error()) return shared->reply(http::Response::empty(202));
    const auto& error = decided.error();
    const int status = error.kind == ErrorClass::denied ? 403 : error.kind == ErrorClass::not_found ? 404 : 400;
    shared->reply(mcp_response({mcp::Code::invalid_request, error.message, status, {}, {}}));
  });
}

bool changes_something(const mcp::Request& request) {
  // A prompt of the program's own is read, one of a workflow is made by a run.
  if (const auto* prompt = std::get_if<mcp::GetPrompt>(&request.act)) return !is_own_prompt(prompt->name);
  return std::holds_alternative<mcp::CallTool>(request.act) || std::holds_alternative<mcp::CancelTask>(request.act) ||
         std::holds_alternative<mcp::UpdateTask>(request.act) || std::holds_alternative<mcp::Answer>(request.act);
}

mcp::ServerInfo server_info(const Context& context) {
  return {.name = "pawl",
          .title = "Pawl workflows",
          .version = context.options.version,
          .instructions =
              "Each tool runs a workflow of the organization, or calls a function (`function_...`). Both are durable runs: one that takes "
              "long goes on when the connection ends."};
}

/// A client that elicits gets a session id that says so; there is nothing else to remember.
void greet(Context& context, Call& call, const mcp::Request& request, json::Value result) {
  auto response = mcp_response(200, mcp::reply_text(request, std::move(result)));
  if (request.elicits && !request.stateless) {
    const auto unique = RunId::make(context.d.clock.now(), context.d.random).to_string();
    response.headers.set("Mcp-Session-Id", mcp::eliciting_session(unique));
  }
  call.reply(std::move(response));
}

void message(Context& context, Call call) {
  if (!is_origin_fine(context, call.request)) {
    return call.reply(mcp_response({mcp::Code::invalid_request, "Pages of this origin may not call.", 403, {}, {}}));
  }
  if (has_too_many_values(call.request.body)) {
    return call.reply(mcp_response({mcp::Code::invalid_request, "The message has too many members and items.", 400, {}, {}}));
  }
  const auto& fields = call.request.headers;
  auto read =
      mcp::interpret(std::exchange(call.request.body, {}),  // a stream may last for days: it does not keep the text
                     {fields.get("MCP-Protocol-Version"), fields.get("Mcp-Method"), fields.get("Mcp-Name"), fields.get("Mcp-Session-Id")},
                     server_info(context));
  if (const auto* fault = std::get_if<mcp::Fault>(&read)) return call.reply(mcp_response(*fault));
  auto request = std::move(std::get<mcp::Request>(read));
  if (changes_something(request) && !call.principal.permits(Permission::execute, call.organization)) {
    return call.reply(mcp_response({mcp::Code::invalid_request, forbidden(Permission::execute).message, 403, {}, request.id}));
  }
  auto act = std::move(request.act);
  request.act = mcp::Nothing{};
  if (auto* known = std::get_if<mcp::Known>(&act)) return greet(context, call, request, std::move(known->result));
  if (const auto* list = std::get_if<mcp::ListTools>(&act)) return list_tools(context, call, request, *list);
  if (auto* tool = std::get_if<mcp::CallTool>(&act)) return call_tool(context, std::move(call), std::move(request), std::move(*tool));
  if (const auto* list = std::get_if<mcp::ListPrompts>(&act)) return list_prompts(context, std::move(call), request, *list);
  if (auto* prompt = std::get_if<mcp::GetPrompt>(&act)) return get_prompt(context, std::move(call), std::move(request), std::move(*prompt));
  if (const auto* list = std::get_if<mcp::ListResources>(&act)) return list_resources(context, std::move(call), request, *list);
  if (const auto* list = std::get_if<mcp::ListTemplates>(&act)) return list_templates(context, std::move(call), request, *list);
  if (const auto* resource = std::get_if<mcp::ReadResource>(&act)) {
    return read_resource(context, std::move(call), std::move(request), resource->uri);
  }
  if (const auto* wish = std::get_if<mcp::Complete>(&act)) return complete_argument(context, std::move(call), request, *wish);
  if (const auto* task = std::get_if<mcp::GetTask>(&act)) return get_task(context, std::move(call), std::move(request), task->task);
  if (const auto* task = std::get_if<mcp::CancelTask>(&act)) return cancel_task(context, std::move(call), std::move(request), task->task);
  if (auto* task = std::get_if<mcp::UpdateTask>(&act)) return update_task(context, std::move(call), std::move(request), std::move(*task));
  if (const auto* answer = std::get_if<mcp::Answer>(&act)) return take_answer(context, std::move(call), *answer);
  call.reply(http::Response::empty(202));
}

// ---- rows -------------------------------------------------------------------------------------------------------------------------

Shape answer_shape() {
  return Shape::object("McpAnswer", {{"jsonrpc", Shape::text("2.0")},
                                     {"id", Shape::any(json::Value(1))},
                                     {"result", Shape::any(json::Value::object({{"tools", json::Value::array()}})), Shape::kOptional},
                                     {"error", Shape::any(json::Value::object({{"code", -32601}, {"message", "There is no such method."}})),
                                      Shape::kOptional}})
      .open();
}

}  // namespace

std::vector<Route> mcp_routes() {
  const auto fault = [](int status, std::string_view description) {
    return OtherReply{status, description, "application/json", answer_shape()};
  };
  return {
      {.method = http::Method::post,
       .path = "/mcp",
       .id = "mcp",
       .tag = "mcp",
       .summary = "Send a message of the Model Context Protocol",
       .permission = Permission::read,
       .handler = message,
       .runs = Runs::pool,
       .body = Body::raw,
       .reply = answer_shape(),
       .other_replies = {{200, "The answer as the last event of a stream, after progress.", "text/event-stream",
                          Shape::text("event: message\ndata: {}\n\n", 1U << 20U)},
                         {202, "A notification was taken."},
                         fault(400, "The message is not one of the protocol."),
                         fault(403, "Not from this origin, or not with these permissions."),
                         fault(404, "There is no such method, or nothing of this name to answer.")},
       .description = "Revisions 2026-07-28 and 2025-03-26 to 2025-11-25. Each active workflow is a tool or a prompt; running one, and "
                      "answering what a run "
                      "asks, needs the permission `execute`. Functions that are tools (`PAWL_MCP_FUNCTIONS`) need `write` as well. See "
                      "docs/mcp.md."},
  };
}

}  // namespace pawl::api::detail
