// `call: agent`: turns of a model, one after the other; between them the tool calls that a turn asked for (agent_calls.cpp).
//
// - A turn is a task of its own, number n of its agent: `/do/2/agent/turn/3`. Its input holds the messages that are new to the model, its
//   output is the reply as the function `llm` gave it. The transcript is what these add up to, so replay rebuilds it, and a run that is
//   forked from a turn, or retried there, may be given other messages.
// - Before a turn the most that it can take is set aside (agent_budget.cpp): a token for each new byte, what is known of the transcript,
//   and the longest answer. Where there is no room for it, the agent fails, or with `on_budget: finish` ends with the text that there is.
// - The last turn that `max_turns` allows is asked without tools where the agent is to finish: an answer instead of a fault.
// - An answer that does not fit `output` goes back to the model with what is wrong, as often as `max_repairs` says.
// - What `guardrails.input` objects to never reaches the model; what `guardrails.output` objects to goes back to it like an answer that
//   does not fit. A guardrail that cannot be evaluated objects.
// - A failed model call fails the agent: trying again is what the function did, and what `try` around the agent is for. Only what may have
//   been paid for without an answer is asked for again here, where a budget has to have room for it.
// - Before the first turn, between turns and at the end there may be steps about what it remembers (agent_memory.cpp).
// - An agent that is another one's tool shares what that has left.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.hpp"
#include "engine/machine/detail/agent_memory.hpp"
#include "engine/machine/detail/agent_rules.hpp"
#include "engine/machine/detail/core.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine::detail {
namespace {

constexpr std::uint64_t kUsualTurns = 20;
constexpr std::uint64_t kUsualRepairs = 3;
constexpr double kNano = 1e9;
constexpr const char* kOnlyJson = "\nAnswer again, with nothing but the corrected JSON.";
constexpr std::string_view kAnswerAs = "Your final answer must be nothing but JSON that is valid against this schema: ";

json::Value user_message(json::Value content) { return json::Value::object({{"role", "user"}, {"content", std::move(content)}}); }

json::Value usage_of(const AgentState& agent) {
  return json::Value::object({{"input_tokens", agent.input_tokens},
                              {"output_tokens", agent.output_tokens},
                              {"cached_tokens", agent.cached_tokens},
                              {"reasoning_tokens", agent.reasoning_tokens}});
}

json::Value cost_of(const AgentState& agent) {
  return agent.is_cost_known ? json::Value(static_cast<double>(agent.cost) / kNano) : json::Value();
}

json::Value names_of(const std::vector<std::string>& names) {
  auto list = json::Value::array();
  for (const auto& name : names) list.push_back(name);
  return list;
}

/// Some models put a fence around what they write.
std::string_view without_fence(std::string_view text) {
  const auto trim = [&] {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  };
  trim();
  if (!text.starts_with("```") || !text.ends_with("```") || text.size() < 7 || text.find('\n') == std::string_view::npos) return text;
  text.remove_prefix(text.find('\n') + 1);
  text.remove_suffix(3);
  trim();
  return text;
}

bool finishes(const AgentState& agent) { return agent.settings.get("on_budget") == json::Value("finish"); }

}  // namespace

void Core::start(Activation& act, const dsl::AgentTask& body) {
  act.agent.assign(1, AgentState{});
  act.agent[0].transcript = json::Value::array();
  act.agent[0].news = json::Value::array();
  if (!read_settings(act, body)) return;
  auto& agent = act.agent[0];
  share_budget(act);
  if (const auto limit = dsl::to_duration(agent.settings.get("budget").get("time")); limit.has_value()) {
    act.timer = set_timer(act, limit.value(), TimerUse::agent_time);
  }
  if (agent.settings.get("untrusted").truthy()) agent.untrusted.emplace_back("prompt");
  // Who is asked by an agent that has read something knows no better than that one.
  if (const auto* above = agent_above(act); above != nullptr) {
    for (const auto& source : above->agent[0].untrusted) add_once(agent.untrusted, source);
  }
  if (!open_recall(act)) next_turn(act, body);
}

