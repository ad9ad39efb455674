// Agent2Agent 1.0, JSON-RPC binding: workflows that opt in (`document.metadata.a2a`) are the skills of one agent.
//
// A message starts a run, and the run is the task: durable before it is spoken of, of its organization alone, and there for `GetTask` as
// long as runs are kept. The card at the well-known place says how the agent is reached and nothing of any organization; which skills there
// are is told to who is signed in (`GetExtendedAgentCard`).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <utility>

#include "api/detail/body_size.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/routes/theme.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

using json::Value;

constexpr std::string_view kVersion = "1.0";
constexpr std::size_t kMaxDepth = 128;
constexpr std::size_t kMostParts = 100;
constexpr std::string_view kContext = "a2a_context";  // in the trigger: the conversation that the message belongs to

enum class Code : std::int32_t {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  internal_error = -32603,
  task_not_found = -32001,
  not_cancelable = -32002,
  content_type = -32005,
  unsupported_version = -32009,
};

std::string reply_text(const Value& id, Value result) {
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}}));
}
std::string fault_text(const Value& id, Code code, std::string message) {
  auto error = Value::object({{"code", static_cast<std::int64_t>(code)}, {"message", std::move(message)}});
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}}));
}
void refuse(Call& call, const Value& id, Code code, std::string message) { call.reply(200, fault_text(id, code, std::move(message))); }

std::string_view state_of(engine::Phase phase) {
  switch (phase) {
    case engine::Phase::pending: return "TASK_STATE_SUBMITTED";
    case engine::Phase::completed: return "TASK_STATE_COMPLETED";
    case engine::Phase::faulted: return "TASK_STATE_FAILED";
    case engine::Phase::cancelled: return "TASK_STATE_CANCELED";
    case engine::Phase::running:
    case engine::Phase::waiting:
    case engine::Phase::suspended: break;
  }
  return "TASK_STATE_WORKING";
}

std::string context_of(const engine::RunView& view) {
  const auto& context = view.trigger.get(kContext);
  return context.is_string() ? std::string(context.as_string()) : view.id.to_string();
}

Value part_of(const Value& value) {
  if (value.is_string()) return Value::object({{"text", value}, {"mediaType", "text/plain"}});
  return Value::object({{"data", value}, {"mediaType", "application/json"}});
}

Value status_of(const Context& context, const engine::RunView& view) {
  auto status =
      Value::object({{"state", Value(state_of(view.phase))}, {"timestamp", to_rfc3339(view.ended_at.value_or(context.d.clock.now()))}});
  if (view.phase != engine::Phase::faulted && view.phase != engine::Phase::cancelled) return status;
  const auto why = outcome_of(view).failure;
  status.set("message", Value::object({{"messageId", view.id.to_string() + "-end"},
                                       {"taskId", view.id.to_string()},
                                       {"contextId", context_of(view)},
                                       {"role", "ROLE_AGENT"},
                                       {"parts", Value::array({part_of(Value(why))})}}));
  return status;
}

Value artifact_of(const engine::RunView& view) {
  return Value::object({{"artifactId", "output"}, {"name", "output"}, {"parts", Value::array({part_of(view.output)})}});
}

/// `view`: as it may be shown.
Value task_of(const Context& context, const engine::RunView& view) {
  auto task = Value::object({{"id", view.id.to_string()}, {"contextId", context_of(view)}, {"status", status_of(context, view)}});
  if (view.phase == engine::Phase::completed) task.set("artifacts", Value::array({artifact_of(view)}));
  task.set("metadata", Value::object({{"io.pawl/runId", view.id.to_string()}, {"io.pawl/workflow", view.workflow_name}}));
  return task;
}

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

bool opts_in(const NamedWorkflow& named) {
  const auto& wish = named.workflow->plan->metadata.get("a2a");
  return wish == Value(true) || wish.is_object();
}

