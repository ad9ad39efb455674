// A call of a tool starts a run, which is durable before anything is said of it. Who takes event streams gets one: progress where it was
// asked for, and the result whenever it comes. A client of 2026-07-28 that declares tasks is given one where the run takes longer than a
// moment; who takes JSON alone waits a minute at most. Whatever becomes of the connection, the run goes on, unless the protocol says
// otherwise: closing the stream of a 2026-07-28 request cancels it.
//
// What the run asks people is asked of a client that elicits (mcp_questions.hpp): in the stream where there is a session, else as the
// result, upon which the client repeats the call with the answers and waits for the same run again.
#include "api/detail/mcp_call.hpp"

#include <atomic>
#include <mutex>
#include <set>

#include "api/detail/deciding.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/function_tools.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/mcp_questions.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/subscriber.hpp"
#include "api/detail/workflow_tools.hpp"
#include "json/parse.hpp"
#include "live/hub.hpp"
#include "live/topics.hpp"

namespace pawl::api::detail {
namespace {

/// A run that ends within this is answered with its result, also where the client takes tasks.
constexpr Millis kMoment{1000};

bool takes_streams(const http::Request& request) { return request.header("Accept").find("text/event-stream") != std::string_view::npos; }

mcp::TaskState task_of(const Context& context, const engine::RunView& view) {
  mcp::TaskState task;
  task.id = view.id.to_string();
  task.created_at = to_rfc3339(view.created_at);
  task.updated_at = to_rfc3339(view.ended_at.value_or(context.d.clock.now()));
  task.message = view.ending && view.phase == engine::Phase::suspended ? why_unheard(view) : ending_of(view);
  if (!task.message.empty() && !view.waiting_reason.empty()) task.message += ' ';
  task.message += view.waiting_reason;
  if (view.phase == engine::Phase::cancelled) task.status = mcp::TaskStatus::cancelled;
  // A workflow that faulted is a tool that failed: its result says so.
  if (view.phase == engine::Phase::completed || view.phase == engine::Phase::faulted) task.status = mcp::TaskStatus::completed;
  return task;
}

class ToolCall;

/// Hears that the run asks something. Only queues.
class Ear final : public live::Receiver {
 public:
  explicit Ear(std::function<void()> heard) : heard_(std::move(heard)) {}
  bool subscribed(const std::vector<std::string>&, std::string_view) override { return true; }
  bool event(const live::EventPtr& event) override {
    if (event->type == "approval.status") heard_();
    return true;
  }
  bool reset(std::string_view) override {
    heard_();
    return true;
  }
  void end(live::End) override {}

 private:
  const std::function<void()> heard_;
};

/// One call of a tool, or of a prompt. Its callbacks come on the run's thread, the wait's on the connection's, the stream's end there too,
/// questions on the pool.
class ToolCall : public std::enable_shared_from_this<ToolCall> {
 public:
  enum class What : std::uint8_t { tool, declared_tool, prompt };  ///< declared: with an output schema
  ToolCall(Context& context, Call call, mcp::Request request, mcp::CallTool wish, What what)
      : context_(context), call_(std::move(call)), request_(std::move(request)), wish_(std::move(wish)), what_(what) {}

  /// `subject`: what the trail says was called.
  void start(const catalog::ExecutablePtr& workflow, json::Value input, audit::Resource subject, bool dry_run = false) {
    engine::StartRequest start;
    start.plan = workflow->plan;
    start.organization = workflow->organization;
    start.workflow = workflow->id;
    start.version = workflow->version;
    start.input = std::move(input);
    start.trigger = trigger_of(context_, call_);
    start.trigger.set("via", "mcp");
    if (context_.d.secrets) start.secrets = context_.d.secrets(workflow->organization, *workflow->plan);
    if (subject.type == "function") start.trigger.set("plugin", subject.id);
    start.dry_run = dry_run_ = dry_run;
    subject_ = std::move(subject);
    description_ = workflow->plan->summary;
    start.id = run_ = RunId::make(context_.d.clock.now(), context_.d.random);
    if (!begin()) return;
    context_.d.engine.start_run(
        std::move(start), [self = shared_from_this()](const Result<RunId>& started) { self->started(started); },
        [self = shared_from_this()](const engine::RunView& view) { self->finished(view); });
  }