/// Expressions may give anything, so what was checked when the document was saved is checked here as well.
bool Core::read_settings(Activation& act, const dsl::AgentTask& body) {
  auto& agent = act.agent[0];
  if (!evaluate(act, body.arguments, agent.settings)) return false;
  const auto& settings = agent.settings;
  const auto refuse = [&](std::string_view detail) {
    fault(act, make_error("validation", 400, "Invalid arguments of an agent", detail));
    return false;
  };
  if (!settings.get("model").is_string() || settings.get("model").empty()) return refuse("`model` must be the name of a model.");
  for (const std::string_view name : {"max_turns", "max_tool_calls", "max_tokens", "max_result_bytes", "max_repairs"}) {
    const auto& value = settings.get(name);
    const bool may_be_zero = name == "max_repairs";
    if (value.is_null()) continue;
    if (!value.is_integer() || value.as_integer() < (may_be_zero ? 0 : 1)) return refuse(fmt::format("`{}` must be a whole number.", name));
  }
  const auto& budget = settings.get("budget");
  if (const auto& tokens = budget.get("tokens"); !tokens.is_null()) {
    if (!tokens.is_integer() || tokens.as_integer() < 1) return refuse("`budget.tokens` must be a whole number.");
    agent.token_limit = static_cast<std::uint64_t>(tokens.as_integer());
  }
  if (const auto& cost = budget.get("cost"); !cost.is_null()) {
    if (!cost.is_number() || !(cost.as_double() > 0) || cost.as_double() > 1e9) return refuse("`budget.cost` must be a positive number.");
    agent.cost_limit = std::max<std::int64_t>(1, std::llround(cost.as_double() * kNano));
  }
  if (const auto& steps = budget.get("steps"); !steps.is_null()) {
    if (!steps.is_integer() || steps.as_integer() < 1) return refuse("`budget.steps` must be a whole number.");
    agent.step_limit = static_cast<std::uint32_t>(std::min<std::int64_t>(steps.as_integer(), UINT32_MAX));
  }
  if (const auto& time = budget.get("time"); !time.is_null() && dsl::to_duration(time).has_error()) {
    return refuse("`budget.time` must be a duration.");
  }
  if (const auto& messages = settings.get("messages"); !messages.is_null()) {
    const auto wrong = wrong_with_messages(messages);
    if (!wrong.empty()) return refuse(wrong + '.');
    agent.news = messages;
  }
  for (const std::string_view name : {"prompt", "input"}) {
    if (const auto& prompt = settings.get(name); !prompt.is_null()) agent.news.push_back(user_message(text_of(prompt)));
  }
  if (agent.news.empty()) return refuse("There is nothing to ask: `prompt` is null.");
  agent.asked = static_cast<std::uint32_t>(agent.news.size());
  if (const auto wrong = wrong_with_memory(settings.get("memory")); !wrong.empty()) return refuse(wrong);
  agent.settings.erase("messages");  // they are in the transcript from now on
  agent.settings.erase("prompt");
  agent.settings.erase("input");
  return true;
}

/// `position` is the number of the turn.
void Core::next_turn(Activation& act, const dsl::AgentTask& body) {
  auto& agent = act.agent[0];
  const auto most_turns = setting(agent.settings, "max_turns", kUsualTurns);
  if (agent.turns >= most_turns) return budget_exhausted(act, "max_turns", fmt::format("It has taken {} turns.", agent.turns));
  if (finishes(agent) && agent.turns + 1 >= most_turns && !agent.is_last) {
    agent.is_last = true;
    agent.stop = "max_turns";
  }
  if (finishes(agent) && steps_left(act) == 1 && !agent.is_last) {
    agent.is_last = true;
    agent.stop = "steps";
  }
  if (steps_left(act) == 0) return budget_exhausted(act, "steps", fmt::format("{} steps are taken.", agent.steps));
  if (open_summary(act)) return;
  act.position = agent.turns;
  ask_model(act, body);
}

void Core::ask_model(Activation& act, const dsl::AgentTask& body) {
  auto& agent = act.agent[0];
  Shortage shortage;
  const Need need{.prompt = most_input_tokens(agent, body),
                  .wanted = setting(agent.settings, "max_tokens", 0),
                  .least = kLeastAnswer,
                  .model = model_named(model_settings(agent))};
  const auto room = make_room(act, need, shortage);
  if (room == Room::waits) return;
  if (room == Room::none) return budget_exhausted(act, shortage.of, std::move(shortage.detail));
  open_turn(act, body, json::Value::object({{"messages", agent.news}}));
}

