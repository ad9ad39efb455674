// Effects: when they may start, how they end, and the two that the engine runs itself (`emit`, `run.workflow`).
#include <sodium.h>

#include <algorithm>
#include <exception>

#include "base/assert.hpp"
#include "engine/approval.hpp"
#include "engine/detail/run.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

constexpr std::string_view kEmit = "emit";
constexpr std::string_view kRunWorkflow = "run.workflow";
// Why a function that destroys has told its plan and done nothing.
constexpr std::string_view kNotAllowed = "a destructive function acts only with `allow_destructive: true`; it told its plan";
constexpr std::string_view kNotPermitted =
    "a destructive function acts only where the role of who started the run permits it (`destroy_role` of the organization); it told its "
    "plan";

constexpr std::string_view kWorkflow = "workflow";

/// Run by the engine itself.
bool is_internal(std::string_view function) { return function == kEmit || function == kRunWorkflow; }

Outcome failed(std::string_view kind, int status, std::string_view title, std::string_view detail) {
  return Outcome::failure(make_error(kind, status, title, detail));
}

/// Whether the machine goes on without the call's answer.
bool unawaited(const dsl::Plan& plan, const StartEffect& action) {
  const auto* call = std::get_if<dsl::CallTask>(&plan.task(action.step.task).body);
  return call != nullptr && !call->await;
}

/// Whether its task says what to do where nobody knows how the call ended.
bool has_policy(const dsl::Plan& plan, const StartEffect& action) {
  const auto* call = std::get_if<dsl::CallTask>(&plan.task(action.step.task).body);
  return call != nullptr && call->on_unknown != nullptr;
}

/// The id of a child follows from the parent and the step, so that a step starts its child once, whatever happens. It keeps the time and
/// the shard of the parent.
RunId child_id(const RunId& parent, const StepKey& step) {
  const auto key = idempotency_key(parent, step);
  std::array<unsigned char, 16> digest{};
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), nullptr, 0);
  RunId child = parent;
  auto& bytes = child.uuid.bytes;
  bytes[6] = static_cast<std::uint8_t>(0x70U | (digest[6] & 0x0fU));
  bytes[7] = digest[7];
  std::copy(digest.begin() + 9, digest.end(), bytes.begin() + 9);
  return child;
}

/// What a step of `run: workflow` says about the workflow.
const json::Value& wish_of(const StartEffect& action) {
  const auto& workflow = action.arguments.get(kWorkflow);
  return workflow.is_object() ? workflow : action.arguments;
}

/// Runs that wait for one another in a chain: a circle would otherwise go on until there is no room for the runs of anybody.
constexpr std::int64_t kMostNested = 32;

/// How many runs are above it. The first child does not say so.
std::int64_t depth_of(const json::Value& trigger) {
  if (trigger.get("type") != json::Value("workflow")) return 0;
  const auto& depth = trigger.get("depth");
  return depth.is_integer() ? depth.as_integer() : 1;
}

/// What a message or a child workflow would be, instead of sending or starting it.
Outcome plan_of(const StartEffect& action) {
  return Outcome::planned(json::Value::array({json::Value::object({{"action", action.function}, {"arguments", action.arguments}})}));
}

}  // namespace

Invocation Shard::invocation_of(const Run& run, const Effect& effect) const {
  const auto& action = effect.action;
  Invocation call;
  call.run = run.identity.id;
  call.organization = run.identity.organization;
  call.step = action.step;
  call.reference = step_reference(run.machine->plan(), action.step.task, action.step.iteration);
  call.effect = effect.effect_class;
  if (effect.effect_class >= EffectClass::idempotent) call.idempotency_key = idempotency_key(run.identity.id, action.step);
  // What an agent tells a model, and what is kept for other runs: no secret of the run, however it got there. A key is read as it is
  // written.
  const auto& task = run.machine->plan().task(action.step.task);
  const auto* step = std::get_if<dsl::CallTask>(&task.body);
  const bool is_turn = step != nullptr && step->of_agent && action.function == "llm";
  const bool is_memory = action.function == "memory-read" || action.function == "memory-write";
  call.arguments = is_turn || is_memory ? run.shown(action.arguments) : action.arguments;
  call.input = action.input;
  // A model is given them to refuse what holds one; within a function of a catalog they cannot be named, but may have been passed to it.
  const bool sees_them = task.sees_secrets || action.function == "llm";
  call.secrets = sees_them ? run.machine->info().secrets : json::Value::object();
  call.dry_run = effect.plan_only;
  call.may_destroy = may_destroy(run.trigger);
  call.restarted = effect.restarted;
  call.now = world_.clock.now();
  return call;
}

