// The budget of an agent, and of those below it.
//
// - Before a request to a model the most that it can take is set aside, in tokens and money, at the agent and at every agent above it:
//   `limit - used - assumed - held` is never less than nothing at any of them. Where it is short only by what others hold, the request
//   waits until one of these is through; so however many agents share a budget, at once or one after the other, the sum keeps to it.
// - The longest answer is cut to what the limits leave, the same however many are under way. Where not even the prompt with a very short
//   answer fits, there is no request.
// - What a model costs is known from its replies, which tell it where the cost is limited. Before the first one of a model all the money
//   that is left is set aside: whoever asks the model knows the price, and keeps to it (models/ledger.hpp). Where an agent has money of its
//   own (a limit, or its part of a turn's), that is all which is set aside above it, so others go beside it; where nobody's is limited,
//   prices do not matter. To set aside a part for each of those that share one limit would cut their answers by how many they are.
// - Afterwards what was charged takes its place. What nobody told counts as all that was set aside.
// - Steps (turns, summaries, calls) count when they begin.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "engine/machine/detail/agent_rules.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

constexpr double kNano = 1e9;
/// Where nothing says how long an answer may be: it is cut here, or the first one would set everything aside.
constexpr std::uint64_t kUsualAnswer = 4096;
constexpr std::uint64_t kUsualPaidAnswer = 8192;  // where only money is limited

/// No model answers more; and what is set aside stays far from the end of its type.
constexpr std::uint64_t kMostAnswer = 1'000'000'000;

double dollars(std::int64_t nano) { return static_cast<double>(nano) / kNano; }

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

std::uint64_t tokens_left(const AgentState& agent) { return less(agent.token_limit, used_tokens(agent) + agent.assumed_tokens); }
std::int64_t money_left(const AgentState& agent) { return std::max<std::int64_t>(0, agent.cost_limit - agent.cost - agent.assumed_cost); }

/// The narrowest limits of an agent and those above: with what others hold, and without.
struct Limits {
  bool on_tokens = false;
  bool on_money = false;
  std::uint64_t tokens = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t free_tokens = std::numeric_limits<std::uint64_t>::max();
  std::int64_t money = std::numeric_limits<std::int64_t>::max();
  std::int64_t free_money = std::numeric_limits<std::int64_t>::max();

  void narrow(const AgentState& agent) {
    if (agent.token_limit > 0) {
      on_tokens = true;
      tokens = std::min(tokens, tokens_left(agent));
      free_tokens = std::min(free_tokens, less(tokens_left(agent), agent.held_tokens));
    }
    if (agent.cost_limit > 0) {
      on_money = true;
      money = std::min(money, money_left(agent));
      free_money = std::min(free_money, std::max<std::int64_t>(0, money_left(agent) - agent.held_cost));
    }
  }
};

/// `charged` of a reply or an error; nothing where it does not say.
std::optional<Hold> charge_of(const json::Value& told) {
  const auto& charged = told.get("charged");
  const auto& tokens = charged.get("tokens");
  const auto& cost = charged.get("cost");
  if (!tokens.is_integer() || tokens.as_integer() < 0 || !cost.is_number()) return std::nullopt;
  const auto asked = usage_of_reply(json::Value::object({{"usage", json::Value::object({{"input_tokens", tokens}})}, {"cost", cost}}));
  return Hold{.tokens = asked.input_tokens, .cost = std::max<std::int64_t>(0, asked.cost.value_or(0)), .answer = 0};
}

}  // namespace

/// The agent that has this one called: as a tool, or within a function that is one. Also where what undoes a task is adrift from there.
const Activation* Core::agent_above(const Activation& act) const {
  const auto around = [this](const Activation& place) -> const Activation* {
    const auto id = place.parent != kNone ? place.parent : place.payer;
    return id == kNone ? nullptr : activations[id].get();
  };
  const auto* place = around(act);
  while (place != nullptr && place->agent.empty()) place = around(*place);
  return place;
}

/// What agents below `list` have set aside at the agents above it: it goes elsewhere, or comes here.
void Core::move_holds(const Activation& list, bool is_away) {
  Hold sum;
  for (const auto& act : activations) {
    if (act->id == kNone || act->agent.empty() || !act->agent[0].is_held) continue;
    const Activation* place = act.get();
    while (place != nullptr && place->id != list.id) place = parent_of(*place);
    if (place == nullptr) continue;
    sum.tokens += act->agent[0].hold.tokens;
    sum.cost += act->agent[0].hold.cost;
  }
  for (const auto* place = agent_above(list); place != nullptr; place = agent_above(*place)) {
    auto& level = activations[place->id]->agent[0];
    level.held_tokens = is_away ? less(level.held_tokens, sum.tokens) : level.held_tokens + sum.tokens;
    level.held_cost = is_away ? std::max<std::int64_t>(0, level.held_cost - sum.cost) : level.held_cost + sum.cost;
  }
}

