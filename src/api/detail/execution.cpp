#include "api/detail/execution.hpp"

#include "api/detail/render.hpp"
#include "api/detail/shown.hpp"
#include "catalog/idempotency.hpp"
#include "engine/approval.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

/// The reply of a webhook that waits: the run's output alone. What went wrong inside is not the caller's business.
http::Response output_reply(const engine::RunView& view, const http::Request& request) {
  if (view.phase != engine::Phase::completed) {
    return http::problem(Error(ErrorClass::internal, "webhook.failed", "The workflow did not complete."), request);
  }
  std::string out;
  json::append_text(out, view.output);
  return http::Response::json(200, std::move(out));
}

/// Runs `job` on the connection's thread: at once where that is this thread.
template <class Job>
void on_home(const ExecutionPtr& execution, Job job) {
  auto& threads = execution->context.d.threads;
  const auto shard = execution->call.request.shard;
  if (threads.on_thread(shard)) {
    job(*execution);
  } else {
    threads.post(shard, [execution, job = std::move(job)]() mutable { job(*execution); });
  }
}

/// A run that waits for a place is `pending`: whether it does, the engine knows.
void answer_with_phase(const ExecutionPtr& execution) {
  if (!execution->may_queue()) return execution->answer_accepted(engine::Phase::running);
  execution->context.d.engine.view(execution->executable->organization, execution->run, false, [execution](Result<engine::RunView> view) {
    on_home(execution, [view = std::move(view)](Execution& e) {
      if (view.has_error()) return e.answer_error(view.error());
      e.answer_accepted(view->phase);
    });
  });
}

Error start_unknown() {
  return {ErrorClass::unavailable, "storage.outcome_unknown",
          "The database does not answer; whether the run starts shows when it does. With an idempotency key the request may be repeated."};
}

/// Answers where the start is not durable after the patience. At the server's stop all waits end early: then the start still answers.
void limit_start(const ExecutionPtr& execution) {
  auto& context = execution->context;
  auto& waits = context.waits->of(execution->call.request.shard);
  execution->wait = waits.add(kStartPatience, [execution, &waits] {
    execution->wait = 0;
    if (execution->accepted || waits.is_released()) return;
    execution->claimed = false;  // the run may come: its delivery stays taken
    execution->answer_error(start_unknown());
  });
}

/// On the connection's thread: by when the client wants an answer.
void limit_wait(const ExecutionPtr& execution) {
  const auto wait = execution->wish.wait;
  if (wait == Millis(0)) return limit_start(execution);
  execution->wait = execution->context.waits->of(execution->call.request.shard).add(wait, [execution] {
    execution->wait = 0;
    execution->timed_out = true;
    if (execution->accepted) return answer_with_phase(execution);
    limit_start(execution);
  });
}

void start(const ExecutionPtr& execution, std::optional<RunId> id) {
  auto& context = execution->context;
  const auto& executable = *execution->executable;
  engine::StartRequest request;
  request.plan = executable.plan;
  request.organization = executable.organization;
  request.workflow = executable.id;
  request.version = executable.version;
  request.input = std::move(execution->wish.input);
  request.trigger = execution->wish.trigger;
  if (context.d.secrets) request.secrets = context.d.secrets(executable.organization, *executable.plan);
  request.dry_run = execution->wish.dry_run;
  request.concurrency = execution->wish.concurrency;
  request.priority = execution->wish.priority;
  request.id = id;
  request.shard = execution->call.request.shard;
  const auto started = [execution](Result<RunId> result) {
    on_home(execution, [execution, result = std::move(result)](Execution& e) {
      if (result.has_error()) return e.answer_error(result.error());
      e.run = *result;
      e.accepted = true;
      if (e.wish.wait == Millis(0) || e.timed_out) answer_with_phase(execution);
    });
  };
  on_home(execution, [execution](Execution&) { limit_wait(execution); });
  if (execution->wish.wait == Millis(0)) {
    context.d.engine.start_run(std::move(request), started, {});
    return;
  }
  context.d.engine.start_run(std::move(request), started, [execution](const engine::RunView& view) {
    if (execution->context.d.threads.on_thread(execution->call.request.shard)) return execution->answer_finished(view);
    on_home(execution, [view](Execution& e) { e.answer_finished(view); });
  });
}

/// The key names a run already: its outcome, or that it goes on. A run that was claimed but never started (the process died in
/// between) starts now under the same id.
void answer_known(const ExecutionPtr& execution, const RunId& run) {
  execution->run = run;
  execution->context.d.engine.view(execution->executable->organization, run, false, [execution](Result<engine::RunView> view) {
    on_home(execution, [view = std::move(view), execution](Execution& e) {
      if (view.has_error() && view.error().kind == ErrorClass::not_found) return start(execution, e.run);
      if (view.has_error()) return e.answer_error(view.error());
      if (engine::is_final(view->phase)) return e.answer_finished(*view);
      e.answer_accepted(view->phase);
    });
  });
}

void claim_and_start(const ExecutionPtr& execution) {
  auto& context = execution->context;
  const auto& request = execution->call.request;
  const auto now = context.d.clock.now();
  const auto digest = crypto::hash(request.path + "\n" + request.body);
  // On the writer's thread, and not posted home first: a second request with this key is told of the claim after this call, so its view
  // comes after this start.
  const auto claimed = [execution](Result<catalog::IdempotencyClaim> claim) {
    if (claim.has_error()) {
      on_home(execution, [error = claim.error()](Execution& e) { e.answer_error(error); });
    } else if (claim->is_new) {
      start(execution, claim->run);
    } else {
      answer_known(execution, claim->run);
    }
  };
  catalog::claim_idempotency_key(context.d.database, execution->executable->organization, execution->wish.idempotency_key, digest,
                                 RunId::make(now, context.d.random), now, claimed);
}

