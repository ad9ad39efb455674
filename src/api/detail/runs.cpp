// Runs: lists, detail, and what may be asked of one.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/render.hpp"
#include "api/json_writer.hpp"

namespace pawl::api::detail::handlers {
namespace {

using CallPtr = std::shared_ptr<Call>;

std::optional<engine::Phase> phase_of(std::string_view text) {
  using engine::Phase;
  for (const auto phase :
       {Phase::pending, Phase::running, Phase::waiting, Phase::suspended, Phase::cancelled, Phase::faulted, Phase::completed}) {
    if (engine::to_text(phase) == text) return phase;
  }
  return std::nullopt;
}

void read_phases(Query& query, engine::RunFilter& filter) {
  auto text = query.text("status").value_or("");
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto phase = phase_of(text.substr(0, comma));
    if (!phase) return query.problem("status", "must be pending, running, waiting, suspended, cancelled, faulted or completed");
    filter.phases.push_back(*phase);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
}

std::optional<TimePoint> read_time(Query& query, std::string_view name) {
  const auto text = query.text(name);
  if (!text) return std::nullopt;
  const auto time = parse_rfc3339(*text);
  if (!time) query.problem(name, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z");
  return time;
}

void reply_page(Context& context, Call& call, std::optional<WorkflowId> workflow) {
  Query query(call.request);
  engine::RunFilter filter;
  filter.organization = call.principal.organization;
  filter.limit = query.limit();
  read_phases(query, filter);
  filter.since = read_time(query, "since");
  filter.until = read_time(query, "until");
  filter.text = std::string(query.text("q").value_or(""));
  if (workflow) {
    filter.workflow = workflow;
  } else if (const auto text = query.text("workflow_id")) {
    filter.workflow = WorkflowId::parse(*text);
    if (!filter.workflow) query.problem("workflow_id", "must be an id");
  }
  if (const auto cursor = query.text("cursor")) {
    filter.before = RunId::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.engine.list(filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.runs, [&](const engine::RunView& run) { append_run_item(out, run); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

/// 202 with the phase that the run has now.
engine::Engine::Acknowledged accepted(Context& context, CallPtr call, const RunId& run) {
  return [&context, call = std::move(call), run](Result<void> result) {
    if (result.has_error()) return call->fail(result.error());
    context.d.engine.view(call->principal.organization, run, false, [call, run](Result<engine::RunView> view) {
      if (view.has_error()) return call->fail(view.error());
      std::string out;
      append_run_status(out, run, view->phase);
      call->reply(202, std::move(out));
    });
  };
}

}  // namespace

void list_executions(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  const auto known = context.d.catalog.get(call.principal.organization, id);
  if (known.has_error()) return call.fail(known.error());
  reply_page(context, call, id);
}

void list_runs(Context& context, Call call) { reply_page(context, call, std::nullopt); }

void get_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(shared->principal.organization, id, true, [shared](Result<engine::RunView> view) {
    if (view.has_error()) return shared->fail(view.error());
    std::string out;
    append_run(out, *view);
    shared->reply(200, std::move(out));
  });
}

void cancel_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(body, parse_body(call.request, true));
  Fields fields(std::move(body));
  auto reason = fields.text("reason", 1000).value_or("cancelled through the API");
  PAWL_API_CHECK(fields.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.cancel(shared->principal.organization, id, std::move(reason), accepted(context, shared, id));
}

void suspend_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(body, parse_body(call.request, true));
  PAWL_API_CHECK(Fields(std::move(body)).finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.suspend(shared->principal.organization, id, accepted(context, shared, id));
}

void resume_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(body, parse_body(call.request, true));
  PAWL_API_CHECK(Fields(std::move(body)).finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.resume(shared->principal.organization, id, accepted(context, shared, id));
}

void retry_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(body, parse_body(call.request, true));
  Fields fields(std::move(body));
  engine::RetryRequested request;
  request.from = fields.text("from", 2000).value_or("");
  request.input = fields.value("input");
  PAWL_API_CHECK(fields.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.retry(shared->principal.organization, id, std::move(request), accepted(context, shared, id));
}

}  // namespace pawl::api::detail::handlers
