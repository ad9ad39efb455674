// `listen`: consumes messages of the run's mailbox in order of arrival. A message is consumed by one `listen` only, the one that listens
// longest of those that match; what nobody wants yet stays in the mailbox, so a message that comes before its `listen` is not lost.
//
// With `foreach`, the tasks run for one message at a time, each time on the input of the `listen`; the next message is looked at when they
// are through. `until` is asked after each message, on the array of what was consumed so far (as `read` says).
#include <algorithm>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

using Status = Child::Status;

json::Value read_message(const json::Value& event, dsl::ReadAs read) {
  if (read == dsl::ReadAs::envelope) return event;
  const auto* data = event.find("data");
  return data != nullptr ? *data : event.get("data_base64");
}

/// `/.../` is a regular expression.
std::optional<std::string_view> pattern_in(const json::Value& wanted) {
  if (!wanted.is_string()) return std::nullopt;
  const auto text = wanted.as_string();
  if (text.size() < 2 || text.front() != '/' || text.back() != '/') return std::nullopt;
  return text.substr(1, text.size() - 2);
}

/// Filters of the strategy first, those of `until` behind them: so they stand in `Activation::children`.
std::size_t until_count(const dsl::EventStrategy& strategy) {
  return strategy.until_consumed ? strategy.until_consumed->filters.size() : 0;
}

bool is_satisfied(const dsl::EventStrategy& strategy, const std::vector<Child>& children, std::size_t from) {
  if (strategy.filters.empty()) return true;
  const auto begin = children.begin() + static_cast<std::ptrdiff_t>(from);
  const auto end = begin + static_cast<std::ptrdiff_t>(strategy.filters.size());
  const auto met = [](const Child& child) { return child.status == Status::completed; };
  if (strategy.kind == dsl::EventStrategy::Kind::all) return std::all_of(begin, end, met);
  return std::any_of(begin, end, met);
}

}  // namespace

void Core::start(Activation& act, const dsl::ListenTask& body) {
  act.children.resize(body.to.filters.size() + until_count(body.to));
  act.locals = json::Value::array();
  act.output = json::Value::array();
  act.extra = json::Value::object();
  act.position = 0;
  const bool nothing_to_wait_for = body.to.kind != dsl::EventStrategy::Kind::any && body.to.filters.empty();
  if (info.dry_run && act.record != kNone) {
    records[act.record].logs.push_back({now, "info", "dry run: it would wait for events"});
    mark_dirty(act.record);
  }
  if (nothing_to_wait_for || info.dry_run) return finish_listen(act, body);  // nobody sends events to a dry run
  act.listening = true;
  listeners.push_back(act.id);
  listens_changed_ = true;
  set_record_status(act, TaskStatus::waiting);
  if (mailbox && !mailbox->messages.empty()) push(act, WorkItem::Op::poll);
}

void Core::stop_listening(Activation& act) {
  act.listening = false;
  std::erase(listeners, act.id);
  listens_changed_ = true;
}

bool Mailbox::remember(std::string key, std::size_t limit) {
  if (!known.insert(key).second) return false;
  seen.push_back(std::move(key));
  if (seen.size() - seen_from > limit) known.erase(seen[seen_from++]);
  if (seen_from > limit) {
    seen.erase(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(seen_from));
    seen_from = 0;
  }
  return true;
}

void Core::handle(const MessageArrived& event) {
  if (root == kNone || !event.event.is_object()) return;
  if (!mailbox) mailbox = std::make_unique<Mailbox>();
  const auto& source = event.event.get("source");
  const auto& id = event.event.get("id");
  if (source.is_string() && id.is_string()) {
    std::string key(source.as_string());
    key += '\n';
    key += id.as_string();
    if (!mailbox->remember(std::move(key), limits.max_messages)) return;
  }
  auto& messages = mailbox->messages;
  if (messages.size() >= limits.max_messages) messages.erase(messages.begin());
  messages.push_back({mailbox->next_number++, event.event});
  for (const auto listener : listeners) push(*activations[listener], WorkItem::Op::poll);
}

void Core::poll_messages(Activation& act) {
  if (!act.listening || !mailbox || act.first_child != kNone) return;  // busy with a message: it polls again afterwards
  const auto& body = std::get<dsl::ListenTask>(task_of(act).body);
  auto& messages = mailbox->messages;
  const auto later = [](std::uint64_t number, const Mailbox::Message& message) { return number < message.number; };
  auto next = std::upper_bound(messages.begin(), messages.end(), act.cursor, later);
  for (; next != messages.end(); ++next) {
    act.cursor = next->number;
    const auto event = next->event;
    bool taken = false;
    if (!take_message(act, body, event, taken)) return;
    if (!taken) continue;
    messages.erase(next);
    return message_consumed(act, body);
  }
}

/// Offers a message to the filters. What `until` consumes ends the listening and is not part of the output.
bool Core::take_message(Activation& act, const dsl::ListenTask& body, const json::Value& event, bool& taken) {
  const auto& to = body.to;
  const auto offer = [&](const dsl::EventFilter& filter, std::size_t place) {
    if (to.kind == dsl::EventStrategy::Kind::all && act.children[place].status == Status::completed) return true;
    if (!matches(act, filter, event, taken)) return false;
    if (taken) act.children[place].status = Status::completed;
    return true;
  };
  if (to.until_consumed) {
    const auto& filters = to.until_consumed->filters;
    for (std::size_t i = 0; i < filters.size() && !taken; ++i) {
      const auto place = to.filters.size() + i;
      if (act.children[place].status == Status::completed) continue;
      if (!offer(filters[i], place)) return false;
    }
    taken |= filters.empty();
    if (taken) return true;
  }
  for (std::size_t i = 0; i < to.filters.size() && !taken; ++i) {
    if (!offer(to.filters[i], i)) return false;
  }
  if (to.filters.empty()) taken = true;
  if (taken) act.locals.push_back(read_message(event, body.read));
  return true;
}

