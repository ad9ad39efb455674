// Messages of Agent2Agent: which workflow one asks for, the run that it becomes, and the answer or stream that tells of it.
#include "api/routes/a2a_messages.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "api/detail/execution.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/subscriber.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/routes/a2a_tasks.hpp"
#include "json/write.hpp"
#include "live/hub.hpp"

namespace pawl::api::detail::a2a {
namespace {

using json::Value;

constexpr std::size_t kMostParts = 100;
constexpr std::size_t kSkillsInError = 20;

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

/// What a message asks for.
struct Sent {
  catalog::ExecutablePtr workflow;
  std::string skill;
  Value input;
  std::string id;         ///< of the message; empty: it has none
  crypto::Digest digest;  ///< of all of it
  std::string conversation;
  bool at_once = false;
};

/// One message, and the run that it has become. Callbacks come on the run's thread, the wait's on the connection's.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Context& context, Call call, Value id, bool streams)
      : context_(context), call_(std::move(call)), id_(std::move(id)), streams_(streams) {}

  /// Before anything is done: a stream takes one of the places that a user has for those. False: there is none, and it has been said.
  [[nodiscard]] bool enter() {
    if (!streams_ || context_.d.live == nullptr) return true;
    watch_ = std::make_shared<Watch>();
    const auto opened = context_.d.live->open(subscriber_of(call_), watch_);
    if (opened.has_error()) {
      call_.fail(opened.error());
      return false;
    }
    place_ = *opened;
    return true;
  }

  /// A message that has an id is one task, however often its sender sends it.
  void start(Sent sent) {
    const auto fresh = RunId::make(context_.d.clock.now(), context_.d.random);
    if (sent.id.empty()) return launch(sent, fresh);
    const auto kept = std::make_shared<Sent>(std::move(sent));
    // On the writer's thread, and started there: a second message with this id is told of the claim after this call.
    const auto claimed = [self = shared_from_this(), kept](const Result<catalog::IdempotencyClaim>& claim) {
      if (claim.has_error() && claim.error().code == "request.idempotency_conflict") {
        return self->fail(Error(ErrorClass::invalid, "a2a.message", "There was another message of this `messageId`."));
      }
      if (claim.has_error()) return self->fail(claim.error());
      if (claim->is_new) return self->launch(*kept, claim->run);
      self->repeat(kept, claim->run);
    };
    claim_message(context_, call_, kept->id, kept->digest, fresh, claimed);
  }
  void join(const RunId& run) {
    run_ = run;
    attach(false);
  }

 private:
  void launch(const Sent& sent, const RunId& run) {
    const auto& workflow = *sent.workflow;
    engine::StartRequest start;
    start.plan = workflow.plan;
    start.organization = workflow.organization;
    start.workflow = workflow.id;
    start.version = workflow.version;
    start.input = sent.input;
    start.trigger = trigger_of(context_, call_);
    start.trigger.set("via", "a2a");
    start.id = run_ = run;
    start.trigger.set(kContext, sent.conversation.empty() ? run.to_string() : sent.conversation);
    if (context_.d.secrets) start.secrets = context_.d.secrets(workflow.organization, *workflow.plan);
    const auto started = [self = shared_from_this(), id = workflow.id, skill = sent.skill,
                          at_once = sent.at_once](const Result<RunId>& result) {
      record(self->context_, self->call_, "a2a.sendMessage", {"workflow", id.to_string()},
             result.has_error() ? std::nullopt : std::optional(self->run_), !result.has_error(), Value::object({{"skill", skill}}));
      if (result.has_error()) return self->fail(result.error());
      self->attach(at_once);
    };
    context_.d.engine.start_run(std::move(start), started, {});
  }
  /// The run that the first of them began; where it never did (the process died in between, or it was refused) it begins now.
  void repeat(const std::shared_ptr<Sent>& sent, const RunId& run) {
    context_.d.engine.view(call_.organization, run, false, [self = shared_from_this(), sent, run](const Result<engine::RunView>& view) {
      if (view.has_error() && view.error().kind == ErrorClass::not_found) return self->launch(*sent, run);
      self->run_ = run;
      self->attach(sent->at_once);
    });
  }

  using Phase = engine::Phase;

