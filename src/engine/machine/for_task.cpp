// `for`: a fold, one round after the other, each on the output of the round before; with `metadata.concurrency`, rounds side by side, each
// on the loop's input, and an array of what they put out. `then: exit` in a round leaves the loop.
#include "engine/machine/detail/core.hpp"
#include "json/write.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::ForTask& body) {
  const TaskScope scope(*this, &act, act.input);
  const bool evaluated = std::visit([&](const auto& in) { return evaluate(act, in, act.input, scope, act.locals); }, body.in);
  if (!evaluated) return;
  if (!act.locals.is_array()) {
    auto found = json::to_text(act.locals);
    if (found.size() > 100) found.resize(100);
    return fault(act, make_error("expression", 400, "Expression failed", "`for.in` has to give an array, but gave " + found));
  }
  act.output = act.input;
  act.position = 0;
  if (body.concurrency > 1 && !act.locals.empty()) return start_rounds(act, body);
  next_round(act, body);
}

/// Whether `while` lets the round at `position` begin.
bool Core::round_wanted(Activation& act, const dsl::ForTask& body, const json::Value& data, bool& wanted) {
  wanted = act.position < act.locals.size();
  if (!wanted || !body.while_) return true;
  TaskScope scope(*this, &act, act.input);
  scope.bind(body.each, act.locals.at(act.position)).bind(body.at, json::Value(act.position));
  return test(act, *body.while_, data, scope, wanted);
}

void Core::next_round(Activation& act, const dsl::ForTask& body) {
  bool wanted = false;
  if (!round_wanted(act, body, act.output, wanted)) return;
  if (!wanted) return complete_body(act, std::move(act.output));
  open_list(act, ListRole::body, act.position, std::move(act.output), act.locals.at(act.position));
}

void Core::start_rounds(Activation& act, const dsl::ForTask& body) {
  while (act.count < body.concurrency) {
    bool wanted = false;
    if (!round_wanted(act, body, act.input, wanted)) return;
    if (!wanted) {
      act.position = static_cast<std::uint32_t>(act.locals.size());
      break;
    }
    const auto number = act.position++;
    ++act.count;
    act.children.emplace_back().status = Child::Status::running;
    open_round(act, number);
  }
  if (act.count == 0) join_branches(act);
}

void Core::open_round(Activation& act, std::uint32_t number) {
  auto& round = open_list(act, ListRole::body, number, act.input, act.locals.at(number));
  round.owns_context = true;
  round.context = context_of(act);
  round.context_owner = round.id;
  // The list is at its first task already, which has to see the round's context.
  if (round.first_child != kNone) activations[round.first_child]->context_owner = round.id;
}

void Core::ended_in(Activation& act, const dsl::ForTask& body, Ended& ended) {
  if (ended.ending == Ending::faulted) return propagate(act, std::move(ended.error));
  const bool leaves = ended.flow.kind == dsl::Flow::Kind::exit;
  if (body.concurrency <= 1) {
    act.output = std::move(ended.output);
    if (leaves) return complete_body(act, std::move(act.output));
    ++act.position;
    return next_round(act, body);
  }
  auto& round = act.children[ended.number];
  round.status = Child::Status::completed;
  round.output = std::move(ended.output);
  round.context = std::move(ended.context);
  --act.count;
  if (leaves) act.position = static_cast<std::uint32_t>(act.locals.size());
  start_rounds(act, body);
}

}  // namespace pawl::engine::detail
