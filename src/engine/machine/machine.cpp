#include "engine/machine/machine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/machine/detail/agent_memory.hpp"
#include "engine/machine/detail/agent_rules.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine {

std::string_view to_text(Phase phase) {
  switch (phase) {
    case Phase::pending: return "pending";
    case Phase::running: return "running";
    case Phase::waiting: return "waiting";
    case Phase::suspended: return "suspended";
    case Phase::cancelled: return "cancelled";
    case Phase::faulted: return "faulted";
    case Phase::completed: return "completed";
  }
  return "unknown";
}

std::string_view to_text(TaskStatus status) {
  switch (status) {
    case TaskStatus::running: return "running";
    case TaskStatus::waiting: return "waiting";
    case TaskStatus::retrying: return "retrying";
    case TaskStatus::completed: return "completed";
    case TaskStatus::skipped: return "skipped";
    case TaskStatus::faulted: return "faulted";
    case TaskStatus::cancelled: return "cancelled";
  }
  return "unknown";
}

std::string idempotency_key(const RunId& run, const StepKey& step) {
  std::string key = run.to_string();
  key += '-';
  key += std::to_string(step.task);
  for (const auto round : step.iteration) {
    key += '.';
    key += std::to_string(round);
  }
  key += '-';
  key += std::to_string(step.attempt);
  return key;
}

std::string step_reference(const dsl::Plan& plan, dsl::TaskIndex task, std::span<const std::uint32_t> iteration) {
  const auto& step = plan.task(task);
  const auto* agent = step.parent == dsl::kNoTask ? nullptr : std::get_if<dsl::AgentTask>(&plan.task(step.parent).body);
  const bool is_turn = agent != nullptr && agent->turn == task;
  if (agent == nullptr) return step.reference;
  const std::size_t own = is_turn ? 1 : 2;
  if (iteration.size() < own) return step.reference;
  auto reference = step_reference(plan, step.parent, iteration.first(iteration.size() - own));
  reference += "/agent/turn/";
  reference += std::to_string(iteration[iteration.size() - own]);
  if (is_turn) return reference;
  if (detail::is_aside(step)) return reference + "/" + step.name;
  reference += step.type == "approval" ? "/approval/" : "/tool/";
  reference += std::to_string(iteration.back());
  return reference;
}

struct Machine::Impl {
  Impl(dsl::PlanPtr plan, RunInfo info, const MachineLimits& limits) : core(std::move(plan), std::move(info), limits) {}
  detail::Core core;
};

Machine::Machine(dsl::PlanPtr plan, RunInfo info, const MachineLimits& limits)
    : impl_(std::make_unique<Impl>(std::move(plan), std::move(info), limits)) {}
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;
Machine::~Machine() = default;

void Machine::apply(const Event& event, std::vector<Action>& actions) { static_cast<void>(impl_->core.begin(event, actions, {})); }
bool Machine::begin(const Event& event, std::vector<Action>& actions, const Pause& pause) {
  return impl_->core.begin(event, actions, pause);
}
bool Machine::go_on(std::vector<Action>& actions, const Pause& pause) { return impl_->core.go_on(actions, pause); }

const dsl::Plan& Machine::plan() const { return *impl_->core.plan; }
const RunInfo& Machine::info() const { return impl_->core.info; }
Phase Machine::phase() const { return impl_->core.phase; }
const json::Value& Machine::input() const { return impl_->core.input; }
const json::Value& Machine::output() const { return impl_->core.output; }
const json::Value& Machine::error() const { return impl_->core.error; }
TimePoint Machine::started_at() const { return impl_->core.started_at; }
std::optional<TimePoint> Machine::ended_at() const { return impl_->core.ended_at; }
std::string Machine::waiting_reason() const { return impl_->core.waiting_reason(); }
std::span<const TaskRecord> Machine::records() const { return impl_->core.records; }
std::uint64_t Machine::records_dropped() const { return impl_->core.records_dropped; }
std::vector<StartEffect> Machine::pending_effects() const { return impl_->core.pending_effects(); }
bool Machine::has_begun(EffectId effect) const { return impl_->core.has_begun(effect); }
bool Machine::is_probe(EffectId effect) const { return impl_->core.is_probe(effect); }
std::vector<RequestApproval> Machine::pending_approvals() const { return impl_->core.pending_approvals(); }
std::vector<SetTimer> Machine::pending_timers() const { return impl_->core.pending_timers(); }
std::vector<std::string> Machine::listens() const { return impl_->core.listens(); }
Result<void> Machine::check_retry(const RetryRequested& request) const { return impl_->core.check_retry(request); }
bool Machine::has_undone() const { return impl_->core.wind_up.undid; }
std::optional<Phase> Machine::ending() const {
  const auto& core = impl_->core;
  if (core.wind_up.stage == detail::WindUp::Stage::main || is_final(core.phase)) return std::nullopt;
  return core.wind_up.ending;
}
json::Value Machine::snapshot() const { return impl_->core.snapshot(); }