void Core::message_consumed(Activation& act, const dsl::ListenTask& body) {
  const auto& to = body.to;
  if (to.until_consumed && is_satisfied(*to.until_consumed, act.children, to.filters.size())) return finish_listen(act, body);
  const bool is_new = act.locals.size() > act.position;
  if (is_new && body.foreach) {
    const auto number = act.position;
    open_list(act, ListRole::body, number, act.input, act.locals.at(number));
    return;
  }
  act.position = static_cast<std::uint32_t>(act.locals.size());
  bool done = true;
  if (to.kind == dsl::EventStrategy::Kind::all) done = is_satisfied(to, act.children, 0);
  if (to.kind == dsl::EventStrategy::Kind::any && (to.until || to.until_consumed)) done = false;
  if (to.until && is_new) {
    const auto consumed = act.locals;
    if (!test(act, *to.until, consumed, TaskScope(*this, &act, act.input).with_output(consumed), done)) return;
  }
  if (done) return finish_listen(act, body);
  push(act, WorkItem::Op::poll);
}

/// Adds what the tasks of a `foreach` made of one item to the task's output.
bool Core::finish_item(Activation& act, const dsl::ForeachClause& foreach, Ended& ended) {
  if (ended.ending == Ending::faulted) {
    propagate(act, std::move(ended.error));
    return false;
  }
  TaskScope scope(*this, &act, act.input);
  scope.bind(foreach.item, act.locals.at(ended.number)).bind(foreach.at, json::Value(ended.number));
  json::Value result = ended.output;
  if (foreach.output_as && !evaluate(act, *foreach.output_as, ended.output, scope, result)) return false;
  if (foreach.export_as) {
    json::Value context;
    if (!evaluate(act, *foreach.export_as, result, scope.with_output(result), context)) return false;
    set_context(act, std::move(context));
  }
  act.output.push_back(std::move(result));
  act.position = ended.number + 1;
  return true;
}

void Core::ended_in(Activation& act, const dsl::ListenTask& body, Ended& ended) {
  if (!finish_item(act, *body.foreach, ended)) return;
  if (ended.flow.kind == dsl::Flow::Kind::exit) return finish_listen(act, body);

  const auto& to = body.to;
  bool done = to.kind == dsl::EventStrategy::Kind::all ? is_satisfied(to, act.children, 0) : !(to.until || to.until_consumed);
  if (to.until) {
    const auto consumed = act.locals;
    if (!test(act, *to.until, consumed, TaskScope(*this, &act, act.input), done)) return;
  }
  if (done) return finish_listen(act, body);
  push(act, WorkItem::Op::poll);
}

void Core::finish_listen(Activation& act, const dsl::ListenTask& body) {
  if (act.listening) stop_listening(act);
  auto result = body.foreach ? std::move(act.output) : std::move(act.locals);
  act.children.clear();
  complete_body(act, std::move(result));
}

bool Core::matches(Activation& act, const dsl::EventFilter& filter, const json::Value& event, bool& matched) {
  matched = false;
  for (const auto& [attribute, wanted] : filter.with) {
    if (!attribute_matches(act, wanted, event.get(attribute))) return true;
  }
  return correlates(act, filter, event, matched);
}

/// An expression that fails on a message does not match it: what comes from outside cannot make a run fault.
bool Core::attribute_matches(Activation& act, const dsl::Template& wanted, const json::Value& value) {
  const TaskScope scope(*this, &act, act.input);
  if (wanted.is_constant()) {
    const auto pattern = pattern_in(wanted.constant());
    if (!pattern) return wanted.constant() == value;
    if (!value.is_string()) return false;
    if (!regular_expression_) {
      auto compiled = dsl::Expression::compile("test($pattern)", {"pattern"});
      if (compiled.has_error()) return false;
      regular_expression_ = std::move(compiled).value();
    }
    TaskScope with_pattern(*this, &act, act.input);
    with_pattern.bind("pattern", json::Value(*pattern));
    const auto found = regular_expression_->test(value, with_pattern);
    return found.has_value() && found.value();
  }
  const auto result = wanted.evaluate(value, scope);
  if (result.has_error()) return false;
  return result.value().is_bool() ? result.value().as_bool() : result.value() == value;
}

/// Keys without `expect` are bound by the first message that matches, for as long as this `listen` lasts.
bool Core::correlates(Activation& act, const dsl::EventFilter& filter, const json::Value& event, bool& matched) {
  auto bound = act.extra;
  const TaskScope scope(*this, &act, act.input);
  for (const auto& key : filter.correlate) {
    const auto extracted = key.from.evaluate(event, scope);
    if (extracted.has_error() || extracted.value().is_null()) return true;
    if (key.expect) {
      json::Value expected;
      if (!evaluate(act, *key.expect, act.input, scope, expected)) return false;
      if (!(expected == extracted.value())) return true;
    } else if (const auto* known = bound.find(key.name); known != nullptr) {
      if (!(*known == extracted.value())) return true;
    } else {
      bound.set(key.name, extracted.value());
    }
  }
  act.extra = std::move(bound);
  matched = true;
  return true;
}

}  // namespace pawl::engine::detail