void Shard::begin_effect(Run& run, StartEffect action, bool restarted) {
  const auto id = action.effect;
  auto& effect = run.effects[id];
  effect.action = std::move(action);
  effect.restarted = restarted;
  effect.wanted_at = world_.clock.now();
  const auto& name = effect.action.function;
  const bool internal = is_internal(name);
  const Function* const function = internal ? nullptr : world_.functions.get(name);
  if (function == nullptr && !internal) {
    effect.refused = true;
    return answer(run, id,
                  failed("configuration", 501, "Function not available", "the function '" + name + "' is not available in this build"));
  }
  try {
    const auto own_class = internal ? EffectClass::idempotent : function->effect_class(effect.action.arguments);
    if (own_class > EffectClass::read && run.machine->is_probe(id)) {
      effect.refused = true;
      return answer(run, id,
                    failed("configuration", 403, "A probe only reads",
                           "with these arguments '" + name + "' may change something outside, and a probe may not"));
    }
    effect.effect_class = effect.action.declared.value_or(own_class);
    if (!run.identity.dry_run && !internal && function->destroys(effect.action.arguments)) {
      const bool is_allowed = effect.action.arguments.get("allow_destructive").truthy();
      effect.reason = !is_allowed ? kNotAllowed : !may_destroy(run.trigger) ? kNotPermitted : std::string_view();
    }
    effect.refused = !effect.reason.empty();
    effect.plan_only = run.identity.dry_run || effect.refused;
    if (effect.plan_only && internal) return answer(run, id, plan_of(effect.action));
    if (effect.plan_only) effect.effect_class = EffectClass::read;
  } catch (const std::exception& error) {
    return answer(run, id, failed("runtime", 500, "The function failed", error.what()));
  }
  if (draining_) return;  // found pending by the next process
  if (effect.effect_class <= EffectClass::read && !internal) return admit(run, id);
  if (effect.effect_class == EffectClass::once && !internal) apply(run, EffectBegun{id}, {});
  run.gated.push_back(id);
}

/// What the effect follows from is durable (or the effect only reads).
void Shard::admit(Run& run, EffectId id) {
  const auto found = run.effects.find(id);
  if (found == run.effects.end() || draining_) return;  // cancelled meanwhile, or not to be started any more
  // Children and messages take no place: a parent that held one would keep its own child from getting one.
  if (!is_internal(found->second.action.function) && counters_.effects_in_flight >= options_.max_effects_in_flight) {
    found->second.state = Effect::State::queued;
    waiting_effects_.push(run.priority, run.identity.organization, {run.identity.id, id});
    return;
  }
  launch(run, id);
}

void Shard::launch_waiting() {
  while (!waiting_effects_.empty() && counters_.effects_in_flight < options_.max_effects_in_flight && !draining_) {
    const auto next = waiting_effects_.pop();
    const auto run = runs_.find(next.run);
    if (run == runs_.end()) continue;
    const auto effect = run->second->effects.find(next.effect);
    if (effect != run->second->effects.end() && effect->second.state == Effect::State::queued) launch(*run->second, next.effect);
  }
}

void Shard::launch(Run& run, EffectId id) {
  auto& effect = run.effects.at(id);
  effect.state = Effect::State::running;
  if (!is_internal(effect.action.function)) ++counters_.effects_in_flight;
  if (effect.action.function == kRunWorkflow) return launch_child(run, effect);
  const bool waits = !unawaited(run.machine->plan(), effect.action);
  if (effect.action.function == kEmit) {
    launch_emit(run, effect);
  } else {
    launch_function(run, effect);
  }
  // Nobody waits for the answer: the step is over once the call has started.
  if (!waits && run.effects.contains(id)) answer(run, id, Outcome::success({}));
}

void Shard::launch_function(Run& run, Effect& effect) {
  const auto id = effect.action.effect;
  Cancel cancel;
  std::optional<Outcome> outcome;
  try {
    outcome = world_.host.start_function(*world_.functions.get(effect.action.function), invocation_of(run, effect), id, cancel);
  } catch (const std::exception& error) {
    outcome = failed("runtime", 500, "The function failed", error.what());
  }
  if (outcome) return answer(run, id, std::move(*outcome));
  effect.cancel = std::move(cancel);
}

void Shard::launch_emit(Run& run, Effect& effect) {
  auto event = run.shown(effect.action.arguments);
  world_.host.publish(
      run.identity.organization, event, [this, run_id = run.identity.id, id = effect.action.effect, event](Result<void> result) {
        effect_ended(run_id, id,
                     result.has_error() ? failed("communication", 500, "The event was not published", result.error().message)
                                        : Outcome::success(event));
      });
}

// ---- answers ------------------------------------------------------------------------------------------------------------------

