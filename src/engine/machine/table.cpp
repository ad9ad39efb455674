// The table of activations, and what they wait for: effects, timers, messages.
#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

Activation& Core::create(Kind kind, Activation* parent, std::uint32_t number) {
  ActivationId id = 0;
  if (!free_slots.empty()) {
    id = free_slots.back();
    free_slots.pop_back();
  } else {
    id = static_cast<ActivationId>(activations.size());
    activations.push_back(std::make_unique<Activation>());
  }
  auto& act = *activations[id];
  act.id = id;
  act.serial = next_serial++;
  act.kind = kind;
  act.number = number;
  if (parent != nullptr) {
    adopt(*parent, act);
    act.attempt = parent->attempt;
    act.max_attempt = parent->attempt;
    act.context_owner = parent->context_owner;
  }
  if (++live > limits.max_activations) overflow_ = true;
  return act;
}

void Core::adopt(Activation& parent, Activation& child) {
  child.parent = parent.id;
  child.next_sibling = parent.first_child;
  if (parent.first_child != kNone) activations[parent.first_child]->previous_sibling = child.id;
  parent.first_child = child.id;
}

void Core::detach(Activation& act) {
  if (act.previous_sibling != kNone) {
    activations[act.previous_sibling]->next_sibling = act.next_sibling;
  } else if (act.parent != kNone) {
    activations[act.parent]->first_child = act.next_sibling;
  }
  if (act.next_sibling != kNone) activations[act.next_sibling]->previous_sibling = act.previous_sibling;
  act.parent = act.previous_sibling = act.next_sibling = kNone;
}

void Core::release(Activation& act) {
  PAWL_ASSERT(act.first_child == kNone, "an activation goes after its children");
  if (!act.agent.empty()) {
    drop_request(act, std::nullopt);
    if (std::exchange(act.agent[0].waits, false)) let_waiting_go_on();
  }
  if (act.role == ListRole::finally) wind_up.attempt = std::max(wind_up.attempt, act.max_attempt);
  if (act.role == ListRole::undo && act.number < wind_up.finished.size()) {
    auto& undone = wind_up.finished[act.number];
    undone.attempt = std::max(undone.attempt, act.max_attempt);
  }
  // Also of what was cancelled: its attempt numbers are used up.
  if (act.parent != kNone) activations[act.parent]->max_attempt = std::max(activations[act.parent]->max_attempt, act.max_attempt);
  for (const auto list : wind_up.adrift) {
    auto& payer = activations[list]->payer;
    if (payer == act.id) payer = act.parent;
  }
  detach(act);
  const auto id = act.id;
  act = Activation{};
  free_slots.push_back(id);
  --live;
}

Activation* Core::find(const WorkItem& item) {
  auto& act = *activations[item.activation];
  return act.serial == item.serial ? &act : nullptr;
}

void Core::push(const Activation& act, WorkItem::Op op, TimerUse use, std::uint32_t number) {
  queue.push_back({act.id, act.serial, op, use, number});
}

/// Depth first without recursion: go down to a leaf, free it, go on with its next sibling or its parent. What undoes a task is not broken
/// off by the end of what is around it.
void Core::cancel_children(Activation& act) {
  while (act.first_child != kNone) {
    Activation* leaf = activations[act.first_child].get();
    while (leaf->first_child != kNone && !is_undo(*leaf)) leaf = activations[leaf->first_child].get();
    if (is_undo(*leaf)) {
      set_adrift(*leaf);
      continue;
    }
    stop_waiting(*leaf);
    if (leaf->step != Step::ended) close_record(*leaf, TaskStatus::cancelled);
    release(*leaf);
  }
}

void Core::cancel_subtree(Activation& act) {
  cancel_children(act);
  stop_waiting(act);
  if (act.step != Step::ended) close_record(act, TaskStatus::cancelled);
  release(act);
}

/// Takes back an action of this `apply` that nobody has seen yet, if it is there.
template <class Start, class Id>
static bool retract(std::vector<Action>& actions, std::size_t from, Id Start::*member, Id id) {
  for (std::size_t i = actions.size(); i > from; --i) {
    const auto* start = std::get_if<Start>(&actions[i - 1]);
    if (start == nullptr || start->*member != id) continue;
    actions.erase(actions.begin() + static_cast<std::ptrdiff_t>(i - 1));
    return true;
  }
  return false;
}