Result<std::vector<NamedWorkflow>> skills_of(Context& context, const OrganizationId& organization) {
  PAWL_TRY(named, named_workflows(context, organization));
  std::erase_if(named, [](const NamedWorkflow& each) { return !opts_in(each); });
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

// ---- messages -------------------------------------------------------------------------------------------------------------------

/// An object among the data is the input; else the texts are, as `{text}`.
Result<Value> input_of(const Value& message) {
  const auto wrong = [](std::string text) { return Error(ErrorClass::invalid, "a2a.message", std::move(text)); };
  const auto& parts = message.get("parts");
  if (!parts.is_array() || parts.empty()) return wrong("The message has no `parts`.");
  if (parts.size() > kMostParts) return wrong("The message has too many `parts`.");
  std::string text;
  Value data;
  for (const auto& part : parts.items()) {
    if (part.get("text").is_string()) {
      if (!text.empty()) text += "\n";
      text += part.get("text").as_string();
    } else if (part.get("data").is_object() && data.is_null()) {
      data = part.get("data");
    } else {
      return Error(ErrorClass::unsupported, "a2a.parts", "A message consists of texts and at most one object as data.");
    }
  }
  if (data.is_null()) return Value::object({{"text", text}});
  if (!text.empty() && data.find("text") == nullptr) data.set("text", text);
  return data;
}

/// One message, and the run that it has become. Callbacks come on the run's thread, the wait's on the connection's.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Context& context, Call call, Value id, bool streams)
      : context_(context), call_(std::move(call)), id_(std::move(id)), streams_(streams) {}

  void start(const catalog::ExecutablePtr& workflow, const std::string& skill, Value input, std::string conversation, bool at_once) {
    engine::StartRequest start;
    start.plan = workflow->plan;
    start.organization = workflow->organization;
    start.workflow = workflow->id;
    start.version = workflow->version;
    start.input = std::move(input);
    start.trigger = trigger_of(context_, call_.principal);
    start.trigger.set("via", "a2a");
    start.id = run_ = RunId::make(context_.d.clock.now(), context_.d.random);
    start.trigger.set(kContext, conversation.empty() ? run_.to_string() : std::move(conversation));
    if (context_.d.secrets) start.secrets = context_.d.secrets(workflow->organization, *workflow->plan);
    context_.d.engine.start_run(std::move(start),
                                [self = shared_from_this(), workflow = workflow->id, skill, at_once](const Result<RunId>& started) {
                                  record(self->context_, self->call_, "a2a.sendMessage", {"workflow", workflow.to_string()},
                                         started.has_error() ? std::nullopt : std::optional(self->run_), !started.has_error(),
                                         Value::object({{"skill", skill}}));
                                  if (started.has_error()) return self->fail(started.error());
                                  self->attach(at_once);
                                },
                                {});
  }
  void join(const RunId& run) {
    run_ = run;
    attach(false);
  }

 private:
  using Phase = engine::Phase;

  void fail(const Error& error) {
    const bool is_input = error.kind == ErrorClass::invalid || error.kind == ErrorClass::unprocessable;
    const auto code = error.kind == ErrorClass::not_found ? Code::task_not_found : is_input ? Code::invalid_params : Code::internal_error;
    answer(fault_text(id_, code, error.kind == ErrorClass::not_found ? "There is no task of this id." : error.message));
  }
  /// One body.
  void answer(std::string text) {
    if (answered_.exchange(true)) return;
    context_.d.threads.post(call_.request.shard, [self = shared_from_this()] {
      if (self->wait_ != 0) self->context_.waits->of(self->call_.request.shard).remove(std::exchange(self->wait_, 0));
    });
    call_.reply(200, std::move(text));
  }
  void attach(bool at_once) {
    context_.d.engine.view(call_.organization, run_, false, [self = shared_from_this(), at_once](Result<engine::RunView> view) {
      if (view.has_error()) return self->fail(view.error());
      const auto seen = shown(self->context_, std::move(*view));
      self->conversation_ = context_of(seen);
      self->workflow_ = seen.workflow_name;
      const bool is_over = engine::is_final(seen.phase);
      self->last_ = state_of(seen.phase);
      if (self->streams_) {
        self->stream_ = self->call_.responder.stream();
        self->answered_ = true;
        self->tell("task", task_of(self->context_, seen));
        if (is_over) return self->stream_->close();
      } else if (is_over || at_once) {
        return self->answer(self->task_text(seen));
      } else {
        self->wait();
      }
      self->follow();
    });
  }
  [[nodiscard]] std::string task_text(const engine::RunView& view) const {
    return reply_text(id_, Value::object({{"task", task_of(context_, view)}}));
  }
  void tell(std::string_view name, Value value) {
    static_cast<void>(stream_->send("data: " + reply_text(id_, Value::object({{name, std::move(value)}})) + "\n\n"));
  }

  void follow() {
    const auto token = context_.d.engine.subscribe(run_, 0, [self = shared_from_this()](const engine::RunUpdate& update) {
      if (!update.phase) return;
      if (!engine::is_final(*update.phase)) return self->moved(*update.phase);
      engine::RunView view;
      view.id = self->run_;
      view.phase = *update.phase;
      view.output = update.output;
      view.error = update.error;
      view.workflow_name = self->workflow_;
      view.trigger = Value::object({{kContext, self->conversation_}});
      self->ended(shown(self->context_, std::move(view)));
    });
    token_ = token;
    if (stream_ != nullptr) {
      stream_->on_close([self = shared_from_this(), token] { self->context_.d.engine.unsubscribe(self->run_, token); });
    }
    look();  // it may have ended before
  }
  void moved(Phase phase) {
    if (stream_ == nullptr || over_ || state_of(phase) == last_) return;
    last_ = state_of(phase);
    tell("statusUpdate", update(Value::object({{"state", Value(last_)}, {"timestamp", to_rfc3339(context_.d.clock.now())}})));
  }
  [[nodiscard]] Value update(Value status) const {
    return Value::object({{"taskId", run_.to_string()}, {"contextId", conversation_}, {"status", std::move(status)}});
  }
  void look() {
    context_.d.engine.view(call_.organization, run_, false, [self = shared_from_this()](Result<engine::RunView> view) {
      if (view.has_value() && engine::is_final(view->phase)) self->ended(shown(self->context_, std::move(*view)));
    });
  }
  void ended(const engine::RunView& view) {
    if (over_.exchange(true)) return;
    if (stream_ == nullptr) return answer(task_text(view));
    if (view.phase == Phase::completed) {
      tell("artifactUpdate", Value::object({{"taskId", run_.to_string()},
                                            {"contextId", conversation_},
                                            {"artifact", artifact_of(view)},
                                            {"append", false},
                                            {"lastChunk", true}}));
    }
    tell("statusUpdate", update(status_of(context_, view)));
    stream_->close();
  }
  /// A minute at most; the task goes on.
  void wait() {
    context_.d.threads.post(call_.request.shard, [self = shared_from_this()] {
      if (self->answered_) return;
      self->wait_ = self->context_.waits->of(self->call_.request.shard).add(kMaxWait, [self] {
        self->wait_ = 0;
        self->context_.d.engine.view(self->call_.organization, self->run_, false, [self](Result<engine::RunView> view) {
          if (view.has_error()) return self->fail(view.error());
          self->answer(self->task_text(shown(self->context_, std::move(*view))));
        });
        self->context_.d.engine.unsubscribe(self->run_, self->token_);
      });
    });
  }

  Context& context_;
  Call call_;
  const Value id_;
  const bool streams_;
  RunId run_;
  std::string conversation_;
  std::string workflow_;
  std::shared_ptr<http::EventStream> stream_;  // set before the run is followed, or never
  std::string_view last_;                      // the run's thread
  std::atomic<bool> answered_{false};
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> token_{0};  // of the subscription
  WaitList::Token wait_ = 0;             // the connection's thread
};

