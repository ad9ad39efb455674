// POST /mcp: every active workflow of the organization as a tool of the Model Context Protocol (Streamable HTTP).
//
// A call of a tool starts a run, which is durable before anything is said of it. Who takes event streams gets one: progress where it was
// asked for, and the result whenever it comes. A client of 2026-07-28 that declares tasks is given one where the run takes longer than a
// moment; who takes JSON alone waits a minute at most. Whatever becomes of the connection, the run goes on, unless the protocol says
// otherwise: closing the stream of a 2026-07-28 request cancels it.
#include <atomic>
#include <mutex>

#include "api/detail/cors.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/trail.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

/// A run that ends within this is answered with its result, also where the client takes tasks.
constexpr Millis kMoment{1000};
/// Of a stream's queue (1 MiB): one event must fit in beside what waits there.
constexpr std::size_t kLargestEvent = 768U << 10U;

http::Response json_of(int status, std::string text) { return http::Response::json(status, std::move(text)); }

http::Response response_of(const mcp::Fault& fault) { return json_of(fault.http_status, mcp::fault_text(fault)); }

mcp::Fault fault_of(const Error& error, const mcp::Request& request) {
  if (error.code == "mcp.unknown_tool" || error.kind == ErrorClass::not_found) {
    return {mcp::Code::invalid_params, error.message, request.stateless ? 400 : 200, {}, request.id};
  }
  return {mcp::Code::internal_error, error.message, request.stateless ? http_status(error.kind) : 200, {}, request.id};
}

/// May a page of this origin speak here? Programs send none.
bool is_origin_fine(const Context& context, const http::Request& request) {
  return request.header("Origin").empty() || is_own_or_trusted_origin(context.options.cors_origins, request);
}

bool takes_streams(const http::Request& request) { return request.header("Accept").find("text/event-stream") != std::string_view::npos; }

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

mcp::TaskState task_of(const Context& context, const engine::RunView& view) {
  mcp::TaskState task;
  task.id = view.id.to_string();
  task.created_at = to_rfc3339(view.created_at);
  task.updated_at = to_rfc3339(view.ended_at.value_or(context.d.clock.now()));
  task.message = view.waiting_reason;
  if (view.phase == engine::Phase::cancelled) task.status = mcp::TaskStatus::cancelled;
  // A workflow that faulted is a tool that failed: its result says so.
  if (view.phase == engine::Phase::completed || view.phase == engine::Phase::faulted) task.status = mcp::TaskStatus::completed;
  return task;
}

/// What was done, for the trail: the route's own record would name neither tool nor run.
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

/// One call of a tool. Its callbacks come on the run's thread, the wait's on the connection's, the stream's end there too.
class ToolCall : public std::enable_shared_from_this<ToolCall> {
 public:
  ToolCall(Context& context, Call call, mcp::Request request, mcp::CallTool wish)
      : context_(context), call_(std::move(call)), request_(std::move(request)), wish_(std::move(wish)) {}

  void start(const catalog::ExecutablePtr& workflow) {
    engine::StartRequest start;
    start.plan = workflow->plan;
    start.organization = workflow->organization;
    start.workflow = workflow->id;
    start.version = workflow->version;
    start.input = std::move(wish_.arguments);
    start.trigger = trigger_of(context_, call_.principal);
    start.trigger.set("via", "mcp");
    if (context_.d.secrets) start.secrets = context_.d.secrets(workflow->organization, *workflow->plan);
    workflow_ = workflow->id;
    start.id = run_ = RunId::make(context_.d.clock.now(), context_.d.random);
    if (request_.takes_tasks || !takes_streams(call_.request)) {
      wait(request_.takes_tasks ? kMoment : kMaxWait);
    } else {
      stream();
    }
    context_.d.engine.start_run(
        std::move(start), [self = shared_from_this()](const Result<RunId>& started) { self->started(started); },
        [self = shared_from_this()](const engine::RunView& view) { self->finished(view); });
  }

 private:
  /// With a stream, or with one body: whichever comes first answers.
  void answer(std::string message) {
    if (answered_.exchange(true)) return;
    if (stream_ == nullptr) {
      stop_waiting();
      return call_.reply(json_of(200, std::move(message)));
    }
    if (message.size() > kLargestEvent) {
      mcp::Outcome outcome;
      outcome.failure = "The result is too large for an event stream; `GET /api/runs/" + run_.to_string() + "` has it.";
      outcome.meta = meta_of(run_);
      message = mcp::reply_text(request_, mcp::call_result(request_, std::move(outcome)));
    }
    static_cast<void>(stream_->send(event_of(message)));
    stream_->close();
  }
  static std::string event_of(const std::string& message) { return "event: message\ndata: " + message + "\n\n"; }

