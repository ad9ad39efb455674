// The tool calls of an agent's turn.
//
// - A call is a task of its own: `/do/2/agent/turn/3/tool/0`. Calls of one turn run side by side, at most `parallel_tool_calls` at once;
//   the model gets the answers together, in the order of its calls.
// - What is wrong with a call goes back to the model as an answer: an unknown tool, arguments that do not fit, a tool that failed, a call
//   that is not allowed. Only `max_repairs` turns in a row of which nothing came fail the agent.
// - Nothing but the listed tools can be called, and of these nothing that their `with` settles can be changed: the model's arguments are
//   laid under it.
// - Whatever comes from outside of the run is untrusted. An agent that has read such a thing cannot act any more (AgentTool::acts), but
//   where `allow_after_untrusted` names the tool or a person approves this very call. Calls of one turn are judged by what the model knew.
// - The same call with the same answer for the third time ends the loop.
#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "engine/machine/detail/agent_rules.hpp"
#include "engine/machine/detail/core.hpp"
#include "json/write.hpp"

namespace pawl::engine::detail {
namespace {

constexpr std::uint64_t kUsualRepairs = 3;
constexpr std::uint64_t kUsualCallsAtOnce = 8;
constexpr std::uint64_t kUsualResultBytes = 16384;
constexpr std::uint32_t kSameCalls = 3;
/// More calls than this in one turn are a model gone wrong.
constexpr std::uint64_t kMostCallsOfTurn = 128;

using Status = Child::Status;

std::uint64_t calls_at_once(const json::Value& settings) {
  const auto& given = settings.get("parallel_tool_calls");
  if (given.is_bool()) return given.as_bool() ? kUsualCallsAtOnce : 1;
  return std::max<std::uint64_t>(1, setting(settings, "parallel_tool_calls", kUsualCallsAtOnce));
}

std::string tool_names(const dsl::AgentTask& body) {
  std::string names;
  for (const auto& tool : body.tools) {
    if (!names.empty()) names += ", ";
    names += tool.name;
  }
  return names.empty() ? "There are no tools." : "The tools are " + names + '.';
}

std::string sentence_of(const json::Value& problem) {
  auto text = text_of(problem.get("title"));
  const auto detail = text_of(problem.get("detail"));
  if (!detail.empty()) text += (text.empty() ? "" : ": ") + detail;
  return text.empty() ? "it failed" : text;
}

std::string kind_of(const json::Value& problem) {
  const auto type = text_of(problem.get("type"));
  return type.substr(type.rfind('/') + 1);
}

/// Arguments as `call: approval` takes them: what a person sees is what will be called.
json::Value question_of(const Activation& act, std::string_view tool, const json::Value& call) {
  const auto& agent = act.agent[0];
  std::string message = fmt::format("An agent asks to call `{}`.", tool);
  if (!agent.untrusted.empty()) message += " It has read data from outside that nobody vouches for.";
  if (agent.answer.is_string() && !agent.answer.empty()) message += fmt::format(" It says: {}", agent.answer.as_string().substr(0, 2000));
  auto question = json::Value::object({{"title", fmt::format("Call of {}", tool)}, {"message", to_utf8(std::move(message))}});
  question.set("data", json::Value::object({{"tool", tool}, {"arguments", call.get("input")}}));
  if (const auto* approvers = agent.settings.find("approvers"); approvers != nullptr) question.set("approvers", *approvers);
  if (const auto* deadline = agent.settings.find("approval_deadline"); deadline != nullptr) question.set("deadline", *deadline);
  question.set("on_deadline", "reject");
  return question;
}

}  // namespace

void Core::begin_calls(Activation& act, const dsl::AgentTask& body, const json::Value& calls) {
  auto& agent = act.agent[0];
  const auto most = setting(agent.settings, "max_tool_calls", UINT32_MAX);
  const auto steps = steps_left(act);
  const auto left = std::min(steps, most > agent.tool_calls ? most - agent.tool_calls : 0);
  const bool finishes = agent.settings.get("on_budget") == json::Value("finish");
  if (calls.size() > left && !finishes) {
    return budget_exhausted(act, left == steps ? "steps" : "max_tool_calls",
                            fmt::format("It has made {} calls and asks for {} more.", agent.tool_calls, calls.size()));
  }
  act.children.assign(calls.size(), Child{});
  act.count = 0;
  auto readable = readable_calls(calls, act.position, rules >= 2);
  for (std::uint32_t i = 0; i < calls.size(); ++i) {
    const auto& call = calls.at(i);
    auto& child = act.children[i];
    child.context = std::move(readable[i]);
    if (i >= left || i >= kMostCallsOfTurn) {
      refuse_call(act, body, i, "budget-exceeded", "No more tools can be called.");
    } else if (const auto& wrong = call.get("arguments_error"); !wrong.is_null()) {
      refuse_call(act, body, i, "invalid-arguments", "The arguments cannot be read: " + text_of(wrong));
    } else {
      judge_call(act, body, i);
      if (act.step == Step::ended) return;
      count_step(act);
    }
  }
  agent.tool_calls += static_cast<std::uint32_t>(std::min<std::uint64_t>(calls.size(), left));
  if (finishes && !agent.is_last && (agent.tool_calls >= most || steps_left(act) <= 1)) {
    agent.is_last = true;
    agent.stop = agent.tool_calls >= most ? "max_tool_calls" : "steps";
  }
  advance_calls(act, body);
}

void Core::judge_call(Activation& act, const dsl::AgentTask& body, std::uint32_t number) {
  auto& agent = act.agent[0];
  auto& call = act.children[number].context;
  const auto* tool = find_tool(body, call.get("name"));
  if (tool == nullptr) {
    return refuse_call(act, body, number, "unknown-tool", "There is no tool of this name. " + tool_names(body));
  }
  if (call.get("arguments").is_null()) call.set("arguments", json::Value::object());
  const auto arguments = call.get("arguments");
  if (!arguments.is_object()) return refuse_call(act, body, number, "invalid-arguments", "The arguments must be an object.");
  if (tool->parameters) {
    const auto findings = tool->parameters->validate(arguments);
    if (!findings.empty()) {
      return refuse_call(act, body, number, "invalid-arguments", text_of(validation_error(findings, "arguments").get("detail")));
    }
  }
  json::Value fixed;
  if (!evaluate(act, tool->fixed, fixed)) return;
  auto merged = arguments;
  if (tool->wraps_input) {
    for (const auto& member : fixed.get("input").is_object() ? fixed.get("input").members() : std::span<const json::Member>()) {
      merged.set_shared(member.key, member.value);
    }
    fixed.set("input", std::move(merged));
    merged = std::move(fixed);
  } else if (fixed.is_object()) {
    for (const auto& member : fixed.members()) merged.set_shared(member.key, member.value);
  }
  call.set("input", std::move(merged));
  const bool held_back = is_held_back(agent, *tool);
  const bool is_asked =
      must_be_approved(act, body, *tool, call) || (held_back && agent.settings.get("after_untrusted") == json::Value("ask"));
  if (held_back && !is_asked) {
    return refuse_call(
        act, body, number, "untrusted",
        "Not allowed any more: the conversation holds data from outside that nobody vouches for, and this tool can change or "
        "send something.");
  }
  if (is_asked && body.approve == dsl::kNoTask) {
    return refuse_call(act, body, number, "approval", "A person would have to approve this call, and nobody can be asked.");
  }
  if (is_asked) call.set("approval", true);
}

/// An expression that fails asks: nobody has said that this call needs no approval.
bool Core::must_be_approved(const Activation& act, const dsl::AgentTask& body, const dsl::AgentTool& tool, const json::Value& call) const {
  if (tool.needs_approval) return true;
  const auto asked = json::Value::object({{"tool", tool.name}, {"arguments", call.get("input")}});
  for (const auto* expression : {&body.approval, &tool.approval}) {
    if (!expression->has_value()) continue;
    const auto tested = (*expression)->test(asked, TaskScope(*this, &act, act.input));
    if (tested.has_error() || tested.value()) return true;
  }
  return false;
}

/// The call ends without having run. Of a known tool there is a record of it all the same.
void Core::refuse_call(Activation& act, const dsl::AgentTask& body, std::uint32_t number, std::string_view kind, std::string detail) {
  auto& child = act.children[number];
  const bool had_record = child.status == Status::delayed;  // that of the approval
  child.status = Status::failed;
  child.output = json::to_text(told_error(kind, detail));
  child.error = make_error(kind, 403, "Tool not called", detail);
  const auto* tool = find_tool(body, child.context.get("name"));
  if (tool == nullptr || had_record) return;
  if (rules >= 2 && number >= kMostCallsOfTurn) return;  // thousands of them would leave no room for the records of what is done
  Activation call;
  call.task = tool->task;
  call.parent = act.id;
  call.number = number;
  call.is_round = true;
  call.attempt = act.attempt;
  call.raw_input = child.context.get("input").is_null() ? child.context.get("arguments") : child.context.get("input");
  call.error = child.error;
  call.error.set("instance", reference_of(call));
  open_record(call);
  close_record(call, TaskStatus::faulted);
}

void Core::advance_calls(Activation& act, const dsl::AgentTask& body) {
  const auto at_once = calls_at_once(act.agent[0].settings);
  bool is_settled = true;
  for (std::uint32_t i = 0; i < act.children.size(); ++i) {
    if (act.children[i].status == Status::pending && act.count < at_once) open_call(act, body, i);
    is_settled = is_settled && act.children[i].status >= Status::completed;
  }
  if (is_settled) calls_settled(act, body);
}

void Core::open_call(Activation& act, const dsl::AgentTask& body, std::uint32_t number) {
  auto& child = act.children[number];
  const auto& call = child.context;
  const auto* tool = find_tool(body, call.get("name"));
  const bool asks = call.get("approval").truthy();
  auto& opened = create(Kind::task, &act, number);
  opened.is_round = true;
  opened.task = asks ? body.approve : tool->task;
  if (asks) {
    opened.raw_input = question_of(act, tool->name, call);
  } else {
    opened.raw_input = call.get("input");
  }
  child.status = asks ? Status::delayed : Status::running;
  ++act.count;
  push(opened, WorkItem::Op::start);
}

void Core::call_ended(Activation& act, const dsl::AgentTask& body, Ended& ended) {
  auto& agent = act.agent[0];
  auto& child = act.children[ended.number];
  const auto* tool = find_tool(body, child.context.get("name"));
  --act.count;
  if (child.status == Status::delayed) {
    const auto& answer = ended.output;
    if (ended.ending != Ending::faulted && answer.get("approved") == json::Value(true)) {
      child.context.erase("approval");
      child.status = Status::pending;
    } else {
      const auto reason = ended.ending == Ending::faulted ? sentence_of(ended.error) : text_of(answer.get("comment"));
      refuse_call(act, body, ended.number, "approval", "A person did not approve this call" + (reason.empty() ? "." : ": " + reason));
    }
    return advance_calls(act, body);
  }
  const auto most_bytes = setting(agent.settings, "max_result_bytes", kUsualResultBytes);
  bool is_untrusted = tool->reads_outside;
  if (ended.ending == Ending::faulted) {
    child.status = Status::failed;
    child.output = shown_to_model(told_error(kind_of(ended.error), sentence_of(ended.error)), most_bytes);
    child.error = std::move(ended.error);
  } else {
    child.status = Status::completed;
    const bool is_agent = std::holds_alternative<dsl::AgentTask>(plan->task(tool->task).body);
    if (is_agent) is_untrusted = is_untrusted && ended.output.get("untrusted").is_array();
    const auto& structured = ended.output.get("output");
    child.output = shown_to_model(!is_agent ? ended.output : structured.is_null() ? ended.output.get("content") : structured, most_bytes);
    if (body.stop_when) child.context.set("result", ended.output);
  }
  if (is_untrusted) add_once(agent.untrusted, tool->name);
  advance_calls(act, body);
}

void Core::calls_settled(Activation& act, const dsl::AgentTask& body) {
  auto& agent = act.agent[0];
  auto results = json::Value::array();
  bool has_come_on = false;
  std::uint32_t same = 0;
  for (auto& child : act.children) {
    const auto& call = child.context;
    auto told =
        json::Value::object({{"role", "tool"}, {"tool_call_id", call.get("id")}, {"name", call.get("name")}, {"content", child.output}});
    if (child.status == Status::failed) told.set("is_error", true);
    agent.news.push_back(std::move(told));
    has_come_on = has_come_on || child.status == Status::completed;
    same = std::max(same, remember_call(agent, call, child.output.as_string()));
    if (!body.stop_when) continue;
    auto result = json::Value::object({{"tool", call.get("name")}, {"arguments", call.get("arguments")}});
    child.error.is_null() ? result.set("output", call.get("result")) : result.set("error", child.error);
    results.push_back(std::move(result));
  }
  act.children.clear();
  if (body.stop_when) {
    bool stops = false;
    const auto state = json::Value::object({{"turns", agent.turns}, {"tool_calls", agent.tool_calls}, {"results", std::move(results)}});
    if (!test(act, *body.stop_when, state, TaskScope(*this, &act, act.input), stops)) return;
    if (stops) return finish_agent(act, "stop_when");
  }
  agent.failures = has_come_on ? 0 : agent.failures + 1;
  if (agent.failures > setting(agent.settings, "max_repairs", kUsualRepairs)) {
    return fault(act, make_error("agent-stuck", 422, "An agent does not get on",
                                 fmt::format("Nothing came of the tool calls of {} turns in a row.", agent.failures)));
  }
  if (same >= kSameCalls && !agent.is_last) {
    if (agent.settings.get("on_budget") != json::Value("finish")) {
      return fault(act, make_error("agent-loop", 422, "An agent goes round in circles",
                                   fmt::format("It made the same call with the same answer {} times.", same)));
    }
    agent.is_last = true;
    agent.stop = "loop";
  }
  next_turn(act, body);
}

}  // namespace pawl::engine::detail