void send_message(Context& context, Call call, const Value& id, const Value& params, bool streams) {
  const auto& message = params.get("message");
  if (!message.is_object()) return refuse(call, id, Code::invalid_params, "`message` is missing.");
  if (message.get("taskId").is_string()) {
    return refuse(call, id, Code::invalid_params, "A task takes no further messages: what a run asks is decided in the inbox.");
  }
  auto input = input_of(message);
  if (input.has_error()) {
    const auto code = input.error().kind == ErrorClass::unsupported ? Code::content_type : Code::invalid_params;
    return refuse(call, id, code, input.error().message);
  }
  const auto skills = skills_of(context, call.organization);
  if (skills.has_error()) return refuse(call, id, Code::internal_error, skills.error().message);
  const auto& asked =
      message.get("metadata").get("skillId").is_string() ? message.get("metadata").get("skillId") : params.get("metadata").get("skillId");
  auto found = skills->end();
  if (asked.is_string()) {
    found = std::ranges::find(*skills, asked.as_string(), &NamedWorkflow::name);
  } else if (skills->size() == 1) {
    found = skills->begin();
  }
  if (found == skills->end()) {
    return refuse(call, id, Code::invalid_params, "Name one of the skills of the extended card as `metadata.skillId` of the message.");
  }
  const auto& conversation = message.get("contextId");
  const bool at_once = params.get("configuration").get("returnImmediately") == Value(true);
  const auto exchange = std::make_shared<Exchange>(context, std::move(call), id, streams);
  exchange->start(found->workflow, found->name, std::move(*input),
                  conversation.is_string() ? std::string(conversation.as_string().substr(0, 200)) : "", at_once);
}