void Shard::effect_ended(const RunId& run_id, EffectId id, Outcome outcome) {
  const auto run = runs_.find(run_id);
  if (run == runs_.end() || !run->second->effects.contains(id)) return;  // cancelled: nobody waits any more
  answer(*run->second, id, std::move(outcome));
  launch_waiting();
}

void Shard::answer(Run& run, EffectId id, Outcome outcome) {
  using End = EffectReport::End;
  if (const auto found = run.effects.find(id); found != run.effects.end()) {
    const auto& effect = found->second;
    const auto end = effect.refused ? End::refused : !outcome.ok() ? End::failure : effect.plan_only ? End::planned : End::success;
    report(run, effect, end, outcome.error);
    if (outcome.ok() && !effect.reason.empty() && outcome.output.is_object()) outcome.output.set("reason", effect.reason);
  }
  forget_effect(run, id);
  if (outcome.ok()) {
    input(run, EffectSucceeded{id, std::move(outcome.output), std::move(outcome.logs)});
  } else {
    input(run, EffectFailed{id, std::move(outcome.error), std::move(outcome.logs)});
  }
}

void Shard::report(const Run& run, const Effect& effect, EffectReport::End end, const json::Value& error) {
  if (world_.effects == nullptr) return;
  const auto& action = effect.action;
  const auto& plan = run.machine->plan();
  const auto* const called = world_.functions.get(action.function);
  world_.effects->ended({.run = run.identity,
                         .trigger = run.trigger,
                         .secrets = run.machine->info().secrets,
                         .reference = step_reference(plan, action.step.task, action.step.iteration),
                         .attempt = action.step.attempt,
                         .function = action.function,
                         .info = called == nullptr ? nullptr : &called->info(),
                         .arguments = action.arguments,
                         .end = end,
                         .error = error,
                         .reason = effect.reason,
                         .awaited = !unawaited(plan, action),
                         .began = effect.wanted_at,
                         .ended = world_.clock.now()});
}

void Shard::forget_effect(Run& run, EffectId id) {
  const auto found = run.effects.find(id);
  if (found == run.effects.end()) return;
  if (found->second.state == Effect::State::running && !is_internal(found->second.action.function)) --counters_.effects_in_flight;
  run.effects.erase(found);
}

void Shard::cancel_effect(Run& run, EffectId id) {
  const auto found = run.effects.find(id);
  if (found == run.effects.end()) return;
  if (found->second.state == Effect::State::running) report(run, found->second, EffectReport::End::cancelled, {});
  const auto cancel = std::move(found->second.cancel);
  const auto child = found->second.child;
  forget_effect(run, id);
  if (cancel) cancel();
  if (!child) return;
  const CancelRequested request{"the run that started it does not wait for it any more", false};
  this->cancel(run.identity.organization, *child, request, [](Result<void>) {});
  launch_waiting();
}

/// After recovery. Everything that is journaled is durable already, so what only waited for that goes on with the next turn.
void Shard::restart_effects(Run& run) {
  run.advancing = true;  // answers wait: the first of them may cancel effects that this loop has still to set up
  for (auto& action : run.machine->pending_effects()) {
    const auto id = action.effect;
    if (run.machine->has_begun(id)) {
      const bool goes_on = has_policy(run.machine->plan(), action);
      Effect lost;
      lost.action = std::move(action);
      lost.wanted_at = run.last_event;
      const auto error = unknown_outcome();
      report(run, lost, EffectReport::End::failure, error);
      if (goes_on) {
        input(run, EffectInterrupted{id});
      } else {
        input(run, EffectFailed{id, unknown_outcome(), {}});
      }
    } else {
      begin_effect(run, std::move(action), true);
    }
  }
  run.advancing = false;
  if (!run.inbox.empty()) advance(run);
}

// ---- run: workflow --------------------------------------------------------------------------------------------------------------

void Shard::launch_child(Run& run, Effect& effect) {
  const auto id = effect.action.effect;
  const auto child = child_id(run.identity.id, effect.action.step);
  effect.child = child;
  if (!effect.restarted) return ask_for_child(run, effect);
  // It may be in memory, in storage, finished, or never have been started.
  if (const auto found = runs_.find(child); found != runs_.end()) return has_child(run, effect, *found->second);
  want(child, [this, parent = run.identity.id, id, child](Result<StoredRun>& stored) { attach_child(parent, id, child, stored); });
}