/// Of agents that are called in one turn: each has its part of what the one above has left, so that none takes all of it.
void Core::share_budget(Activation& act) {
  const auto* above = agent_above(act);
  if (above == nullptr) return;
  auto& agent = act.agent[0];
  const auto& giver = above->agent[0];
  const auto& body = std::get<dsl::AgentTask>(task_of(*above).body);
  const auto may_be_agent = [&](const Child& call) {
    const auto* tool = find_tool(body, call.context.get("name"));
    return tool != nullptr && !std::holds_alternative<dsl::CallTask>(plan->task(tool->task).body);
  };
  const auto sharers = std::max<std::ptrdiff_t>(1, std::count_if(above->children.begin(), above->children.end(), may_be_agent));
  if (giver.token_limit > 0) {
    const auto part = std::max<std::uint64_t>(1, tokens_left(giver) / static_cast<std::uint64_t>(sharers));
    agent.token_limit = agent.token_limit == 0 ? part : std::min(agent.token_limit, part);
  }
  if (giver.cost_limit > 0) {
    const auto part = std::max<std::int64_t>(1, money_left(giver) / sharers);
    agent.cost_limit = agent.cost_limit == 0 ? part : std::min(agent.cost_limit, part);
  }
}

bool Core::is_limited(const Activation& act) const {
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) {
    if (place->agent[0].token_limit > 0 || place->agent[0].cost_limit > 0) return true;
  }
  return false;
}

Core::Room Core::make_room(Activation& act, const Need& need, Shortage& shortage) {
  auto& agent = act.agent[0];
  Limits narrowest;
  const auto* outermost = &act;
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) {
    narrowest.narrow(place->agent[0]);
    outermost = place;
  }
  Hold hold{.tokens = 0, .cost = 0, .answer = std::min(need.wanted, kMostAnswer)};
  if (!narrowest.on_tokens && !narrowest.on_money) {
    agent.hold = hold;
    return Room::made;
  }
  if (hold.answer == 0) hold.answer = narrowest.on_tokens ? kUsualAnswer : kUsualPaidAnswer;
  auto free_answer = hold.answer;
  if (narrowest.on_tokens) {
    if (narrowest.tokens < need.prompt + need.least) {
      shortage = {"tokens", fmt::format("{} tokens of its budget are left, and the next turn may take {} before its answer.",
                                        narrowest.tokens, need.prompt)};
      return Room::none;
    }
    hold.answer = std::min(hold.answer, narrowest.tokens - need.prompt);
    free_answer = std::min(hold.answer, less(narrowest.free_tokens, need.prompt));
  }
  if (narrowest.on_money) {
    const auto& price = outermost->agent[0].prices.is_object() ? outermost->agent[0].prices.get(need.model) : json::Value();
    const auto least = dearest(price, need.prompt, need.least);
    if (narrowest.money == 0 || least.value_or(0) > narrowest.money) {
      shortage = {"cost", fmt::format("{} US dollars of its budget are left, and the next turn may cost {}.", dollars(narrowest.money),
                                      least ? fmt::format("{}", dollars(*least)) : std::string("more"))};
      return Room::none;
    }
    if (least) {
      hold.answer = paid_answer(price, need.prompt, hold.answer, narrowest.money);
      free_answer = std::min(free_answer, paid_answer(price, need.prompt, hold.answer, narrowest.free_money));
      hold.cost = *dearest(price, need.prompt, hold.answer);
    } else {
      hold.cost = narrowest.money;
      if (narrowest.free_money < narrowest.money) free_answer = 0;
    }
  }
  if (free_answer < hold.answer) {
    agent.waits = true;
    return Room::waits;
  }
  hold.tokens = need.prompt + hold.answer;
  agent.hold = hold;
  agent.is_held = true;
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) {
    auto& level = activations[place->id]->agent[0];
    level.held_tokens += hold.tokens;
    level.held_cost += hold.cost;
  }
  return Room::made;
}