  /// Repeated with answers: waits for the run that is there already.
  void resume(const RunId& run) {
    run_ = run;
    if (wish_.responses.is_object()) {
      for (const auto& response : wish_.responses.members()) {
        if (response.value.get("action") == json::Value("cancel")) asked_.insert(std::string(response.name()));
      }
    }
    if (!begin()) return;
    {
      const std::lock_guard lock(mutex_);
      accepted_ = true;
    }
    follow();
    watch();
    look_again();
  }

 private:
  /// False: refused, and answered.
  [[nodiscard]] bool begin() {
    if (becomes_task() || !takes_streams(call_.request)) {
      wait(becomes_task() ? kMoment : kMaxWait);
      return true;
    }
    if (const auto entered = enter(); entered.has_error()) {
      answered_ = true;
      call_.fail(entered.error());
      return false;
    }
    stream();
    return true;
  }
  /// A place among the caller's open streams, which also hears of questions.
  [[nodiscard]] Result<void> enter() {
    if (context_.d.live == nullptr) return {};
    auto ear = std::make_shared<Ear>([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look_again();
    });
    PAWL_TRY(opened, context_.d.live->open(subscriber_of(call_), std::move(ear)));
    const std::lock_guard lock(watch_mutex_);
    watched_ = opened;
    return {};
  }

  [[nodiscard]] bool becomes_task() const { return request_.takes_tasks && what_ != What::prompt; }

  /// With a stream, or with one body: whichever comes first answers.
  void answer(std::string message) {
    if (answered_.exchange(true)) return;
    stop_watching();
    if (stream_ == nullptr) {
      stop_waiting();
      return call_.reply(mcp_response(200, std::move(message)));
    }
    if (message.size() > kLargestMessage) {
      message = failed("The result is too large for an event stream; `GET /api/runs/" + run_.to_string() + "` has it.");
    }
    static_cast<void>(stream_->send(event_of(message)));
    stream_->close();
  }
  static std::string event_of(const std::string& message) { return "event: message\ndata: " + message + "\n\n"; }

  /// The run gave no result: a tool says so to its model, a prompt has no such result.
  [[nodiscard]] std::string failed(std::string why) const {
    if (what_ == What::prompt) return mcp::fault_text({mcp::Code::internal_error, std::move(why), 200, meta_of(run_), request_.id});
    return mcp::reply_text(request_, mcp::call_result(request_, {{}, std::move(why), meta_of(run_)}));
  }
  [[nodiscard]] std::string said(mcp::Outcome outcome) const {
    if (!outcome.failure.empty()) return failed(std::move(outcome.failure));
    if (what_ == What::prompt) {
      return mcp::reply_text(request_, mcp::prompt_result(request_, description_, outcome.output, std::move(outcome.meta)));
    }
    outcome.declared = what_ == What::declared_tool;
    return mcp::reply_text(request_, mcp::call_result(request_, std::move(outcome)));
  }

  void started(const Result<RunId>& result) {
    auto details = json::Value::object({{what_ == What::prompt ? "prompt" : "tool", wish_.name}});
    if (dry_run_) details.set("dry_run", true);
    record(context_, call_, what_ == What::prompt ? "mcp.getPrompt" : "mcp.callTool", subject_,
           result.has_error() ? std::nullopt : std::optional(run_), !result.has_error(), std::move(details));
    if (result.has_error()) {
      const auto& error = result.error();
      // What the tool was given is the model's business: it may try again with better arguments.
      if (error.kind != ErrorClass::invalid && error.kind != ErrorClass::unprocessable && error.kind != ErrorClass::conflict) {
        return answer(mcp::fault_text(fault_of(error, request_)));
      }
      if (what_ == What::prompt) return answer(mcp::fault_text(wrong_parameters(request_, error.message)));
      return answer(failed(error.message));
    }
    bool abandoned = false;
    {
      const std::lock_guard lock(mutex_);
      accepted_ = true;
      abandoned = abandoned_;
      if (timed_out_) say_it_goes_on();
      if (stream_ != nullptr && !closed_ && !wish_.progress_token.is_null()) {
        subscription_ = context_.d.engine.subscribe(run_, 0, [weak = weak_from_this()](const engine::RunUpdate& update) {
          if (const auto self = weak.lock()) self->progress(update);
        });
      }
    }
    if (abandoned) return cancel();
    watch();
  }
  void finished(const engine::RunView& view) {
    if (!dry_run_) return answer(said(outcome_of(shown(context_, view))));
    context_.d.engine.view(call_.organization, run_, true, [self = shared_from_this()](Result<engine::RunView> whole) {
      if (whole.has_error()) return self->answer(mcp::fault_text(fault_of(whole.error(), self->request_)));
      self->answer(self->said(planned_outcome(shown(self->context_, std::move(*whole)))));
    });
  }

