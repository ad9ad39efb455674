#include "api/routes/a2a_tasks.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "api/detail/execution.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/shown.hpp"
#include "crypto/encoding.hpp"
#include "json/write.hpp"

namespace pawl::api::detail::a2a {

using json::Value;

namespace {

constexpr std::size_t kTasksPerPage = 50;
constexpr std::int64_t kMostTasksPerPage = 100;
constexpr std::size_t kMostTasksWithOutput = 20;  // each may be 32 MiB
constexpr std::uint32_t kMostRunsLookedAt = 200;  // for one page of tasks

Value part_of(const Value& value) {
  if (value.is_string()) return Value::object({{"text", value}, {"mediaType", "text/plain"}});
  return Value::object({{"data", value}, {"mediaType", "application/json"}});
}

}  // namespace

std::string reply_text(const Value& id, Value result) {
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}}));
}
std::string fault_text(const Value& id, Code code, std::string message, Value data) {
  auto error = Value::object({{"code", static_cast<std::int64_t>(code)}, {"message", std::move(message)}});
  if (!data.is_null()) error.set("data", std::move(data));
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}}));
}
void refuse(Call& call, const Value& id, Code code, std::string message, Value data) {
  call.reply(200, fault_text(id, code, std::move(message), std::move(data)));
}

std::string text_in(const Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

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

Value status_of(const Context& context, const engine::RunView& view) {
  auto status =
      Value::object({{"state", Value(state_of(view.phase))}, {"timestamp", to_rfc3339(view.ended_at.value_or(context.d.clock.now()))}});
  const bool is_over = engine::is_final(view.phase);
  // Whoever has cancelled it is told why it works still.
  const auto why = is_over ? outcome_of(view).failure : std::string(ending_of(view));
  if (view.phase == engine::Phase::completed || why.empty()) return status;
  status.set("message", Value::object({{"messageId", view.id.to_string() + (is_over ? "-end" : "-ending")},
                                       {"taskId", view.id.to_string()},
                                       {"contextId", context_of(view)},
                                       {"role", "ROLE_AGENT"},
                                       {"parts", Value::array({part_of(Value(why))})}}));
  return status;
}

Value artifact_of(const engine::RunView& view) {
  return Value::object({{"artifactId", "output"}, {"name", "output"}, {"parts", Value::array({part_of(view.output)})}});
}

Value task_of(const Context& context, const engine::RunView& view, bool with_output) {
  auto task = Value::object({{"id", view.id.to_string()}, {"contextId", context_of(view)}, {"status", status_of(context, view)}});
  if (with_output && view.phase == engine::Phase::completed) task.set("artifacts", Value::array({artifact_of(view)}));
  task.set("metadata", Value::object({{"io.pawl/runId", view.id.to_string()}, {"io.pawl/workflow", view.workflow_name}}));
  return task;
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

// ---- lists ----------------------------------------------------------------------------------------------------------------------

namespace {

struct ListWish {
  engine::RunFilter filter;
  std::string conversation;        ///< empty: all
  std::optional<TimePoint> after;  ///< of the state
  std::size_t page = kTasksPerPage;
  bool is_empty = false;  ///< nothing can be in it
  bool with_output = false;
};

/// Nothing: no run is ever in this state.
std::optional<std::vector<engine::Phase>> phases_in(std::string_view state) {
  std::vector<engine::Phase> phases;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(engine::Phase::completed); ++i) {
    if (state_of(static_cast<engine::Phase>(i)) == state) phases.push_back(static_cast<engine::Phase>(i));
  }
  return phases.empty() ? std::nullopt : std::optional(std::move(phases));
}

Result<ListWish> read_list(const OrganizationId& organization, const Value& params) {
  const auto wrong = [](std::string text) { return Error(ErrorClass::invalid, "a2a.list", std::move(text)); };
  ListWish wish;
  wish.filter.organization = organization;
  wish.filter.limit = kMostRunsLookedAt;
  wish.conversation = text_in(params, "contextId");
  wish.with_output = params.get("includeArtifacts") == Value(true);
  if (const auto state = text_in(params, "status"); !state.empty() && state != "TASK_STATE_UNSPECIFIED") {
    if (!state.starts_with("TASK_STATE_")) return wrong("`status` is not a state of tasks.");
    auto phases = phases_in(state);
    wish.is_empty = !phases;
    if (phases) wish.filter.phases = std::move(*phases);
  }
  if (const auto& size = params.get("pageSize"); !size.is_null()) {
    if (!size.is_integer() || size.as_integer() < 1 || size.as_integer() > kMostTasksPerPage) return wrong("`pageSize` is 1 to 100.");
    wish.page = static_cast<std::size_t>(size.as_integer());
  }
  if (wish.with_output) {
    wish.page = std::min(wish.page, kMostTasksWithOutput);
    wish.filter.limit = static_cast<std::uint32_t>(wish.page);
  }
  if (const auto token = text_in(params, "pageToken"); !token.empty()) {
    wish.filter.before = RunId::parse(token);
    if (!wish.filter.before) return wrong("`pageToken` is not of this list.");
  }
  if (const auto after = text_in(params, "statusTimestampAfter"); !after.empty()) {
    wish.after = parse_rfc3339(after);
    if (!wish.after) return wrong("`statusTimestampAfter` is not a time.");
  }
  return wish;
}

/// One page: of the next runs those that are tasks. Each is read for what only its beginning says; whichever comes last answers.
class TaskList : public std::enable_shared_from_this<TaskList> {
 public:
  TaskList(Context& context, Call call, Value id, ListWish wish, engine::RunPage page)
      : context_(context), call_(std::move(call)), id_(std::move(id)), wish_(std::move(wish)), page_(std::move(page)) {}

  void read() {
    seen_.resize(page_.runs.size());
    left_ = page_.runs.size() + 1;
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      context_.d.engine.view(call_.organization, page_.runs[i].id, false, [self = shared_from_this(), i](Result<engine::RunView> view) {
        if (view.has_value() && self->is_wanted(*view)) self->seen_[i] = self->needed_of(std::move(*view));
        self->one_less();
      });
    }
    one_less();
  }

 private:
  [[nodiscard]] bool is_wanted(const engine::RunView& view) const {
    if (view.trigger.get("via") != Value("a2a")) return false;
    if (!wish_.conversation.empty() && context_of(view) != wish_.conversation) return false;
    return !wish_.after || view.ended_at.value_or(context_.d.clock.now()) > *wish_.after;
  }
  /// All of them lie in memory until the last has come.
  [[nodiscard]] engine::RunView needed_of(engine::RunView view) const {
    view.input = {};
    if (!wish_.with_output) view.output = {};
    return view;
  }
  void one_less() {
    if (--left_ > 0) return;
    auto tasks = Value::array();
    auto next = page_.next;
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      if (!seen_[i]) continue;
      tasks.push_back(task_of(context_, shown(context_, std::move(*seen_[i])), wish_.with_output));
      if (tasks.size() < wish_.page) continue;
      if (i + 1 < seen_.size()) next = page_.runs[i].id;
      break;
    }
    const auto count = static_cast<std::int64_t>(tasks.size());
    auto result = Value::object({{"tasks", std::move(tasks)},
                                 {"nextPageToken", next ? next->to_string() : ""},
                                 {"pageSize", static_cast<std::int64_t>(wish_.page)}});
    if (!next && !wish_.filter.before) result.set("totalSize", count);
    call_.reply(200, reply_text(id_, std::move(result)));
  }

  Context& context_;
  Call call_;
  const Value id_;
  const ListWish wish_;
  const engine::RunPage page_;
  std::vector<std::optional<engine::RunView>> seen_;  // each written by one thread, read by the one that finds none left
  std::atomic<std::size_t> left_{0};
};

}  // namespace