void Core::stop_waiting(Activation& act) {
  if (act.effect != 0) {
    effects.erase(act.effect);
    const bool is_new = act.effect >= first_effect_;
    if (!is_new || !retract(*actions_, first_action_, &StartEffect::effect, act.effect)) actions_->push_back(CancelEffect{act.effect});
    act.effect = 0;
  }
  cancel_timer(act.timer);
  cancel_timer(act.timeout_timer);
  for (auto& child : act.children) cancel_timer(child.timer);
  if (act.listening) stop_listening(act);
  if (!approvals.empty()) withdraw_approvals(act);
}

void Core::cancel_timer(TimerId& timer) {
  if (timer == 0) return;
  timers.erase(timer);
  const bool is_new = timer >= first_timer_;
  if (!is_new || !retract(*actions_, first_action_, &SetTimer::timer, timer)) actions_->push_back(CancelTimer{timer});
  timer = 0;
}

TimerId Core::set_timer(const Activation& act, Millis delay, TimerUse use, std::uint32_t number) {
  const TimerId timer = next_timer++;
  const TimePoint due = now + delay;
  timers.emplace_hint(timers.end(), timer, PendingTimer{act.id, use, number, due});
  actions_->push_back(SetTimer{timer, due});
  return timer;
}

void Core::start_effect(Activation& act, json::Value arguments, bool is_probe) {
  act.effect = next_effect++;
  const auto [place, inserted] = effects.emplace(act.effect, PendingEffect{act.id, false, is_probe, std::move(arguments)});
  PAWL_ASSERT(inserted, "effect numbers are given out once");
  actions_->push_back(describe_effect(act.effect, place->second));
}

bool Core::is_probe(EffectId effect) const {
  const auto found = effects.find(effect);
  return found != effects.end() && found->second.is_probe;
}

StartEffect Core::describe_effect(EffectId effect, const PendingEffect& pending) const {
  const auto& act = *activations[pending.activation];
  const auto& task = task_of(act);
  StartEffect start;
  start.effect = effect;
  start.step = step_key(act);
  start.arguments = pending.arguments;
  start.input = act.input;
  if (const auto* call = std::get_if<dsl::CallTask>(&task.body)) {
    start.function = pending.is_probe ? call->on_unknown->probe : call->function;
    start.declared = pending.is_probe ? dsl::EffectClass::read : call->effect;
    return start;
  }
  start.function = "emit";
  const auto& declared = task.metadata.get("effect");
  if (declared.is_string()) {
    const auto name = declared.as_string();
    if (name == "pure") start.declared = dsl::EffectClass::pure;
    if (name == "read") start.declared = dsl::EffectClass::read;
    if (name == "idempotent") start.declared = dsl::EffectClass::idempotent;
    if (name == "once") start.declared = dsl::EffectClass::once;
  }
  return start;
}

StepKey Core::step_key(const Activation& act) const { return {act.task, iteration_of(act), act.attempt}; }

std::vector<std::uint32_t> Core::iteration_of(const Activation& act) const {
  std::vector<std::uint32_t> rounds;
  for (const auto* place = &act; place != nullptr; place = parent_of(*place)) {
    if (place->kind == Kind::list && place->role == ListRole::undo) {  // within the rounds of what it undoes
      const auto& outer = wind_up.finished[place->number].iteration;
      rounds.insert(rounds.end(), outer.rbegin(), outer.rend());
      break;
    }
    if (!place->is_round) continue;
    rounds.push_back(place->number);
    // A call of a tool: which turn's it is.
    const auto* above = parent_of(*place);
    if (above == nullptr || above->kind != Kind::task || place->kind != Kind::task) continue;
    const auto* agent = std::get_if<dsl::AgentTask>(&task_of(*above).body);
    if (agent != nullptr && place->task != agent->turn) rounds.push_back(above->position);
  }
  std::reverse(rounds.begin(), rounds.end());
  return rounds;
}

std::string Core::reference_of(const Activation& act) const {
  const auto& reference = task_of(act).reference;
  if (reference.find("/agent/") == std::string::npos) return reference;
  return step_reference(*plan, act.task, iteration_of(act));
}

}  // namespace pawl::engine::detail