  void started(const Result<RunId>& result) {
    record(context_, call_, "mcp.callTool", {"workflow", workflow_.to_string()}, result.has_error() ? std::nullopt : std::optional(run_),
           !result.has_error(), json::Value::object({{"tool", wish_.name}}));
    if (result.has_error()) {
      const auto& error = result.error();
      // What the tool was given is the model's business: it may try again with better arguments.
      if (error.kind != ErrorClass::invalid && error.kind != ErrorClass::unprocessable && error.kind != ErrorClass::conflict) {
        return answer(mcp::fault_text(fault_of(error, request_)));
      }
      return answer(mcp::reply_text(request_, mcp::call_result(request_, {{}, error.message, meta_of(run_)})));
    }
    const std::lock_guard lock(mutex_);
    accepted_ = true;
    if (timed_out_) say_it_goes_on();
    if (stream_ != nullptr && !closed_ && !wish_.progress_token.is_null()) {
      subscription_ = context_.d.engine.subscribe(run_, 0, [weak = weak_from_this()](const engine::RunUpdate& update) {
        if (const auto self = weak.lock()) self->progress(update);
      });
    }
  }
  void finished(const engine::RunView& view) {
    answer(mcp::reply_text(request_, mcp::call_result(request_, outcome_of(shown(context_, view)))));
  }

  // ---- one body -----------------------------------------------------------------------------------------------------------------

  void wait(Millis patience) {
    context_.d.threads.post(call_.request.shard, [self = shared_from_this(), patience] {
      if (self->answered_) return;
      self->wait_ = self->context_.waits->of(self->call_.request.shard).add(patience, [self] {
        self->wait_ = 0;
        const std::lock_guard lock(self->mutex_);
        self->timed_out_ = true;
        if (self->accepted_) self->say_it_goes_on();
      });
    });
  }
  void stop_waiting() {
    context_.d.threads.post(call_.request.shard, [self = shared_from_this()] {
      if (self->wait_ != 0) self->context_.waits->of(self->call_.request.shard).remove(std::exchange(self->wait_, 0));
    });
  }
  /// Only once the run is durable.
  void say_it_goes_on() {
    if (request_.takes_tasks) {
      mcp::TaskState task;
      task.id = run_.to_string();
      task.created_at = task.updated_at = to_rfc3339(context_.d.clock.now());
      return answer(mcp::reply_text(request_, mcp::task_created(task)));
    }
    mcp::Outcome outcome;
    outcome.failure =
        "The workflow goes on as run " + run_.to_string() + "; it has no result yet. `GET /api/runs/" + run_.to_string() + "` says more.";
    outcome.meta = meta_of(run_);
    answer(mcp::reply_text(request_, mcp::call_result(request_, std::move(outcome))));
  }

  // ---- a stream -----------------------------------------------------------------------------------------------------------------

  void stream() {
    http::Headers headers;
    headers.add("Cache-Control", "no-store");
    headers.add("X-Accel-Buffering", "no");
    stream_ = call_.responder.stream(std::move(headers));
    stream_->on_close([self = shared_from_this()] { self->closed(); });
  }
  void closed() {
    std::uint64_t subscription = 0;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      subscription = std::exchange(subscription_, 0);
    }
    if (subscription != 0) context_.d.engine.unsubscribe(run_, subscription);
    if (answered_.exchange(true) || !request_.stateless) return;
    context_.d.engine.cancel(call_.organization, run_, "The client closed the request.", [](const Result<void>&) {});
  }
  void progress(const engine::RunUpdate& update) {
    if (!update.task || !update.task->record.ended_at || answered_) return;
    static_cast<void>(stream_->send(event_of(mcp::progress_text(wish_.progress_token, ++done_, update.task->name))));
  }

  Context& context_;
  Call call_;
  mcp::Request request_;
  mcp::CallTool wish_;
  RunId run_;
  WorkflowId workflow_;
  std::shared_ptr<http::EventStream> stream_;  // set before the run starts, or never
  std::atomic<bool> answered_{false};
  std::mutex mutex_;
  bool accepted_ = false;           // guarded by mutex_: the start is durable
  bool timed_out_ = false;          // guarded by mutex_
  bool closed_ = false;             // guarded by mutex_: the stream
  std::uint64_t subscription_ = 0;  // guarded by mutex_
  WaitList::Token wait_ = 0;        // the connection's thread
  std::uint64_t done_ = 0;          // the run's thread
};

// ---- what is asked for ------------------------------------------------------------------------------------------------------------