Result<Machine> Machine::restore(dsl::PlanPtr plan, RunInfo info, const json::Value& snapshot, const MachineLimits& limits) {
  Machine machine(std::move(plan), std::move(info), limits);
  PAWL_TRY_VOID(machine.impl_->core.restore(snapshot));
  return machine;
}

namespace detail {
namespace {

/// Exact `type` values of the filters; an empty text for one that may match any type.
void collect_types(const dsl::EventStrategy& strategy, std::vector<std::string>& types) {
  if (strategy.filters.empty()) types.emplace_back();
  for (const auto& filter : strategy.filters) {
    std::string type;
    for (const auto& [attribute, wanted] : filter.with) {
      if (attribute != "type" || !wanted.is_constant() || !wanted.constant().is_string()) continue;
      const auto text = wanted.constant().as_string();
      if (!text.starts_with('/')) type = text;
    }
    types.push_back(std::move(type));
  }
  if (strategy.until_consumed) collect_types(*strategy.until_consumed, types);
}

std::string describe(const ApprovalRequest& request) {
  auto names = request.roles;
  names.insert(names.end(), request.users.begin(), request.users.end());
  if (names.empty()) names.emplace_back("whoever may execute the workflow");
  auto text = fmt::format("approval of \"{}\" by {}", request.title, fmt::join(names, " or "));
  if (request.deadline) text += fmt::format(" until {}", to_rfc3339(*request.deadline));
  return text;
}

/// For what an agent waits that may ask nothing before others are through (agent_budget.cpp).
std::string missing_room(const Activation& agent, const Activation& outermost, bool on_money) {
  const auto settings = model_settings(agent.agent[0]);
  const auto& prices = outermost.agent[0].prices;
  if (!on_money || (prices.is_object() && !prices.get(model_named(settings)).is_null())) {
    return "room in the budget, which requests of other agents have set aside";
  }
  return fmt::format("what model \"{}\" costs, which its first answer tells: until then one agent at a time has the money of the budget",
                     text_of(settings.get("model")));
}

}  // namespace

std::vector<StartEffect> Core::pending_effects() const {
  std::vector<StartEffect> pending;
  pending.reserve(effects.size());
  for (const auto& [id, effect] : effects) pending.push_back(describe_effect(id, effect));
  return pending;
}

bool Core::has_begun(EffectId effect) const {
  const auto found = effects.find(effect);
  return found != effects.end() && found->second.begun;
}

std::vector<SetTimer> Core::pending_timers() const {
  std::vector<SetTimer> pending;
  pending.reserve(timers.size());
  for (const auto& [id, timer] : timers) pending.push_back({id, timer.due});
  return pending;
}

std::vector<std::string> Core::listens() const {
  std::vector<std::string> types;
  for (const auto id : listeners) collect_types(std::get<dsl::ListenTask>(task_of(*activations[id]).body).to, types);
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  if (!types.empty() && types.front().empty()) types.resize(1);
  return types;
}

std::string Core::waiting_reason() const {
  if (suspended) return "suspended by request";
  if (is_final(phase) || root == kNone) return {};
  std::string reason;
  const auto add = [&](std::string_view text) {
    if (!reason.empty()) reason += " or ";
    reason += text;
  };
  if (!effects.empty()) {
    const auto& act = *activations[effects.begin()->second.activation];
    const auto* call = std::get_if<dsl::CallTask>(&task_of(act).body);
    add(fmt::format("answer of {} {}", call != nullptr ? call->function : "emit", reference_of(act)));
    if (effects.size() > 1) reason += fmt::format(" and {} more", effects.size() - 1);
    std::size_t count = 0;
    std::string why;
    for (const auto& agent : activations) {
      if (agent->id == kNone || agent->agent.empty() || !agent->agent[0].waits || count++ > 0) continue;
      const auto* outermost = agent.get();
      bool on_money = false;
      for (const auto* place = outermost; place != nullptr; place = agent_above(*place)) {
        outermost = place;
        on_money = on_money || place->agent[0].cost_limit > 0;
      }
      reason += "; " + reference_of(*agent);
      why = missing_room(*agent, *outermost, on_money);
    }
    if (count > 0) reason += count > 1 ? fmt::format(" and {} more wait for {}", count - 1, why) : " waits for " + why;
    return reason;
  }
  for (const auto& type : listens()) add(type.empty() ? std::string("any event") : fmt::format("event of type {}", type));
  for (const auto& pending : pending_approvals()) add(describe(pending.request));
  const auto sooner = [](const auto& a, const auto& b) {
    const bool asks = a.second.use == TimerUse::approval;  // named with its question already
    if (asks != (b.second.use == TimerUse::approval)) return !asks;
    return a.second.due < b.second.due;
  };
  const auto nearest = std::min_element(timers.begin(), timers.end(), sooner);
  if (nearest != timers.end() && nearest->second.use != TimerUse::approval)
    add(fmt::format("timer due {}", to_rfc3339(nearest->second.due)));
  return reason;
}

}  // namespace detail
}  // namespace pawl::engine