void Core::open_turn(Activation& act, const dsl::AgentTask& body, json::Value news) {
  auto& turn = create(Kind::task, &act, act.position);
  turn.task = body.turn;
  turn.is_round = true;
  turn.raw_input = std::move(news);
  // Another request for the same turn is another one for the provider too.
  if (act.agent[0].repeats > 0) turn.attempt = turn.max_attempt = act.max_attempt + 1;
  act.count = 1;
  count_step(act);
  push(turn, WorkItem::Op::start);
}

/// A turn makes its arguments from what the agent knows; a tool's were made when it was called, and are its input.
void Core::start_agent_step(Activation& act) {
  auto& above = *activations[act.parent];
  const auto& body = std::get<dsl::AgentTask>(task_of(above).body);
  if (act.task == body.approve) {
    ApprovalRequest request;
    if (read_request(act, act.input, request)) (void)ask(act, std::move(request));
    return;
  }
  if (task_of(act).type == "summary") return start_effect(act, summary_arguments(above, act.input));
  if (act.task != body.turn) return start_effect(act, act.input);
  const auto& messages = act.input.get("messages");
  if (const auto wrong = wrong_with_messages(messages); !wrong.empty()) {
    return fault(act, make_error("validation", 400, "Invalid messages of a turn", wrong + '.'));
  }
  const auto said = json::Value::object({{"messages", messages}});
  if (const auto against = objection(body.input_guardrail, said, TaskScope(*this, &above, above.input))) {
    return fault(act, make_error("guardrail", 422, "A guardrail stopped what would go to the model", *against));
  }
  above.agent[0].news = messages;
  if (above.agent[0].turns == 0) above.agent[0].asked = static_cast<std::uint32_t>(messages.size());
  start_effect(act, turn_arguments(above, body));
}

json::Value Core::turn_arguments(const Activation& act, const dsl::AgentTask& body) const {
  const auto& agent = act.agent[0];
  auto arguments = model_settings(agent);
  for (const std::string_view name : {"instructions", "temperature", "timeout", "stream"}) {
    if (const auto* given = agent.settings.find(name); given != nullptr && !given->is_null()) arguments.set(name, *given);
  }
  arguments.set("messages", window_of(agent));
  if (!body.tools.empty()) {
    auto tools = json::Value::array();
    for (const auto& tool : body.tools) tools.push_back(tool.offer);
    arguments.set("tools", std::move(tools));
    if (agent.is_last) {
      arguments.set("tool_choice", "none");
    } else if (const auto* choice = agent.settings.find("tool_choice"); choice != nullptr && agent.turns == 0) {
      arguments.set("tool_choice", *choice);  // of the first turn: an agent that must call a tool each time would never answer
    }
  }
  if (!body.output_schema.is_null()) {
    // In words: not every provider takes a schema beside tools, and what does not fit is repaired here, as turns that the budget knows of.
    auto text = text_of(agent.settings.get("instructions"));
    if (!text.empty()) text += "\n\n";
    arguments.set("instructions", text + std::string(kAnswerAs) + json::to_text(body.output_schema));
  }
  if (agent.hold.answer > 0) arguments.set("max_tokens", agent.hold.answer);
  if (is_limited(act)) arguments.set("budget", allowance_of(act, most_input_tokens(agent, body)));
  return arguments;
}

void Core::ended_in(Activation& act, const dsl::AgentTask& body, Ended& ended) {
  if (!act.children.empty()) return call_ended(act, body, ended);
  if (act.agent[0].aside != dsl::kNoTask) return aside_ended(act, body, ended);
  act.count = 0;
  if (ended.ending == Ending::faulted) return turn_failed(act, body, ended.error);
  turn_answered(act, body, ended.output);
}

void Core::turn_failed(Activation& act, const dsl::AgentTask& body, json::Value problem) {
  auto& agent = act.agent[0];
  drop_request(act, Hold());  // it was not made: what failed after it was is settled
  // It may have been paid for and has no answer: it is asked for again if there is room, which only this agent knows.
  if (problem.get("unanswered").truthy() && agent.repeats < most_repeats(agent)) {
    ++agent.repeats;
    return next_turn(act, body);
  }
  const auto& spent = problem.get("budget");
  const bool is_spent = spent.is_string() && !problem.get("unpriced").truthy();
  if (is_spent && finishes(agent)) return finish_agent(act, std::string(spent.as_string()));
  propagate(act, std::move(problem));
}