  void leave() {
    if (const auto place = place_.exchange(0); place != 0) context_.d.live->close(place);
  }
  void fail(const Error& error) {
    leave();
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
        if (is_over) {
          self->leave();
          return self->stream_->close();
        }
        if (self->watch_ != nullptr) self->watch_->begin(self->stream_);
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
      stream_->on_close([self = shared_from_this(), token] {
        self->context_.d.engine.unsubscribe(self->run_, token);
        self->leave();
      });
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
  std::shared_ptr<Watch> watch_;               // as `stream_`
  std::atomic<live::Hub::Id> place_{0};        // among the caller's streams; 0: none
  std::string_view last_;                      // the run's thread
  std::atomic<bool> answered_{false};
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> token_{0};  // of the subscription
  WaitList::Token wait_ = 0;             // the connection's thread
};

/// The skill of this name; without one, the only skill that there is. Error of kind `not_found`: it is neither.
Result<NamedWorkflow> asked_workflow(Context& context, const OrganizationId& organization, const Value& name) {
  NamedWorkflow named;
  if (name.is_string()) {
    named.name = std::string(name.as_string());
  } else {
    PAWL_TRY(skills, skill_names(context, organization));
    if (skills.size() == 1) named.name = std::move(skills.front());
  }
  if (!named.name.empty()) {
    PAWL_TRY(workflow, workflow_of_name(context, organization, named.name));
    named.workflow = std::move(workflow);
    if (is_skill(*named.workflow->plan)) return named;
  }
  return Error(ErrorClass::not_found, "a2a.no_skill", "There is no such skill.");
}

/// Which skills the caller can name: a page of them, however many there are. No task of state `INPUT_REQUIRED`: a task is a run, and
/// without a skill there is none that could be asked for later.
void refuse_skill(Context& context, Call& call, const Value& id) {
  const auto skills = skill_names(context, call.organization);
  if (skills.has_error()) return refuse(call, id, Code::internal_error, skills.error().message);
  if (skills->empty()) {
    return refuse(call, id, Code::invalid_params, "This organization offers no skills: no active workflow has `document.metadata.a2a`.");
  }
  const auto named = std::min(skills->size(), kSkillsInError);
  const auto names = fmt::format("{}", fmt::join(skills->begin(), skills->begin() + static_cast<std::ptrdiff_t>(named), ", "));
  auto text = "Name a skill as `metadata.skillId` of the message: " + names;
  if (skills->size() > named) text += fmt::format(" and {} more, which `GetExtendedAgentCard` lists", skills->size() - named);
  auto details = Value::object({{"@type", "type.googleapis.com/google.rpc.ErrorInfo"},
                                {"reason", "SKILL_REQUIRED"},
                                {"domain", "pawl.io"},
                                {"metadata", Value::object({{"skills", names}, {"total", std::to_string(skills->size())}})}});
  refuse(call, id, Code::invalid_params, text + ".", Value::array({std::move(details)}));
}

}  // namespace

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
  const auto& asked =
      message.get("metadata").get("skillId").is_string() ? message.get("metadata").get("skillId") : params.get("metadata").get("skillId");
  auto workflow = asked_workflow(context, call.organization, asked);
  if (workflow.has_error() && workflow.error().kind != ErrorClass::not_found) {
    return refuse(call, id, Code::internal_error, workflow.error().message);
  }
  if (workflow.has_error()) {
    return refuse_skill(context, call, id);
  }
  Sent sent;
  sent.workflow = std::move(workflow->workflow);
  sent.skill = std::move(workflow->name);
  sent.input = std::move(*input);
  sent.id = text_in(message, "messageId");
  sent.digest = crypto::hash(sent.skill + "\n" + json::to_text(message));
  sent.conversation = text_in(message, "contextId");
  if (sent.id.size() > kLongestId || sent.conversation.size() > kLongestId) {
    return refuse(call, id, Code::invalid_params, "`messageId` and `contextId` have at most 200 bytes.");
  }
  sent.at_once = params.get("configuration").get("returnImmediately") == Value(true);
  const auto exchange = std::make_shared<Exchange>(context, std::move(call), id, streams);
  if (exchange->enter()) exchange->start(std::move(sent));
}

void follow_task(Context& context, Call call, const Value& id, const RunId& run) {
  const auto exchange = std::make_shared<Exchange>(context, std::move(call), id, true);
  if (exchange->enter()) exchange->join(run);
}

}  // namespace pawl::api::detail::a2a