void list_tasks(Context& context, Call call, const Value& id, const Value& params) {
  auto wish = read_list(call.organization, params);
  if (wish.has_error()) return refuse(call, id, Code::invalid_params, wish.error().message);
  engine::RunPage page;
  if (!wish->is_empty) {
    auto runs = context.d.engine.list(wish->filter);
    if (runs.has_error()) return refuse(call, id, Code::internal_error, runs.error().message);
    page = std::move(*runs);
  }
  std::make_shared<TaskList>(context, std::move(call), id, std::move(*wish), std::move(page))->read();
}

void cancel_task(Context& context, Call call, const Value& id, const RunId& run) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const auto told = [&context, shared, id, run](const Result<void>& done) {
    record(context, *shared, "a2a.cancelTask", {"run", run.to_string()}, run, !done.has_error(), {});
    if (done.has_error()) {
      if (done.error().kind == ErrorClass::conflict) return refuse(*shared, id, Code::not_cancelable, "The task has ended.");
      return refuse(*shared, id, Code::task_not_found, "There is no task of this id.");
    }
    context.d.engine.view(shared->organization, run, false, [&context, shared, id](Result<engine::RunView> view) {
      if (view.has_error()) return refuse(*shared, id, Code::task_not_found, "There is no task of this id.");
      const auto unheard = why_unheard(*view);
      if (!unheard.empty()) return refuse(*shared, id, Code::not_cancelable, std::string(unheard));
      shared->reply(200, reply_text(id, task_of(context, shown(context, std::move(*view)))));
    });
  };
  context.d.engine.cancel(shared->organization, run, "The client of the task cancelled it.", told);
}

// ---- sent twice -----------------------------------------------------------------------------------------------------------------

void claim_message(Context& context, const Call& call, std::string_view message_id, const crypto::Digest& digest, const RunId& fresh,
                   Claimed claimed) {
  const auto sender =
      crypto::hash(call.principal.user.to_string() + " " + call.principal.api_key.to_string() + " " + std::string(message_id));
  const auto key = "a2a:" + crypto::to_base64url(std::string(sender.begin(), sender.end()));
  catalog::claim_idempotency_key(context.d.database, call.organization, key, digest, fresh, context.d.clock.now(), std::move(claimed));
}

}  // namespace pawl::api::detail::a2a