void Shard::attach_child(const RunId& parent_id, EffectId id, const RunId& child, Result<StoredRun>& stored) {
  const auto parent = runs_.find(parent_id);
  if (parent == runs_.end()) return;
  auto& run = *parent->second;
  const auto effect = run.effects.find(id);
  if (effect == run.effects.end()) return;
  if (const auto found = runs_.find(child); found != runs_.end()) {
    has_child(run, effect->second, *found->second);
  } else if (stored.has_error()) {
    answer(run, id, failed("runtime", 500, "The workflow cannot be found again", stored.error().message));
  } else if (const auto* finished = std::get_if<FinishedRun>(&stored.value()); finished != nullptr) {
    const auto& result = finished->history.result;
    const bool waits = !unawaited(run.machine->plan(), effect->second.action);
    answer(run, id,
           !waits                                ? Outcome::success({})
           : finished->phase == Phase::completed ? Outcome::success(result)
                                                 : Outcome::failure(result));
  } else {
    ask_for_child(run, effect->second);
  }
}

void Shard::ask_for_child(const Run& run, const Effect& effect) {
  const auto& wish = wish_of(effect.action);
  const auto text = [&wish](std::string_view key) {
    return wish.get(key).is_string() ? std::string(wish.get(key).as_string()) : std::string();
  };
  // Nobody looks at what an unattended run calls: who may save a workflow of that name would have the right of the caller's author.
  world_.host.resolve({.run = run.identity.id,
                       .effect = effect.action.effect,
                       .organization = run.identity.organization,
                       .namespace_name = text("namespace"),
                       .name = text("name"),
                       .version = text("version"),
                       .asks_author = is_unattended(run.trigger) && may_destroy(run.trigger)});
}

Result<Callee> find_callee(PlanSource& plans, const WorkflowCall& call) {
  PAWL_TRY(workflow, plans.find(call.organization, call.namespace_name, call.name, call.version));
  const bool may = !call.asks_author || plans.author_may_destroy(call.organization, workflow.workflow, workflow.version);
  return Callee{std::move(workflow), may};
}

void Shard::resolved(const RunId& run_id, EffectId id, Result<Callee> callee) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end() || draining_) return;  // found pending by the next process
  auto& run = *found->second;
  const auto effect = run.effects.find(id);
  if (effect == run.effects.end()) return;  // cancelled meanwhile
  if (callee.has_value()) return start_child(run, effect->second, std::move(callee).value());
  const auto& error = callee.error();
  answer(run, id,
         error.kind == ErrorClass::unavailable ? failed("runtime", 503, "The workflow was not started", error.message)
                                               : failed("configuration", 404, "Workflow not found", error.message));
}

void Shard::start_child(Run& run, Effect& effect, Callee callee) {
  const auto id = effect.action.effect;
  const auto child = *effect.child;
  const auto depth = depth_of(run.trigger) + 1;
  if (depth > kMostNested) {
    return answer(run, id,
                  failed("runtime", 508, "Workflows nested too deeply",
                         "More than " + std::to_string(kMostNested) +
                             " runs have started one another: a workflow that runs itself, "
                             "or an agent that has its own workflow as a tool, would never end."));
  }
  StartRequest request;
  request.plan = std::move(callee.workflow.plan);
  request.organization = run.identity.organization;
  request.workflow = callee.workflow.workflow;
  request.version = callee.workflow.version;
  request.input = run.shown(wish_of(effect.action).get("input"));  // a secret stays with the run whose workflow names it
  const auto& step = effect.action.step;
  request.trigger = json::Value::object({{"type", "workflow"},
                                         {"run", run.identity.id.to_string()},
                                         {"task", step_reference(run.machine->plan(), step.task, step.iteration)}});
  if (depth > 1) request.trigger.set("depth", depth);
  set_starters(request.trigger, run.trigger, run.trigger);  // who started the parent started the child, too
  if (!callee.may_destroy) set_right_of_author(request.trigger, false);
  request.durability = run.durability;
  request.child = true;
  request.priority = run.priority;
  std::optional<Error> refused;
  start(child, std::move(request),
        [&refused](Result<RunId> started) {
          if (started.has_error()) refused = started.error();
        },
        {});
  if (refused) return answer(run, id, failed("runtime", http_status(refused->kind), "The workflow was not started", refused->message));
  const auto started = runs_.find(child);
  PAWL_ASSERT(started != runs_.end(), "a run that was started is in memory until its end is durable");
  started->second->started.clear();  // refusal comes at once; nobody waits for the start itself
  has_child(run, effect, *started->second);
}

/// Its end is the step's, unless nobody waits for it: then the step is over once the child has begun.
void Shard::has_child(Run& run, Effect& effect, Run& child) {
  const auto id = effect.action.effect;
  if (unawaited(run.machine->plan(), effect.action)) return answer(run, id, Outcome::success({}));
  child.parents.push_back({run.identity.id, id});
}

}  // namespace pawl::engine
