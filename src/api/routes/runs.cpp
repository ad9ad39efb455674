// Runs: lists, detail, and what may be asked of one.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/render.hpp"
#include "api/json_writer.hpp"
#include "api/routes/run_values.hpp"
#include "api/routes/task_trial.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
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
  filter.organization = call.organization;
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

/// 202 with the phase that the run has now; of one that winds up also how it ends, which no cancel changes any more.
engine::Engine::Acknowledged accepted(Context& context, CallPtr call, const RunId& run) {
  return [&context, call = std::move(call), run](Result<void> result) {
    if (result.has_error()) return call->fail(result.error());
    context.d.engine.view(call->organization, run, false, [call, run](Result<engine::RunView> view) {
      if (view.has_error()) return call->fail(view.error());
      std::string out;
      append_run_status(out, run, view->phase, view->ending);
      call->reply(202, std::move(out));
    });
  };
}

void list_executions(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  const auto known = context.d.catalog.get(call.organization, id);
  if (known.has_error()) return call.fail(known.error());
  reply_page(context, call, id);
}

void list_runs(Context& context, Call call) { reply_page(context, call, std::nullopt); }

constexpr std::uint32_t kNewestRuns = 20;
constexpr std::size_t kMostWorkflows = 100;

std::vector<WorkflowId> read_workflows(Query& query) {
  std::vector<WorkflowId> workflows;
  auto text = query.text("workflow_ids").value_or("");
  while (!text.empty() && workflows.size() <= kMostWorkflows) {
    const auto comma = text.find(',');
    const auto id = WorkflowId::parse(text.substr(0, comma));
    if (!id) query.problem("workflow_ids", "must be ids, comma separated");
    workflows.push_back(id.value_or(WorkflowId{}));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  if (workflows.empty() || workflows.size() > kMostWorkflows) query.problem("workflow_ids", "must name 1 to 100 workflows");
  return workflows;
}

void list_newest_runs(Context& context, Call call) {
  Query query(call.request);
  const auto workflows = read_workflows(query);
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(newest, context.d.engine.newest(call.organization, workflows, kNewestRuns));
  std::string out;
  {
    ObjectWriter object(out);
    auto workflow = workflows.begin();
    append_array(object.raw("workflows"), newest, [&](const std::vector<engine::RunView>& runs) {
      ObjectWriter item(out);
      item.text("workflow_id", (workflow++)->to_string());
      append_array(item.raw("runs"), runs, [&](const engine::RunView& run) { append_run_item(out, run); });
    });
  }
  call.reply(200, std::move(out));
}

void cancel_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  Fields fields(std::move(call.body));
  auto reason = fields.text("reason", 1000).value_or("cancelled through the API");
  PAWL_API_CHECK(fields.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.cancel(shared->organization, id, std::move(reason), accepted(context, shared, id), engine::Engine::CancelBy::person);
}

void suspend_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_CHECK(Fields(std::move(call.body)).finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.suspend(shared->organization, id, accepted(context, shared, id));
}

void resume_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_CHECK(Fields(std::move(call.body)).finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.resume(shared->organization, id, accepted(context, shared, id));
}

void retry_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  Fields fields(std::move(call.body));
  engine::RetryRequested request;
  request.from = fields.text("from", 2000).value_or("");
  request.input = fields.value("input");
  PAWL_API_CHECK(fields.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.retry(shared->organization, id, std::move(request), accepted(context, shared, id), trigger_of(context, *shared));
}

void fork_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  Fields fields(std::move(call.body));
  engine::Engine::ForkRequest request;
  request.from = fields.text("from", 2000).value_or("");
  request.input = fields.value("input");
  request.requester = trigger_of(context, call);
  PAWL_API_CHECK(fields.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.fork(shared->organization, id, std::move(request), [shared](Result<RunId> fork) {
    if (fork.has_error()) return shared->fail(fork.error());
    std::string out;
    append_run_status(out, *fork, engine::Phase::running);
    auto response = http::Response::json(202, std::move(out));
    response.headers.add("Location", "/api/runs/" + fork->to_string());
    shared->reply(std::move(response));
  });
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape status_shape() { return Shape::choice({"pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed"}); }

/// Of a run that winds up (undoes what it had done, runs `finally`): how its main part ended.
Shape ending_shape() { return Shape::choice({"completed", "faulted", "cancelled"}); }

Shape log_line_shape() {
  return Shape::object("LogLine",
                       {{"at", Shape::time().or_null()}, {"level", Shape::text("info")}, {"text", Shape::text("sent", 1U << 20U)}});
}

}  // namespace

Shape task_run_shape() {
  return Shape::object("TaskRun", {{"reference", Shape::text("/do/0/greet", 10'000)},
                                   {"iteration", Shape::array(Shape::integer(0))},
                                   {"name", Shape::text("greet", 10'000)},
                                   {"type", Shape::text("set")},
                                   {"status", Shape::text("completed")},
                                   {"attempt", Shape::integer(1)},
                                   {"input", Shape::any(json::Value::object())},
                                   {"output", Shape::any(json::Value::object({{"text", "Hello"}}))},
                                   {"error", Shape::any(nullptr)},
                                   {"started_at", Shape::time().or_null()},
                                   {"ended_at", Shape::time().or_null()},
                                   {"logs", Shape::array(log_line_shape(), 0)},
                                   {"left_out", left_out_shape(), Shape::kOptional}});
}

namespace {

std::vector<Shape::Member> run_item_members() {
  return {{"id", Shape::id()},
          {"workflow_id", Shape::id()},
          {"workflow_name", Shape::text("hello")},
          {"version", Shape::integer(1)},
          {"status", status_shape()},
          {"waiting_reason", Shape::text("waits for an event", 10'000), Shape::kOptional},
          {"dry_run", Shape::boolean(false)},
          {"created_at", Shape::time().or_null()},
          {"started_at", Shape::time().or_null()},
          {"ended_at", Shape::time().or_null()}};
}

Shape run_shape() {
  auto members = run_item_members();
  members.push_back({"ending", ending_shape(), Shape::kOptional});
  members.push_back({"input", Shape::any(json::Value::object())});
  members.push_back({"output", Shape::any(json::Value::object({{"text", "Hello"}}))});
  members.push_back({"error", Shape::any(nullptr)});
  members.push_back({"trigger", Shape::any(json::Value::object({{"type", "manual"}}))});
  members.push_back({"tasks", Shape::array(task_run_shape(), 0)});
  members.push_back({"tasks_dropped", Shape::integer(0), Shape::kOptional});
  members.push_back({"left_out", left_out_shape(), Shape::kOptional});
  return Shape::object("Run", std::move(members));
}

Shape run_item_shape() { return Shape::object("RunItem", run_item_members()); }
Shape run_page_shape() { return Shape::page("RunPage", run_item_shape()); }

Shape newest_runs_shape() {
  return Shape::object(
      "NewestRuns",
      {{"workflows", Shape::array(Shape::object("NewestRunsOfWorkflow",
                                                {{"workflow_id", Shape::id()}, {"runs", Shape::array(run_item_shape(), kNewestRuns)}}),
                                  kMostWorkflows)}});
}

Shape outcome_shape() {
  return Shape::object("RunOutcome", {{"id", Shape::id()},
                                      {"workflow_id", Shape::id(), Shape::kOptional},
                                      {"version", Shape::integer(1), Shape::kOptional},
                                      {"status", status_shape()},
                                      {"output", Shape::any(json::Value::object({{"text", "Hello"}})), Shape::kOptional},
                                      {"error", Shape::any(nullptr), Shape::kOptional},
                                      {"dry_run", Shape::boolean(false), Shape::kOptional},
                                      {"created_at", Shape::time().or_null(), Shape::kOptional},
                                      {"started_at", Shape::time().or_null(), Shape::kOptional},
                                      {"ended_at", Shape::time().or_null(), Shape::kOptional}});
}

bool is_wait(const json::Value& value) {
  if (value.is_null() || value.is_bool()) return true;
  return value.is_number() && value.as_double() >= 0.0 && value.as_double() <= 60.0;
}

Shape execution_shape() {
  auto wait = Shape::any(true)
                  .where(is_wait, "must be true, false, or seconds up to 60")
                  .described("false: answer when the run is accepted; true or seconds up to 60: wait for its end.");
  return Shape::object(
      "Execution",
      {{"input", Shape::any(json::Value::object({{"people", json::Value::array({"Ada"})}})), Shape::kOptional},
       {"wait", std::move(wait), Shape::kOptional},
       {"dry_run", Shape::boolean(false), Shape::kOptional},
       {"version", Shape::integer(1, 1, INT32_MAX), Shape::kOptional},
       {"idempotency_key", Shape::text("order-4711", 255), Shape::kOptional},
       {"concurrency_key",
        Shape::text("customer-17", 255)
            .described("Runs with this key take turns: no more of them are active than `concurrency_limit` says."),
        Shape::kOptional},
       {"concurrency_limit", Shape::integer(1, 1, engine::kMaxConcurrency), Shape::kOptional},
       {"concurrency_policy",
        Shape::choice({"queue", "skip", "replace"})
            .described("What to do where no place is free: wait as `pending`, answer 409, or cancel the others."),
        Shape::kOptional},
       {"priority", Shape::integer(0, -engine::kMaxPriority, engine::kMaxPriority).described("Of what waits the highest goes first."),
        Shape::kOptional}});
}

std::vector<Parameter> run_filters(bool with_workflow) {
  std::vector<Parameter> all{{"status", Shape::text("running,waiting"), "Phases, comma separated."},
                             {"since", Shape::time(), "Created at this time or later."},
                             {"until", Shape::time(), "Created before this time."},
                             {"q", Shape::text("hello"), "Part of the workflow's name or of the run's id."}};
  if (with_workflow) all.push_back({"workflow_id", Shape::id(), "Of this workflow."});
  all.push_back(limit_parameter());
  all.push_back(cursor_parameter());
  return all;
}

Shape nothing_shape(std::string_view name) { return Shape::object(name, {}); }

}  // namespace

Shape run_status_shape() {
  return Shape::object("RunStatus", {{"id", Shape::id()}, {"status", status_shape()}, {"ending", ending_shape(), Shape::kOptional}});
}

std::vector<Route> run_routes() {
  using http::Method;
  return {
      {.method = Method::post,
       .path = "/api/workflows/{workflow_id}/execute",
       .id = "executeWorkflow",
       .tag = "runs",
       .summary = "Start a run",
       .permission = Permission::execute,
       .handler = handlers::execute_workflow,
       .owner = &kWorkflowOwner,
       .body = Body::optional,
       .request = execution_shape(),
       .reply = outcome_shape(),
       .other_replies = {{202, "Started; `Location` is the run.", "application/json", run_status_shape()}},
       .description = "200 with the outcome where the run has ended within `wait`, else 202 with `id`, `status` and `Location`."},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/executions",
       .id = "listExecutions",
       .tag = "runs",
       .summary = "List a workflow's runs",
       .permission = Permission::read,
       .handler = list_executions,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .query = run_filters(false),
       .reply = run_page_shape()},
      {.method = Method::get,
       .path = "/api/runs",
       .id = "listRuns",
       .tag = "runs",
       .summary = "List runs, newest first",
       .permission = Permission::read,
       .handler = list_runs,
       .runs = Runs::pool,
       .query = run_filters(true),
       .reply = run_page_shape()},
      {.method = Method::get,
       .path = "/api/runs/newest",
       .id = "listNewestRuns",
       .tag = "runs",
       .summary = "List the newest runs of each of several workflows",
       .permission = Permission::read,
       .handler = list_newest_runs,
       .runs = Runs::pool,
       .query = {{"workflow_ids", Shape::text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d", kMostWorkflows * 37),
                  "Ids, comma separated, at most 100."}},
       .reply = newest_runs_shape(),
       .description =
           "Of each at most 20, open ones and finished ones, in the order of the ids. Of a workflow that is not the organization's there "
           "are none."},
      {.method = Method::get,
       .path = "/api/runs/{run_id}",
       .id = "getRun",
       .tag = "runs",
       .summary = "Read a run with its tasks",
       .permission = Permission::read,
       .handler = get_run,
       .owner = &kRunOwner,
       .query = run_parameters(),
       .reply = run_shape()},
      {.method = Method::get,
       .path = "/api/runs/{run_id}/value",
       .id = "getRunValue",
       .tag = "runs",
       .summary = "Read one value of a run, or a part of it",
       .permission = Permission::read,
       .handler = get_run_value,
       .owner = &kRunOwner,
       .query = run_value_parameters(),
       .reply = run_value_shape()},
      {.method = Method::get,
       .path = "/api/runs/{run_id}/attempts",
       .id = "listTaskAttempts",
       .tag = "runs",
       .summary = "List the attempts of a task that calls a function",
       .permission = Permission::read,
       .handler = list_run_attempts,
       .owner = &kRunOwner,
       .query = run_attempt_parameters(),
       .reply = run_attempts_shape()},
      {.method = Method::get,
       .path = "/api/runs/{run_id}/events",
       .id = "followRun",
       .tag = "runs",
       .summary = "Follow a run (server-sent events)",
       .permission = Permission::read,
       .handler = handlers::stream_run,
       .owner = &kRunOwner,
       .reply = Shape::text("id: 7\nevent: task\ndata: {}\n\n", 1U << 20U),
       .reply_type = "text/event-stream"},
      {.method = Method::post,
       .path = "/api/runs/{run_id}/cancel",
       .id = "cancelRun",
       .tag = "runs",
       .summary = "Cancel a run",
       .permission = Permission::execute,
       .handler = cancel_run,
       .owner = &kRunOwner,
       .body = Body::optional,
       .request = Shape::object("Cancellation", {{"reason", Shape::text("no longer needed", 1000), Shape::kOptional}}),
       .status = 202,
       .reply = run_status_shape()},
      {.method = Method::post,
       .path = "/api/runs/{run_id}/suspend",
       .id = "suspendRun",
       .tag = "runs",
       .summary = "Suspend a run",
       .permission = Permission::execute,
       .handler = suspend_run,
       .owner = &kRunOwner,
       .body = Body::optional,
       .request = nothing_shape("Suspension"),
       .status = 202,
       .reply = run_status_shape()},
      {.method = Method::post,
       .path = "/api/runs/{run_id}/resume",
       .id = "resumeRun",
       .tag = "runs",
       .summary = "Resume a suspended run",
       .permission = Permission::execute,
       .handler = resume_run,
       .owner = &kRunOwner,
       .body = Body::optional,
       .request = nothing_shape("Resumption"),
       .status = 202,
       .reply = run_status_shape()},
      {.method = Method::post,
       .path = "/api/runs/{run_id}/retry",
       .id = "retryRun",
       .tag = "runs",
       .summary = "Run a faulted run again from a task",
       .permission = Permission::execute,
       .handler = retry_run,
       .owner = &kRunOwner,
       .body = Body::optional,
       .request = Shape::object("Retry", {{"from", Shape::text("/do/1/send", 2000), Shape::kOptional},
                                          {"input", Shape::any(json::Value::object()), Shape::kOptional}}),
       .status = 202,
       .reply = run_status_shape()},
      {.method = Method::post,
       .path = "/api/runs/{run_id}/fork",
       .id = "forkRun",
       .tag = "runs",
       .summary = "Start a new run from a task of this one, with edited input",
       .permission = Permission::execute,
       .handler = fork_run,
       .owner = &kRunOwner,
       .body = Body::optional,
       .request = Shape::object("Fork", {{"from", Shape::text("/do/1/send", 2000), Shape::kOptional},
                                         {"input", Shape::any(json::Value::object()), Shape::kOptional}}),
       .status = 202,
       .reply = run_status_shape(),
       .description =
           "Takes over what the run has done before it first came to `from`; the run itself is left alone. Answers the new run."},
  };
}

}  // namespace pawl::api::detail
