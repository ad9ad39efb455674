// One request that starts a run and perhaps waits for its end: `execute` and webhooks.
//
// A request whose plan is in memory starts on the connection's own shard without a lock that another request could hold, and its reply is
// written there when the run's end is durable.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/detail/context.hpp"
#include "api/detail/wait_list.hpp"
#include "catalog/webhook.hpp"

namespace pawl::api::detail {

inline constexpr Millis kMaxWait{60'000};
/// How long the start of a run may take to become durable, counted from the end of the client's own wait.
inline constexpr Millis kStartPatience{30'000};

/// What the client asks for.
struct Wish {
  json::Value input = json::Value::object();
  Millis wait{0};  ///< 0: answer when the run is accepted
  bool dry_run = false;
  std::optional<std::uint32_t> version;
  std::string idempotency_key;
  json::Value trigger;
  std::optional<engine::Concurrency> concurrency;  ///< else the workflow's
  std::int32_t priority = 0;
};

/// Touched by one thread at a time: first by the one that reads the request, then by the io thread of its connection.
struct Execution {
  enum class Reply : std::uint8_t { outcome, output_only };

  Context& context;
  Call call;
  Wish wish;
  Reply reply = Reply::outcome;
  bool is_unattended = false;  ///< nobody asks: the run may destroy where the author of the workflow may
  catalog::ExecutablePtr executable;
  RunId run;
  WaitList::Token wait = 0;
  std::optional<catalog::SignedDelivery> delivery{};  ///< taken once: durably, then the run starts
  bool claimed = false;                               ///< it is this request's: given back where no run comes of it
  bool accepted = false;                              ///< the start is durable
  bool timed_out = false;
  bool answered = false;

  Execution(Context& a_context, Call a_call) : context(a_context), call(std::move(a_call)) {}

  void answer_accepted(engine::Phase phase);
  /// Whether it may have to wait before it runs.
  [[nodiscard]] bool may_queue() const;
  void answer_finished(const engine::RunView& view);
  void answer_error(const Error& error);

 private:
  void stop_waiting();
};
using ExecutionPtr = std::shared_ptr<Execution>;

/// What started a run that somebody asked for, and says who: the audit records of the run's functions are theirs.
/// With `may_destroy: false` where the role of that one does not permit it.
[[nodiscard]] json::Value trigger_of(const Context& context, const Call& call);

/// Whatever is wrong with a webhook.
[[nodiscard]] Error unknown_hook();

/// Finds the plan and starts the run. On the connection's thread.
void execute(const ExecutionPtr& execution, const OrganizationId& organization, const WorkflowId& workflow);

}  // namespace pawl::api::detail