void Core::turn_answered(Activation& act, const dsl::AgentTask& body, const json::Value& reply) {
  auto& agent = act.agent[0];
  if (reply.get("dry_run").truthy()) {
    drop_request(act, Hold());
    return complete_body(act, reply);
  }
  const auto most_input = most_input_tokens(agent, body);
  count_usage(act, reply);
  settle_request(act, reply, model_named(model_settings(agent)));
  agent.repeats = 0;
  agent.known_tokens = known_after(usage_of_reply(reply), reply, most_input);
  ++agent.turns;
  for (const auto& message : agent.news.items()) agent.transcript.push_back(message);
  agent.news = json::Value::array();
  agent.answer = reply.get("content");
  auto said = json::Value::object({{"role", "assistant"}, {"content", agent.answer}});
  const auto& calls = reply.get("tool_calls");
  if (calls.is_array() && !calls.empty()) {
    auto asked = json::Value::array();
    for (auto& call : readable_calls(calls, act.position, rules >= 2)) {
      if (!call.get("arguments").is_object()) call.set("arguments", json::Value::object());
      asked.push_back(std::move(call));
    }
    said.set("tool_calls", std::move(asked));
  }
  // Where ids were changed the provider's own form does not fit the answers any more.
  const bool fits = rules < 2 || !repeats_ids(calls);
  if (const auto* raw = reply.find("raw"); raw != nullptr && !raw->is_null() && fits) said.set("raw", *raw);
  agent.transcript.push_back(std::move(said));
  if (calls.is_array() && !calls.empty() && !agent.is_last) return begin_calls(act, body, calls);
  answer_found(act, body, reply);
}

/// Also for the agents that this one is a tool of, at once: a call is paid for whatever becomes of its agent.
void Core::count_usage(const Activation& act, const json::Value& reply) {
  const auto used = usage_of_reply(reply);
  for (const auto* place = &act; place != nullptr; place = agent_above(*place)) add_usage(activations[place->id]->agent[0], used);
  if (reply.get("model").is_string()) add_once(activations[act.id]->agent[0].models, reply.get("model").as_string());
}

void Core::answer_found(Activation& act, const dsl::AgentTask& body, const json::Value& reply) {
  auto& agent = act.agent[0];
  const auto& reason = reply.get("finish_reason");
  std::string stop = agent.is_last ? agent.stop : reason.is_string() ? std::string(reason.as_string()) : std::string("stop");
  json::Value result;
  if (body.output) {
    result = reply.get("output");
    if (result.is_null()) {
      auto read = json::parse(without_fence(text_of(agent.answer)));
      if (read.has_error()) return repair_turn(act, body, "The answer must be JSON: " + read.error().message + kOnlyJson);
      result = std::move(read).value();
    }
    const auto findings = body.output->validate(result);
    if (!findings.empty()) {
      const auto detail = text_of(validation_error(findings, "answer").get("detail"));
      return repair_turn(act, body, "The answer does not fit the schema: " + detail + kOnlyJson);
    }
  }
  const auto said = json::Value::object({{"content", agent.answer}, {"output", result}});
  if (const auto against = objection(body.output_guardrail, said, TaskScope(*this, &act, act.input))) {
    return repair_turn(act, body, "The answer is not acceptable: " + *against + "\nAnswer again.");
  }
  finish_agent(act, stop, std::move(result));
}

void Core::repair_turn(Activation& act, const dsl::AgentTask& body, std::string complaint) {
  auto& agent = act.agent[0];
  if (agent.is_last || ++agent.failures > setting(agent.settings, "max_repairs", kUsualRepairs)) {
    return fault(act, make_error("validation", 422, "Invalid answer of a model", complaint));
  }
  agent.news.push_back(user_message(std::move(complaint)));
  next_turn(act, body);
}

void Core::budget_exhausted(Activation& act, std::string_view which, std::string detail) {
  if (finishes(act.agent[0])) return finish_agent(act, which);
  auto problem = make_error("budget-exceeded", 402, "Budget of an agent exceeded", detail);
  problem.set("budget", which);
  fault(act, std::move(problem));
}