void list_tools(Context& context, Call& call, const mcp::Request& request, const mcp::ListTools& wish) {
  if (!wish.cursor.empty()) {
    return call.reply(
        response_of({mcp::Code::invalid_params, "There is one page: no cursor is valid.", request.stateless ? 400 : 200, {}, request.id}));
  }
  auto tools = workflow_tools(context, call.organization);
  if (tools.has_error()) return call.reply(response_of(fault_of(tools.error(), request)));
  call.reply(json_of(200, mcp::reply_text(request, mcp::tools_result(request, *tools, {}))));
}

void call_tool(Context& context, Call call, mcp::Request request, mcp::CallTool wish) {
  auto workflow = workflow_of_tool(context, call.organization, wish.name);
  if (workflow.has_error()) return call.reply(response_of(fault_of(workflow.error(), request)));
  const auto tool_call = std::make_shared<ToolCall>(context, std::move(call), std::move(request), std::move(wish));
  tool_call->start(*workflow);
}

void get_task(Context& context, Call call, mcp::Request request, const std::string& task) {
  const auto run = RunId::parse(task);
  const auto unknown = Error(ErrorClass::not_found, "mcp.unknown_task", "There is no task of this id.");
  if (!run) return call.reply(response_of(fault_of(unknown, request)));
  const auto organization = call.organization;
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(organization, *run, false, [&context, shared, request = std::move(request)](Result<engine::RunView> view) {
    if (view.has_error()) return shared->reply(response_of(fault_of(view.error(), request)));
    const auto clean = shown(context, std::move(*view));
    shared->reply(json_of(200, mcp::reply_text(request, mcp::task_result(request, task_of(context, clean), outcome_of(clean)))));
  });
}

void cancel_task(Context& context, Call call, mcp::Request request, const std::string& task) {
  const auto run = RunId::parse(task);
  if (!run) return call.reply(response_of({mcp::Code::invalid_params, "There is no task of this id.", 400, {}, request.id}));
  const auto organization = call.organization;
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.cancel(organization, *run, "The client of the task cancelled it.",
                          [&context, shared, run = *run, request = std::move(request)](const Result<void>& done) {
                            record(context, *shared, "mcp.cancelTask", {"run", run.to_string()}, run, !done.has_error(), {});
                            // Asked twice, or too late: that is an acknowledgement as well.
                            if (done.has_error() && done.error().kind != ErrorClass::conflict) {
                              return shared->reply(response_of(fault_of(done.error(), request)));
                            }
                            shared->reply(json_of(200, mcp::reply_text(request, mcp::empty_result(request))));
                          });
}

bool changes_something(const mcp::Request& request) {
  return std::holds_alternative<mcp::CallTool>(request.act) || std::holds_alternative<mcp::CancelTask>(request.act);
}

mcp::ServerInfo server_info(const Context& context) {
  return {.name = "pawl",
          .title = "Pawl workflows",
          .version = context.options.version,
          .instructions =
              "Each tool runs a workflow of the organization. A run is durable: one that takes long goes on when the connection ends."};
}

void message(Context& context, Call call) {
  if (!is_origin_fine(context, call.request)) {
    return call.reply(response_of({mcp::Code::invalid_request, "Pages of this origin may not call.", 403, {}, {}}));
  }
  const auto& fields = call.request.headers;
  auto read = mcp::interpret(call.request.body, {fields.get("MCP-Protocol-Version"), fields.get("Mcp-Method"), fields.get("Mcp-Name")},
                             server_info(context));
  if (const auto* fault = std::get_if<mcp::Fault>(&read)) return call.reply(response_of(*fault));
  auto request = std::move(std::get<mcp::Request>(read));
  if (changes_something(request) && !call.principal.permits(Permission::execute, call.organization)) {
    return call.reply(response_of({mcp::Code::invalid_request, forbidden(Permission::execute).message, 403, {}, request.id}));
  }
  auto act = std::move(request.act);
  request.act = mcp::Nothing{};
  if (auto* known = std::get_if<mcp::Known>(&act)) return call.reply(json_of(200, mcp::reply_text(request, std::move(known->result))));
  if (const auto* list = std::get_if<mcp::ListTools>(&act)) return list_tools(context, call, request, *list);
  if (auto* tool = std::get_if<mcp::CallTool>(&act)) return call_tool(context, std::move(call), std::move(request), std::move(*tool));
  if (const auto* task = std::get_if<mcp::GetTask>(&act)) return get_task(context, std::move(call), std::move(request), task->task);
  if (const auto* task = std::get_if<mcp::CancelTask>(&act)) return cancel_task(context, std::move(call), std::move(request), task->task);
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
                         fault(404, "There is no such method.")},
       .description =
           "Revisions 2026-07-28 and 2025-03-26 to 2025-11-25, without sessions. Each active workflow is a tool; calling one needs the "
           "permission `execute`. See docs/mcp.md."},
  };
}

}  // namespace pawl::api::detail