/// What a call is told that it may take.
json::Value Core::allowance_of(const Activation& act, std::uint64_t prompt) const {
  const auto& hold = act.agent[0].hold;
  bool on_tokens = false;
  bool on_money = false;
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) {
    on_tokens = on_tokens || place->agent[0].token_limit > 0;
    on_money = on_money || place->agent[0].cost_limit > 0;
  }
  auto allowance = json::Value::object();
  if (on_tokens) allowance.set("tokens", hold.tokens);
  if (on_money) allowance.set("cost", dollars(hold.cost));
  allowance.set("prompt", prompt);
  return allowance;
}

/// The request of the agent is through. `charged`: what it took, of which what the reply told is counted already; nothing: nobody knows.
void Core::drop_request(const Activation& act, const std::optional<Hold>& charged) {
  auto& agent = activations[act.id]->agent[0];
  if (!std::exchange(agent.is_held, false)) return;
  const auto held = std::exchange(agent.hold, Hold());
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) {
    auto& level = activations[place->id]->agent[0];
    level.held_tokens = less(level.held_tokens, held.tokens);
    level.held_cost = std::max<std::int64_t>(0, level.held_cost - held.cost);
    level.assumed_tokens += charged ? charged->tokens : held.tokens;
    level.assumed_cost += charged ? charged->cost : held.cost;
  }
  let_waiting_go_on();
}

/// After the usage that the reply tells was counted.
void Core::settle_request(const Activation& act, const json::Value& reply, const std::string& model) {
  const auto& agent = act.agent[0];
  if (!agent.is_held) return;
  if (const auto& price = reply.get("price"); price.is_object()) {
    const auto* outermost = &act;
    for (const auto* place = &act; place != nullptr; place = agent_above(*place)) outermost = place;
    auto& prices = activations[outermost->id]->agent[0].prices;
    if (!prices.is_object()) prices = json::Value::object();
    prices.set(model, price);
  }
  const auto used = usage_of_reply(reply);
  const auto tokens = used.input_tokens + used.output_tokens;
  auto charged = charge_of(reply).value_or(
      Hold{.tokens = tokens > 0 ? tokens : agent.hold.tokens, .cost = used.cost.value_or(agent.hold.cost), .answer = 0});
  charged.tokens = less(charged.tokens, tokens);
  charged.cost = std::max<std::int64_t>(0, charged.cost - std::max<std::int64_t>(0, used.cost.value_or(0)));
  drop_request(act, charged);
}

/// A turn or a summary has failed: before anybody takes down where the run stands.
void Core::agent_step_failed(const Activation& step) {
  const auto* above = parent_of(step);
  if (above == nullptr || above->agent.empty() || !above->agent[0].is_held) return;
  drop_request(*above, charge_of(step.error));
}

/// The first one of each budget: if there is room for it, the next one has its turn.
void Core::let_waiting_go_on() {
  std::vector<const Activation*> budgets;
  for (const auto& act : activations) {
    if (act->id == kNone || act->agent.empty() || !act->agent[0].waits) continue;
    const auto* outermost = act.get();
    for (const auto* place = outermost; place != nullptr; place = agent_above(*place)) outermost = place;
    if (std::find(budgets.begin(), budgets.end(), outermost) != budgets.end()) continue;
    budgets.push_back(outermost);
    push(*act, WorkItem::Op::poll);
  }
}

void Core::go_on_waiting(Activation& act) {
  if (!std::exchange(act.agent[0].waits, false)) return;  // it has gone on already, and has let others go on
  if (act.step != Step::ended) next_turn(act, std::get<dsl::AgentTask>(task_of(act).body));
  if (act.agent.empty() || !act.agent[0].waits) let_waiting_go_on();
}

void Core::count_step(const Activation& act) {
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) ++activations[place->id]->agent[0].steps;
}

std::uint64_t Core::steps_left(const Activation& act) const {
  std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) {
    const auto& agent = place->agent[0];
    if (agent.step_limit > 0) left = std::min<std::uint64_t>(left, less(agent.step_limit, agent.steps));
  }
  return left;
}

/// Of an agent that goes on from where a run had stood: what was under way then is over, and nobody knows what it took.
void Core::take_over(AgentState& agent) {
  agent.assumed_tokens += std::exchange(agent.held_tokens, 0);
  agent.assumed_cost += std::exchange(agent.held_cost, 0);
  agent.is_held = false;
  agent.waits = false;
  agent.hold = {};
}

}  // namespace pawl::engine::detail