  // ---- a run that is there already ----------------------------------------------------------------------------------------------

  void follow() {
    const auto look = [self = shared_from_this()](Result<engine::RunView> view) {
      if (view.has_error()) return self->answer(mcp::fault_text(fault_of(view.error(), self->request_)));
      if (engine::is_final(view->phase)) return self->finished(*view);
    };
    context_.d.engine.view(call_.organization, run_, false, [self = shared_from_this(), look](Result<engine::RunView> view) {
      if (view.has_error() || engine::is_final(view->phase)) return look(std::move(view));
      {
        const std::lock_guard lock(self->mutex_);
        if (self->closed_ || self->answered_) return;  // a question may have answered it
        const auto tell = [weak = self->weak_from_this()](const engine::RunUpdate& update) {
          if (const auto call = weak.lock()) call->updated(update);  // the run may wait for days
        };
        self->subscription_ = self->context_.d.engine.subscribe(self->run_, 0, tell);
      }
      self->context_.d.engine.view(self->call_.organization, self->run_, false, look);  // it may have ended in between
    });
  }
  void updated(const engine::RunUpdate& update) {
    if (stream_ != nullptr && !wish_.progress_token.is_null()) progress(update);
    if (!update.phase || !engine::is_final(*update.phase)) return;
    engine::RunView view;
    view.id = run_;
    view.phase = *update.phase;
    view.output = update.output;
    view.error = update.error;
    finished(view);
  }

  // ---- questions ----------------------------------------------------------------------------------------------------------------