void Core::agent_out_of_time(Activation& act) {
  // Of a run that was suspended the answer may have come since: what it took is known.
  const auto* turn = act.first_child == kNone ? nullptr : activations[act.first_child].get();
  const bool is_told = rules >= 2 && turn != nullptr && act.agent[0].is_held && act.agent[0].aside == dsl::kNoTask &&
                       turn->step == Step::body && turn->effect == 0 && turn->error.is_null() && turn->output.is_object();
  if (is_told) {
    count_usage(act, turn->output);
    settle_request(act, turn->output, model_named(model_settings(act.agent[0])));
  }
  cancel_children(act);
  drop_request(act, std::nullopt);
  if (std::exchange(act.agent[0].waits, false)) let_waiting_go_on();
  budget_exhausted(act, "time", "Its time is over.");
}

void Core::finish_agent(Activation& act, std::string_view reason, json::Value structured) {
  const auto& agent = act.agent[0];
  auto answer = json::Value::object({{"content", agent.answer}});
  if (!structured.is_null()) answer.set("output", std::move(structured));
  answer.set("turns", agent.turns);
  answer.set("tool_calls", agent.tool_calls);
  answer.set("usage", usage_of(agent));
  answer.set("cost", cost_of(agent));
  answer.set("models", names_of(agent.models));
  answer.set("stop_reason", reason);
  if (!agent.untrusted.empty()) answer.set("untrusted", names_of(agent.untrusted));
  cancel_timer(act.timer);
  act.children.clear();
  if (open_remember(act, answer)) return;
  act.agent.clear();
  complete_body(act, std::move(answer));
}

// ---- retry and fork ---------------------------------------------------------------------------------------------------------------

/// Begins turn `number` again, or call `number` of the turn that is through, with other input where there is one.
void Core::restart_agent(Activation& act, std::uint32_t number, const json::Value& raw_input) {
  const auto& body = std::get<dsl::AgentTask>(task_of(act).body);
  if (act.agent[0].aside != dsl::kNoTask) return restart_aside(act, raw_input);
  if (act.children.empty()) {
    if (const auto& news = raw_input.get("messages"); !raw_input.is_null()) {
      if (!wrong_with_messages(news).empty()) return open_turn(act, body, raw_input);  // which says so
      act.agent[0].news = news;
    }
    return ask_model(act, body);
  }
  if (number < act.children.size()) {
    auto& call = act.children[number];
    call.status = Child::Status::pending;
    const bool is_asked = call.context.get("approval").truthy();  // then the input is the question
    if (!raw_input.is_null() && !is_asked && !(raw_input == call.context.get("input"))) {
      call.context.set("input", raw_input);
      // Another call than the one that was approved.
      const auto* tool = find_tool(body, call.context.get("name"));
      const bool asks = must_be_approved(act, body, *tool, call.context) || is_held_back(act.agent[0], *tool);
      if (asks && body.approve != dsl::kNoTask) call.context.set("approval", true);
    }
  }
  restart_children(act, kNone);
}

/// Of an agent in the chain of a fault: the turn, or the open call of a tool, that has this reference.
std::optional<std::uint32_t> Core::agent_child_named(const Activation& act, std::vector<std::uint32_t> rounds,
                                                     std::string_view reference) const {
  const auto& body = std::get<dsl::AgentTask>(task_of(act).body);
  rounds.push_back(act.position);
  if (const auto aside = act.agent[0].aside; aside != dsl::kNoTask) {
    rounds.push_back(0);
    return step_reference(*plan, aside, rounds) == reference ? std::optional(act.position) : std::nullopt;
  }
  if (act.children.empty()) {
    return step_reference(*plan, body.turn, rounds) == reference ? std::optional(act.position) : std::nullopt;
  }
  rounds.push_back(0);
  for (std::uint32_t i = 0; i < act.children.size(); ++i) {
    const auto* tool = find_tool(body, act.children[i].context.get("name"));
    rounds.back() = i;
    const bool is_open = act.children[i].status < Child::Status::completed;
    if (tool != nullptr && is_open && step_reference(*plan, tool->task, rounds) == reference) return i;
  }
  return std::nullopt;
}

}  // namespace pawl::engine::detail
