#include "api/detail/mcp_parts.hpp"

#include "api/detail/trail.hpp"

namespace pawl::api::detail {

http::Response mcp_response(int status, std::string text) { return http::Response::json(status, std::move(text)); }

http::Response mcp_response(const mcp::Fault& fault) { return mcp_response(fault.http_status, mcp::fault_text(fault)); }

mcp::Fault wrong_parameters(const mcp::Request& request, std::string message) {
  return {mcp::Code::invalid_params, std::move(message), request.stateless ? 400 : 200, {}, request.id};
}

mcp::Fault fault_of(const Error& error, const mcp::Request& request) {
  if (error.code == "mcp.unknown_tool" || error.kind == ErrorClass::not_found) return wrong_parameters(request, error.message);
  return {mcp::Code::internal_error, error.message, request.stateless ? http_status(error.kind) : 200, {}, request.id};
}

json::Value meta_of(const RunId& run) { return json::Value::object({{"io.pawl/runId", run.to_string()}}); }

mcp::Outcome outcome_of(const engine::RunView& view) {
  mcp::Outcome outcome;
  outcome.meta = meta_of(view.id);
  if (view.phase == engine::Phase::completed) {
    outcome.output = view.output;
    return outcome;
  }
  const auto part = [&](std::string_view name) {
    const auto& value = view.error.get(name);
    return value.is_string() ? std::string(value.as_string()) : std::string();
  };
  outcome.failure = "The workflow " + std::string(engine::to_text(view.phase)) + ".";
  for (const auto name : {"title", "detail", "instance"}) {
    if (const auto text = part(name); !text.empty()) outcome.failure += " " + text;
  }
  return outcome;
}

std::string_view why_unheard(const engine::RunView& view) {
  if (view.phase == engine::Phase::suspended) {
    return "The task is ending already: what its run had done is being undone, or its last tasks run. That is suspended, and goes on when "
           "somebody resumes the run (POST /api/runs/{run_id}/resume) or breaks it off (POST /api/runs/{run_id}/cancel).";
  }
  if (!view.ending || *view.ending == engine::Phase::cancelled) return {};
  if (*view.ending == engine::Phase::completed) return "The task is ending already: its work is done, and its last tasks run to their end.";
  return "The task is ending already: it has failed, and what undoes what it had done, or its last tasks, run to their end.";
}

std::string_view ending_of(const engine::RunView& view) {
  if (!view.ending) return {};
  if (*view.ending == engine::Phase::cancelled) return "It is cancelled: what it had done is being undone, or its last tasks run.";
  if (*view.ending == engine::Phase::completed) return "Its work is done: its last tasks run.";
  return "It has failed: what it had done is being undone, or its last tasks run.";
}

void record(Context& context, const Call& call, std::string action, audit::Resource resource, const std::optional<RunId>& run,
            bool succeeded, json::Value details) {
  if (context.d.audit == nullptr) return;
  audit::Record record;
  record.organization = call.organization;
  record.actor = actor_of(call.principal);
  record.action = std::move(action);
  record.resource = std::move(resource);
  record.outcome = succeeded ? audit::Outcome::success : audit::Outcome::failure;
  record.address = call.request.remote_address;
  record.request_id = call.request.request_id;
  record.run = run;
  record.details = std::move(details);
  static_cast<void>(context.d.audit->append(std::move(record)));  // the gate has seen that the trail takes records
}

}  // namespace pawl::api::detail