  /// From when the run is durable: what it asks is looked for when the inbox has changed.
  void watch() {
    const bool can_ask = request_.elicits && !becomes_task() && (request_.stateless || stream_ != nullptr);
    if (!can_ask || context_.d.live == nullptr || answered_) return;
    // Who has too many streams open finds the question in the inbox.
    if (stream_ == nullptr && enter().has_error()) return;
    std::optional<live::Hub::Id> place;
    {
      const std::lock_guard lock(watch_mutex_);
      place = watched_;
    }
    if (!place) return;
    static_cast<void>(context_.d.live->subscribe(*place, {live::run_topic(run_)}));
    look_again();  // what it asked before anybody listened
    if (answered_) stop_watching();
  }
  /// Neither the run nor the hub is told from inside of what they call.
  void stop_watching() {
    context_.d.threads.post(call_.request.shard, [self = shared_from_this()] {
      std::optional<live::Hub::Id> watched;
      {
        const std::lock_guard lock(self->watch_mutex_);
        watched = std::exchange(self->watched_, std::nullopt);
      }
      if (watched) self->context_.d.live->close(*watched);
      std::uint64_t subscription = 0;
      {
        const std::lock_guard lock(self->mutex_);
        subscription = std::exchange(self->subscription_, 0);
      }
      if (subscription != 0) self->context_.d.engine.unsubscribe(self->run_, subscription);
    });
  }
  void look_again() {
    if (answered_) return;
    static_cast<void>(context_.d.pool.try_post([self = shared_from_this()] { self->look(); }));
  }
  void look() {
    if (answered_) return;
    auto questions = questions_of(context_, call_, run_);
    if (questions.has_error()) return;  // the inbox has it
    {
      const std::lock_guard lock(watch_mutex_);
      std::erase_if(*questions, [this](const mcp::Question& question) { return !asked_.insert(question.key).second; });
    }
    if (questions->empty()) return;
    if (request_.stateless) {
      return answer(mcp::reply_text(request_, mcp::input_required(*questions, seal_state(context_, call_, wish_, run_))));
    }
    for (const auto& question : *questions) static_cast<void>(stream_->send(event_of(mcp::question_text(question))));
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
    if (becomes_task()) {
      mcp::TaskState task;
      task.id = run_.to_string();
      task.created_at = task.updated_at = to_rfc3339(context_.d.clock.now());
      return answer(mcp::reply_text(request_, mcp::task_created(task)));
    }
    answer(failed("The workflow goes on as run " + run_.to_string() + "; it has no result yet. `GET /api/runs/" + run_.to_string() +
                  "` says more."));
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
    const bool abandoned = !answered_.exchange(true) && request_.stateless;
    bool accepted = false;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      abandoned_ = abandoned;
      accepted = accepted_;
    }
    stop_watching();
    if (abandoned && accepted) cancel();  // else `started` does: a run that is not there yet cannot be cancelled
  }
  void cancel() {
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
  const What what_;
  RunId run_;
  bool dry_run_ = false;  // set before the run starts
  audit::Resource subject_;
  std::string description_;
  std::shared_ptr<http::EventStream> stream_;  // set before the run starts, or never
  std::atomic<bool> answered_{false};
  std::mutex mutex_;
  bool accepted_ = false;           // guarded by mutex_: the start is durable
  bool timed_out_ = false;          // guarded by mutex_
  bool closed_ = false;             // guarded by mutex_: the stream
  bool abandoned_ = false;          // guarded by mutex_: it was closed by a client that wants nothing to go on
  std::uint64_t subscription_ = 0;  // guarded by mutex_
  std::mutex watch_mutex_;
  std::optional<live::Hub::Id> watched_;  // guarded by watch_mutex_
  std::set<std::string> asked_;           // guarded by watch_mutex_
  WaitList::Token wait_ = 0;              // the connection's thread
  std::uint64_t done_ = 0;                // the run's thread
};

/// Answers one after the other, then `done` with the first problem.
void decide_all(Context& context, const std::shared_ptr<Call>& call, std::vector<std::pair<QuestionKey, json::Value>> answers,
                std::function<void(Result<void>)> done) {
  if (answers.empty()) return done({});
  auto [key, answer] = std::move(answers.back());
  answers.pop_back();
  decide_by_client(context, *call, key, answer,
                   [&context, call, answers = std::move(answers), done = std::move(done)](const Result<void>& decided) mutable {
                     // Decided meanwhile by somebody else: the run knows, and so will the client.
                     if (decided.has_error() && decided.error().code != "approval.closed") return done(decided.error());
                     const auto go_on = std::make_shared<decltype(answers)>(std::move(answers));
                     const bool taken =
                         context.d.pool.try_post([&context, call, go_on, done] { decide_all(context, call, std::move(*go_on), done); });
                     if (!taken) done(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
                   });
}

/// Of a response by key. Error `mcp.answer` where a key is of another run's question: who answers for a task decides nothing else. Blocks.
Result<std::vector<std::pair<QuestionKey, json::Value>>> read_answers(Context& context, const Call& call, const RunId& run,
                                                                      const json::Value& responses) {
  constexpr std::size_t kMost = 100;
  std::vector<std::pair<QuestionKey, json::Value>> answers;
  if (!responses.is_object()) return answers;
  for (const auto& response : responses.members()) {
    auto key = QuestionKey::parse(response.name());
    if (!key) continue;  // of something else: the protocol says to ignore it
    answers.emplace_back(std::move(*key), response.value);
    if (answers.size() > kMost) return Error(ErrorClass::invalid, "mcp.answer", "There are too many answers.");
  }
  if (answers.empty()) return answers;
  PAWL_TRY(who, decider_of(context, call));
  for (const auto& [key, answer] : answers) {
    PAWL_TRY(view, context.approvals->get(call.organization, key.approval, who));
    if (view.run != run) return Error(ErrorClass::invalid, "mcp.answer", "An answer is to a question of something else.");
  }
  return answers;
}

mcp::Fault fault_of_answer(const Error& error, const mcp::Request& request) {
  if (error.kind == ErrorClass::denied) return {mcp::Code::invalid_request, error.message, 403, {}, request.id};
  return wrong_parameters(request, error.message);
}

ToolCall::What tool_kind(bool declares_output) { return declares_output ? ToolCall::What::declared_tool : ToolCall::What::tool; }

void resume_call(Context& context, Call call, mcp::Request request, mcp::CallTool wish, ToolCall::What what) {
  const auto run = open_state(context, call, wish);
  if (!run) return call.reply(mcp_response(wrong_parameters(request, "`requestState` was not given to you for this call, or is too old.")));
  auto answers = read_answers(context, call, *run, wish.responses);
  if (answers.has_error()) return call.reply(mcp_response(wrong_parameters(request, answers.error().message)));
  const auto shared = std::make_shared<Call>(std::move(call));
  decide_all(context, shared, std::move(*answers),
             [&context, shared, request = std::move(request), wish = std::move(wish), run = *run, what](const Result<void>& decided) {
               if (decided.has_error()) return shared->reply(mcp_response(fault_of_answer(decided.error(), request)));
               std::make_shared<ToolCall>(context, std::move(*shared), request, wish, what)->resume(run);
             });
}

/// A call that never began is in the trail as well: somebody wanted it.
void call_function(Context& context, Call call, mcp::Request request, mcp::CallTool wish, const std::string& name) {
  const auto refused = [&](json::Value why) {
    record(context, call, "mcp.callTool", {"function", name}, {}, false,
           json::Value::object({{"tool", wish.name}, {"error", std::move(why)}}));
  };
  if (!may_call_functions(call)) {
    const auto error = forbidden(Permission::write);
    refused(error.code);
    return call.reply(mcp_response({mcp::Code::invalid_request, error.message, 403, {}, request.id}));
  }
  const auto what = tool_kind(declares_output(context, name));
  if (!wish.state.empty()) return resume_call(context, std::move(call), std::move(request), std::move(wish), what);
  const auto made = function_call(context, call.organization, name, wish.arguments);
  if (made.has_error()) {
    const auto& error = made.error();
    refused(error.code);
    if (error.kind != ErrorClass::unprocessable) return call.reply(mcp_response(fault_of(error, request)));
    // The model may try again with better ones.
    auto why = error.message;
    for (const auto& finding : error.findings) why += "\n" + finding.pointer + ": " + finding.message;
    return call.reply(mcp_response(200, mcp::reply_text(request, mcp::call_result(request, {{}, std::move(why), {}}))));
  }
  const auto started = std::make_shared<ToolCall>(context, std::move(call), std::move(request), std::move(wish), what);
  started->start(made->document, json::Value::object(), {"function", name}, made->dry_run);
}

mcp::Fault no_task(const mcp::Request& request) { return wrong_parameters(request, "There is no task of this id."); }

}  // namespace

void call_tool(Context& context, Call call, mcp::Request request, mcp::CallTool wish) {
  if (const auto function = function_of_tool(context, wish.name)) {
    return call_function(context, std::move(call), std::move(request), std::move(wish), *function);
  }
  auto workflow = workflow_of_name(context, call.organization, wish.name);
  if (workflow.has_value() && is_prompt(*(*workflow)->plan)) {
    workflow = unknown_tool();
  }
  if (workflow.has_error()) return call.reply(mcp_response(fault_of(workflow.error(), request)));
  const auto what = tool_kind(!output_schema_of(*(*workflow)->plan).is_null());
  if (!wish.state.empty()) return resume_call(context, std::move(call), std::move(request), std::move(wish), what);
  auto input = wish.arguments;
  const auto started = std::make_shared<ToolCall>(context, std::move(call), std::move(request), std::move(wish), what);
  started->start(*workflow, std::move(input), {"workflow", (*workflow)->id.to_string()});
}

void run_prompt(Context& context, Call call, mcp::Request request, mcp::GetPrompt wish) {
  auto workflow = workflow_of_name(context, call.organization, wish.name);
  if (workflow.has_error() || !is_prompt(*(*workflow)->plan)) {
    if (workflow.has_error() && workflow.error().kind != ErrorClass::not_found) {
      return call.reply(mcp_response(fault_of(workflow.error(), request)));
    }
    return call.reply(mcp_response(wrong_parameters(request, "There is no prompt of this name.")));
  }
  // All arguments are texts: what the workflow takes as something else is read as JSON.
  mcp::CallTool run{wish.name, std::move(wish.arguments), {}};
  const auto schema = input_schema_of(*(*workflow)->plan);
  auto arguments = json::Value::object();
  for (const auto& argument : run.arguments.members()) {
    const auto& type = schema.get("properties").get(argument.name()).get("type");
    const bool is_text = type.is_null() || type == json::Value("string");
    auto value = argument.value;
    if (!is_text) {
      if (auto parsed = json::parse(value.as_string()); parsed.has_value()) value = std::move(*parsed);
    }
    arguments.set(argument.name(), std::move(value));
  }
  run.arguments = std::move(arguments);
  auto input = run.arguments;
  if (const auto& required = schema.get("required"); required.is_array()) {
    for (const auto& name : required.items()) {
      if (name.is_string() && run.arguments.find(name.as_string()) == nullptr) {
        return call.reply(mcp_response(wrong_parameters(request, "The argument `" + std::string(name.as_string()) + "` is missing.")));
      }
    }
  }
  const auto started = std::make_shared<ToolCall>(context, std::move(call), std::move(request), std::move(run), ToolCall::What::prompt);
  started->start(*workflow, std::move(input), {"workflow", (*workflow)->id.to_string()});
}

/// The result of a task's run, as its tool would have told it. Blocks: on the pool.
mcp::Outcome outcome_of_task(Context& context, const engine::RunView& run) {
  if (is_planned_call(run)) {
    auto outcome = planned_outcome(run);
    outcome.declared = true;
    return outcome;
  }
  auto outcome = outcome_of(run);
  if (run.phase != engine::Phase::completed) return outcome;
  if (const auto& function = run.trigger.get("plugin"); function.is_string()) {
    outcome.declared = declares_output(context, std::string(function.as_string()));
  } else if (const auto workflow = context.d.catalog.executable(run.organization, run.workflow, run.version); workflow.has_value()) {
    outcome.declared = !output_schema_of(*(*workflow)->plan).is_null();
  }
  return outcome;
}

void get_task(Context& context, Call call, mcp::Request request, const std::string& task) {
  const auto run = RunId::parse(task);
  if (!run) return call.reply(mcp_response(no_task(request)));
  const auto organization = call.organization;
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(organization, *run, false, [&context, shared, request = std::move(request)](Result<engine::RunView> view) {
    if (view.has_error()) return shared->reply(mcp_response(fault_of(view.error(), request)));
    const bool is_told_by_tasks = is_planned_call(*view);
    const auto clean = std::make_shared<engine::RunView>(shown(context, std::move(*view)));
    const auto tell = [&context, shared, request, clean] {
      auto state = task_of(context, *clean);
      std::vector<mcp::Question> questions;
      if (request.elicits && state.status == mcp::TaskStatus::working) {
        if (auto found = questions_of(context, *shared, clean->id); found.has_value()) questions = std::move(*found);
        if (!questions.empty()) state.status = mcp::TaskStatus::input_required;
      }
      shared->reply(
          mcp_response(200, mcp::reply_text(request, mcp::task_result(request, state, outcome_of_task(context, *clean), questions))));
    };
    if (is_told_by_tasks) {
      return context.d.engine.view(clean->organization, clean->id, true,
                                   [&context, shared, request, clean, tell](Result<engine::RunView> whole) {
                                     if (whole.has_error()) return shared->reply(mcp_response(fault_of(whole.error(), request)));
                                     *clean = shown(context, std::move(*whole));
                                     if (!context.d.pool.try_post(tell))
                                       shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
                                   });
    }
    // The inbox is read where that may take its time.
    if (!context.d.pool.try_post(tell)) shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
  });
}

void cancel_task(Context& context, Call call, mcp::Request request, const std::string& task) {
  const auto run = RunId::parse(task);
  if (!run) return call.reply(mcp_response(no_task(request)));
  const auto organization = call.organization;
  const auto shared = std::make_shared<Call>(std::move(call));
  const auto told = [&context, shared, run = *run, request = std::move(request)](const Result<void>& done) {
    record(context, *shared, "mcp.cancelTask", {"run", run.to_string()}, run, !done.has_error(), {});
    // Asked twice, or too late: that is an acknowledgement as well, as the extension has it, which knows no other refusal than that of a
    // task that is not there. What became of it says the task's status.
    if (done.has_error() && done.error().kind != ErrorClass::conflict) {
      return shared->reply(mcp_response(fault_of(done.error(), request)));
    }
    shared->reply(mcp_response(200, mcp::reply_text(request, mcp::empty_result(request))));
  };
  context.d.engine.cancel(organization, *run, "The client of the task cancelled it.", told);
}

void update_task(Context& context, Call call, mcp::Request request, mcp::UpdateTask wish) {
  const auto run = RunId::parse(wish.task);
  if (!run) return call.reply(mcp_response(no_task(request)));
  auto answers = read_answers(context, call, *run, wish.responses);
  if (answers.has_error()) return call.reply(mcp_response(wrong_parameters(request, answers.error().message)));
  const auto shared = std::make_shared<Call>(std::move(call));
  decide_all(context, shared, std::move(*answers), [shared, request = std::move(request)](const Result<void>& decided) {
    if (decided.has_error()) return shared->reply(mcp_response(fault_of_answer(decided.error(), request)));
    shared->reply(mcp_response(200, mcp::reply_text(request, mcp::empty_result(request))));
  });
}

}  // namespace pawl::api::detail