std::optional<RunId> task_id(const Value& params) {
  return params.get("id").is_string() ? RunId::parse(params.get("id").as_string()) : std::nullopt;
}

void tell_task(Context& context, const std::shared_ptr<Call>& call, const Value& id, const RunId& run) {
  context.d.engine.view(call->organization, run, false, [&context, call, id](Result<engine::RunView> view) {
    if (view.has_error()) return refuse(*call, id, Code::task_not_found, "There is no task of this id.");
    call->reply(200, reply_text(id, task_of(context, shown(context, std::move(*view)))));
  });
}

void cancel_task(Context& context, Call call, const Value& id, const RunId& run) {
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.cancel(shared->organization, run, "The client of the task cancelled it.",
                          [&context, shared, id, run](const Result<void>& done) {
                            record(context, *shared, "a2a.cancelTask", {"run", run.to_string()}, run, !done.has_error(), {});
                            if (!done.has_error()) return tell_task(context, shared, id, run);
                            if (done.error().kind == ErrorClass::conflict)
                              return refuse(*shared, id, Code::not_cancelable, "The task has ended.");
                            refuse(*shared, id, Code::task_not_found, "There is no task of this id.");
                          });
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
  const bool of_task = method == "GetTask" || method == "CancelTask" || method == "SubscribeToTask";
  if (!of_task) return refuse(call, id, Code::method_not_found, "There is no such method here.");
  const auto run = task_id(params);
  if (!run) return refuse(call, id, Code::task_not_found, "There is no task of this id.");
  if (method == "CancelTask") return cancel_task(context, std::move(call), id, *run);
  if (method == "SubscribeToTask") return std::make_shared<Exchange>(context, std::move(call), id, true)->join(*run);
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

}  // namespace

std::vector<Route> a2a_routes() {
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
           "Methods `SendMessage`, `SendStreamingMessage`, `GetTask`, `SubscribeToTask`, `CancelTask`, `GetExtendedAgentCard`. A message "
           "runs "
           "the workflow that `metadata.skillId` names, one whose `document.metadata.a2a` is set; that and cancelling need the permission "
           "`execute`. See docs/a2a.md."},
  };
}

}  // namespace pawl::api::detail