/// A signature is good once. A delivery that was taken, but whose run never started (the process died in between), starts it now; any other
/// is one too many.
void answer_repeated(const ExecutionPtr& execution, const std::optional<RunId>& run) {
  if (!run) return on_home(execution, [](Execution& e) { e.answer_error(unknown_hook()); });
  execution->context.d.engine.view(execution->executable->organization, *run, false,
                                   [execution, run = *run](const Result<engine::RunView>& view) {
                                     if (view.has_error() && view.error().kind == ErrorClass::not_found) return start(execution, run);
                                     const auto error = view.has_error() ? view.error() : unknown_hook();
                                     on_home(execution, [error](Execution& e) { e.answer_error(error); });
                                   });
}

/// Starts on the writer's thread, for the reason above.
void take_and_start(const ExecutionPtr& execution) {
  auto& context = execution->context;
  const auto now = context.d.clock.now();
  const auto taken = [execution](Result<catalog::DeliveryClaim> claim) {
    if (claim.has_error()) return on_home(execution, [error = claim.error()](Execution& e) { e.answer_error(error); });
    if (!claim->is_new) return answer_repeated(execution, claim->run);
    execution->claimed = true;
    start(execution, claim->run);
  };
  catalog::claim_delivery(context.d.database, execution->executable->organization, *execution->delivery, RunId::make(now, context.d.random),
                          now, taken);
}

Error busy() { return {ErrorClass::unavailable, "server.busy", "The server is busy; try again."}; }

void begin_asked(const ExecutionPtr& execution) {
  if (execution->delivery) return take_and_start(execution);
  if (execution->wish.idempotency_key.empty()) return start(execution, std::nullopt);
  claim_and_start(execution);
}

/// On the connection's thread, with the plan at hand.
void begin(const ExecutionPtr& execution) {
  if (!execution->executable->active) {
    return execution->answer_error(Error(ErrorClass::conflict, "workflow.inactive", "The workflow is not active."));
  }
  if (!execution->is_unattended || !execution->executable->is_guarded) return begin_asked(execution);
  const bool taken = execution->context.d.pool.try_post([execution] {
    auto trigger = execution->context.d.catalog.with_right(*execution->executable, execution->wish.trigger);
    on_home(execution, [execution, trigger = std::move(trigger)](Execution& e) {
      e.wish.trigger = trigger;
      begin_asked(execution);
    });
  });
  if (!taken) execution->answer_error(busy());
}

}  // namespace

json::Value trigger_of(const Context& context, const Call& call) {
  const auto& principal = call.principal;
  auto trigger = context.manual_trigger;
  if (!principal.may_destroy(call.organization)) engine::set_right(trigger, json::Value::object({{"may_destroy", false}}));
  if (!principal.user.is_nil()) trigger.set("user", principal.user.to_string());
  if (!principal.api_key.is_nil()) trigger.set("api_key", principal.api_key.to_string());
  return trigger;
}

Error unknown_hook() { return {ErrorClass::not_found, "webhook.not_found", "There is no such webhook."}; }

void Execution::answer_accepted(engine::Phase phase) {
  stop_waiting();
  if (std::exchange(answered, true)) return;
  std::string out;
  append_run_status(out, run, phase);
  auto response = http::Response::json(202, std::move(out));
  if (reply == Reply::outcome) response.headers.add("Location", "/api/runs/" + run.to_string());
  call.reply(std::move(response));
}

bool Execution::may_queue() const {
  return !wish.dry_run && (wish.concurrency || executable->plan->metadata.find("concurrency") != nullptr);
}

void Execution::answer_finished(const engine::RunView& run_view) {
  stop_waiting();
  if (std::exchange(answered, true)) return;
  const auto view = shown(context, run_view);
  if (reply == Reply::output_only) return call.reply(output_reply(view, call.request));
  std::string out;
  out.reserve(512);
  append_outcome(out, view);
  call.reply(200, std::move(out));
}

void Execution::answer_error(const Error& error) {
  stop_waiting();
  if (std::exchange(answered, true)) return;
  if (claimed && !accepted) catalog::release_delivery(context.d.database, executable->organization, *delivery);
  call.fail(error);
}

void Execution::stop_waiting() {
  if (wait != 0) context.waits->of(call.request.shard).remove(std::exchange(wait, 0));
}

void execute(const ExecutionPtr& execution, const OrganizationId& organization, const WorkflowId& workflow) {
  auto& context = execution->context;
  execution->executable = context.d.catalog.cached(organization, workflow);
  const auto version = execution->wish.version;
  if (execution->executable && (!version || *version == execution->executable->version)) return begin(execution);
  const bool taken = context.d.pool.try_post([execution, organization, workflow, version] {
    auto loaded = execution->context.d.catalog.executable(organization, workflow, version);
    on_home(execution, [execution, loaded = std::move(loaded)](Execution& e) {
      if (loaded.has_error()) return e.answer_error(loaded.error());
      e.executable = *loaded;
      begin(execution);
    });
  });
  if (!taken) execution->answer_error(busy());
}

}  // namespace pawl::api::detail
