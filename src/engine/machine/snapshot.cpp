// A run's state as data and back. Each structure lists its fields once (`describe`), for writing and reading alike; members that have their
// usual value are left out.
#include <fmt/format.h>

#include <algorithm>

#include "engine/machine/detail/agent_memory.hpp"
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {
namespace {

constexpr std::int64_t kSnapshotVersion = 1;

class Writer {
 public:
  Writer() : object_(json::Value::object()) {}
  [[nodiscard]] json::Value take() { return std::move(object_); }

  template <class T>
  void operator()(const char* name, T& field) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, TimePoint>) {
      if (field == T{}) return;
    }
    auto value = encode(field);
    const bool is_scalar = !value.is_null() && !value.is_string() && !value.is_array() && !value.is_object();
    const bool is_empty = std::is_same_v<T, json::Value> ? value.is_null() : !is_scalar && value.empty();
    if (!is_empty) object_.set(name, std::move(value));
  }
  template <class T>
  void operator()(const char* name, T& field, T usual) {
    if (field != usual) object_.set(name, encode(field));
  }

  template <class T>
  static json::Value encode(T& field);

 private:
  json::Value object_;
};

class Reader {
 public:
  explicit Reader(const json::Value& object) : object_(object), ok_(object.is_object()) {}
  [[nodiscard]] bool ok() const { return ok_; }

  template <class T>
  void operator()(const char* name, T& field) {
    field = T{};
    read(name, field);
  }
  template <class T>
  void operator()(const char* name, T& field, T usual) {
    field = usual;
    read(name, field);
  }

  template <class T>
  static bool decode(const json::Value& value, T& field);

 private:
  template <class T>
  void read(const char* name, T& field) {
    const auto* found = object_.find(name);
    if (found != nullptr && !decode(*found, field)) ok_ = false;
  }

  const json::Value& object_;
  bool ok_;
};

// ---- the fields of each structure ---------------------------------------------------------------------------------------------

template <class Archive>
void describe(Archive& archive, dsl::Flow& flow) {
  archive("kind", flow.kind);
  archive("target", flow.target);
}

template <class Archive>
void describe(Archive& archive, LogLine& line) {
  archive("at", line.at);
  archive("level", line.level);
  archive("text", line.text);
}

template <class Archive>
void describe(Archive& archive, TaskRecord& record) {
  archive("task", record.task);
  archive("iteration", record.iteration);
  archive("status", record.status);
  archive("attempt", record.attempt, 1U);
  archive("input", record.input);
  archive("output", record.output);
  archive("error", record.error);
  archive("started", record.started_at);
  archive("ended", record.ended_at);
  archive("logs", record.logs);
}

template <class Archive>
void describe(Archive& archive, Child& child) {
  archive("status", child.status);
  archive("attempt", child.attempt);
  archive("retries", child.retries);
  archive("timer", child.timer);
  archive("started", child.started_at);
  archive("output", child.output);
  archive("context", child.context);
  archive("error", child.error);
}

template <class Archive>
void describe(Archive& archive, Hold& hold) {
  archive("tokens", hold.tokens);
  archive("cost", hold.cost);
  archive("answer", hold.answer);
}

template <class Archive>
void describe(Archive& archive, AgentState& agent) {
  archive("settings", agent.settings);
  archive("transcript", agent.transcript);
  archive("news", agent.news);
  archive("answer", agent.answer);
  archive("input_tokens", agent.input_tokens);
  archive("output_tokens", agent.output_tokens);
  archive("cached_tokens", agent.cached_tokens);
  archive("reasoning_tokens", agent.reasoning_tokens);
  archive("cost", agent.cost);
  archive("priced", agent.is_cost_known, true);
  archive("token_limit", agent.token_limit);
  archive("cost_limit", agent.cost_limit);
  archive("assumed_tokens", agent.assumed_tokens);
  archive("assumed_cost", agent.assumed_cost);
  archive("held_tokens", agent.held_tokens);
  archive("held_cost", agent.held_cost);
  archive("held", agent.is_held);
  archive("waits", agent.waits);
  archive("hold", agent.hold);
  archive("steps", agent.steps);
  archive("step_limit", agent.step_limit);
  archive("repeats", agent.repeats);
  archive("prices", agent.prices);
  archive("known_tokens", agent.known_tokens);
  archive("tool_calls", agent.tool_calls);
  archive("turns", agent.turns);
  archive("failures", agent.failures);
  archive("last", agent.is_last);
  archive("stop", agent.stop);
  archive("models", agent.models);
  archive("untrusted", agent.untrusted);
  archive("seen", agent.seen);
  archive("aside", agent.aside, dsl::kNoTask);
  archive("recalled", agent.recalled);
  archive("asked", agent.asked);
  archive("summed_up", agent.is_summed_up);
  archive("result", agent.result);
}

template <class Archive>
void describe(Archive& archive, Activation& act) {
  archive("serial", act.serial);
  archive("id", act.id, kNone);
  archive("parent", act.parent, kNone);
  archive("payer", act.payer, kNone);
  archive("first", act.first_child, kNone);
  archive("next", act.next_sibling, kNone);
  archive("previous", act.previous_sibling, kNone);
  archive("owner", act.context_owner, kNone);
  archive("task", act.task, dsl::kNoTask);
  archive("number", act.number);
  archive("kind", act.kind);
  archive("role", act.role);
  archive("step", act.step);
  archive("ending", act.ending);
  archive("round", act.is_round);
  archive("flows", act.has_flow);
  archive("owns", act.owns_context);
  archive("listening", act.listening);
  archive("attempt", act.attempt, 1U);
  archive("attempts", act.max_attempt, 1U);
  archive("position", act.position);
  archive("count", act.count);
  archive("record", act.record, kNone);
  archive("effect", act.effect);
  archive("timer", act.timer);
  archive("timeout", act.timeout_timer);
  archive("started", act.started_at);
  archive("flow", act.flow);
  archive("raw", act.raw_input);
  archive("input", act.input);
  archive("output", act.output);
  archive("error", act.error);
  archive("locals", act.locals);
  archive("extra", act.extra);
  archive("context", act.context);
  archive("children", act.children);
  archive("agent", act.agent);
  archive("cursor", act.cursor);
}

template <class Archive>
void describe(Archive& archive, WorkItem& item) {
  archive("activation", item.activation, kNone);
  archive("serial", item.serial);
  archive("op", item.op);
  archive("use", item.use);
  archive("number", item.number);
}

template <class Archive>
void describe(Archive& archive, PendingEffect& effect) {
  archive("activation", effect.activation, kNone);
  archive("begun", effect.begun);
  archive("probe", effect.is_probe);
  archive("arguments", effect.arguments);
}

template <class Archive>
void describe(Archive& archive, PendingTimer& timer) {
  archive("activation", timer.activation, kNone);
  archive("use", timer.use);
  archive("number", timer.number);
  archive("due", timer.due);
}

template <class Archive>
void describe(Archive& archive, ApprovalRequest& request) {
  archive("title", request.title);
  archive("message", request.message);
  archive("data", request.data);
  archive("roles", request.roles);
  archive("users", request.users);
  archive("exclude_starter", request.exclude_starter);
  archive("deadline", request.deadline);
  archive("on_deadline", request.on_deadline);
  archive("form", request.form);
}

template <class Archive>
void describe(Archive& archive, PendingApproval& approval) {
  archive("activation", approval.activation, kNone);
  archive("number", approval.number);
  archive("timer", approval.timer);
  archive("asked", approval.asked_at);
  archive("request", approval.request);
  archive("decision", approval.decision);
}

template <class Archive>
void describe(Archive& archive, Mailbox::Message& message) {
  archive("number", message.number);
  archive("event", message.event);
}

template <class Archive>
void describe(Archive& archive, Mailbox& mailbox) {
  archive("messages", mailbox.messages);
  archive("next", mailbox.next_number, std::uint64_t{1});
  archive("seen", mailbox.seen);
  archive("seen_from", mailbox.seen_from);
}

template <class Archive>
void describe(Archive& archive, FaultPoint& point) {
  archive("chain", point.chain);
  archive("restart", point.restart);
  archive("number", point.number);
  archive("raw", point.raw_input);
}

template <class Archive>
void describe(Archive& archive, Finished& entry) {
  archive("status", entry.status);
  archive("task", entry.task);
  archive("iteration", entry.iteration);
  archive("attempt", entry.attempt);
  archive("started", entry.started_at);
  archive("input", entry.input);
  archive("output", entry.output);
  archive("context", entry.context);
  archive("variables", entry.variables);
  archive("error", entry.error);
  archive("bytes", entry.bytes);
  archive("untold", entry.is_untold);
}

template <class Archive>
void describe(Archive& archive, WindUp& wind_up) {
  archive("stage", wind_up.stage);
  archive("undid", wind_up.undid);
  archive("closed", wind_up.has_closed);
  archive("attempt", wind_up.attempt);
  archive("ending", wind_up.ending);
  archive("output", wind_up.output);
  archive("error", wind_up.error);
  archive("context", wind_up.context);
  archive("point", wind_up.point);
  archive("record", wind_up.record, kNone);
  archive("finished", wind_up.finished);
  archive("bytes", wind_up.bytes);
  archive("adrift", wind_up.adrift);
}

template <class Archive>
void describe(Archive& archive, Core& core) {
  archive("rules", core.rules);
  archive("phase", core.phase);
  archive("suspended", core.suspended);
  archive("input", core.input);
  archive("workflow_input", core.workflow_input);
  archive("output", core.output);
  archive("error", core.error);
  archive("started", core.started_at);
  archive("ended", core.ended_at);
  archive("now", core.now);
  archive("records", core.records);
  archive("records_dropped", core.records_dropped);
  archive("activations", core.activations);
  archive("free", core.free_slots);
  archive("serial", core.next_serial, 1U);
  archive("live", core.live);
  archive("root", core.root, kNone);
  archive("effects", core.effects);
  archive("timers", core.timers);
  archive("approvals", core.approvals);
  archive("next_effect", core.next_effect, EffectId{1});
  archive("next_timer", core.next_timer, TimerId{1});
  archive("next_approval", core.next_approval, ApprovalId{1});
  archive("listeners", core.listeners);
  archive("mailbox", core.mailbox);
  archive("fault_point", core.fault_point);
  archive("fault_record", core.fault_record, kNone);
  archive("wind_up", core.wind_up);
}

// ---- types to values and back -------------------------------------------------------------------------------------------------

template <class T>
json::Value Writer::encode(T& field) {
  if constexpr (std::is_same_v<T, json::Value>) {
    return field;
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> || std::is_integral_v<T>) {
    return json::Value(field);
  } else if constexpr (std::is_enum_v<T>) {
    return json::Value(static_cast<std::int64_t>(field));
  } else if constexpr (std::is_same_v<T, TimePoint>) {
    return json::Value(std::int64_t{field.time_since_epoch().count()});
  } else if constexpr (
      requires { field.has_value(); } || requires { field.get(); }) {  // optional, unique_ptr
    return field ? encode(*field) : json::Value();
  } else if constexpr (requires { field.begin()->second; }) {  // map
    auto array = json::Value::array();
    for (auto& [key, value] : field) array.push_back(json::Value::array({json::Value(key), encode(value)}));
    return array;
  } else if constexpr (
      requires { field.push_back(*field.begin()); } || requires { field.emplace_back(); }) {
    auto array = json::Value::array();
    array.reserve(field.size());
    for (auto& item : field) array.push_back(encode(item));
    return array;
  } else {
    Writer writer;
    describe(writer, field);
    return writer.take();
  }
}

template <class T>
bool Reader::decode(const json::Value& value, T& field) {
  if constexpr (std::is_same_v<T, json::Value>) {
    field = value;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value.is_bool()) field = value.as_bool();
    return value.is_bool();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (value.is_string()) field = value.as_string();
    return value.is_string();
  } else if constexpr (std::is_integral_v<T>) {
    if (!value.is_integer() || !std::in_range<T>(value.as_integer())) return false;
    field = static_cast<T>(value.as_integer());
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    if (!value.is_integer() || value.as_integer() < 0 || value.as_integer() > 15) return false;
    field = static_cast<T>(value.as_integer());
    return true;
  } else if constexpr (std::is_same_v<T, TimePoint>) {
    if (value.is_integer()) field = TimePoint(Millis(value.as_integer()));
    return value.is_integer();
  } else if constexpr (requires { field.has_value(); }) {
    return value.is_null() || decode(value, field.emplace());
  } else if constexpr (requires { field.get(); }) {
    if (value.is_null()) return true;
    field = std::make_unique<typename T::element_type>();
    return decode(value, *field);
  } else if constexpr (requires { field.begin()->second; }) {
    if (!value.is_array()) return false;
    for (const auto& pair : value.items()) {
      typename T::key_type key{};
      if (!pair.is_array() || pair.size() != 2 || !decode(pair.at(0), key)) return false;
      if (!decode(pair.at(1), field[key])) return false;
    }
    return true;
  } else if constexpr (requires { field.emplace_back(); }) {
    if (!value.is_array()) return false;
    field.clear();
    field.reserve(value.size());
    for (const auto& item : value.items()) {
      if (!decode(item, field.emplace_back())) return false;
    }
    return true;
  } else {
    Reader reader(value);
    describe(reader, field);
    return reader.ok();
  }
}

/// An agent in progress has its state, and nothing else has one.
bool fits(const Core& core, const Activation& act) {
  if (act.kind != Kind::task || act.task >= core.plan->tasks.size()) return act.agent.empty();
  const auto* body = std::get_if<dsl::AgentTask>(&core.task_of(act).body);
  if (body == nullptr) return act.agent.empty();
  if (act.agent.empty()) return act.children.empty() && act.first_child == kNone;
  const auto& agent = act.agent[0];
  const bool is_aside =
      agent.aside == dsl::kNoTask || (agent.aside < core.plan->tasks.size() && is_aside_of(*core.plan, act.task, agent.aside));
  return act.agent.size() == 1 && agent.transcript.is_array() && agent.news.is_array() && is_aside &&
         agent.recalled <= agent.transcript.size();
}

/// A list of the document itself, or one that has an owner, and what it undoes where it does.
bool has_place(const Core& core, const Activation& act) {
  const bool is_list = act.kind == Kind::list;
  if (is_list && act.role == ListRole::root) return true;
  if (is_list && act.role == ListRole::finally) return !core.plan->finally.tasks.empty();
  if (act.task >= core.plan->tasks.size()) return false;
  if (!is_list || act.role != ListRole::undo) return true;
  return act.number < core.wind_up.finished.size() && core.wind_up.finished[act.number].task == act.task;
}

/// Indices that a snapshot holds must lie within its own tables and the plan: a damaged one is refused, never followed.
bool is_sound(const Core& core) {
  const auto slot_ok = [&](ActivationId id) {
    return id < core.activations.size() && core.activations[id] && core.activations[id]->id == id;
  };
  const auto link_ok = [&](ActivationId id) { return id == kNone || slot_ok(id); };
  const auto tasks = core.plan->tasks.size();
  for (const auto& act : core.activations) {
    if (!act) return false;
    if (act->id == kNone) continue;  // free
    if (!has_place(core, *act)) return false;
    if (!fits(core, *act)) return false;
    if (!slot_ok(act->context_owner) || !link_ok(act->parent) || !link_ok(act->payer) || !link_ok(act->first_child)) return false;
    if (!link_ok(act->next_sibling) || !link_ok(act->previous_sibling)) return false;
    if (act->record != kNone && act->record >= core.records.size()) return false;
  }
  for (const auto& record : core.records) {
    if (record.task >= tasks) return false;
  }
  for (const auto& [id, effect] : core.effects) {
    if (!slot_ok(effect.activation)) return false;
  }
  for (const auto& [id, timer] : core.timers) {
    if (!slot_ok(timer.activation)) return false;
    if (timer.use == TimerUse::approval && !core.approvals.contains(timer.number)) return false;
  }
  for (const auto& [id, approval] : core.approvals) {
    if (!slot_ok(approval.activation)) return false;
  }
  for (const auto& item : core.queue) {
    if (item.activation >= core.activations.size()) return false;
  }
  for (const auto id : core.listeners) {
    if (!slot_ok(id)) return false;
  }
  for (const auto& entry : core.wind_up.finished) {
    if (entry.task >= tasks || core.plan->task(entry.task).compensation.tasks.empty()) return false;
  }
  for (const auto id : core.wind_up.adrift) {
    if (!slot_ok(id) || !is_undo(*core.activations[id]) || core.activations[id]->parent != kNone) return false;
  }
  for (const auto* point : {&core.fault_point, &core.wind_up.point}) {
    const auto stands = [&](const Activation& act) { return has_place(core, act) && fits(core, act); };
    if (!std::all_of(point->chain.begin(), point->chain.end(), stands)) return false;
  }
  const bool is_open = core.root != kNone && slot_ok(core.root);
  if (core.wind_up.stage != WindUp::Stage::main && !is_open) return false;
  return link_ok(core.root) && (core.fault_record == kNone || core.fault_record < core.records.size());
}

}  // namespace

json::Value Core::snapshot() const {
  // `describe` serves reading too, so it takes its objects by reference; writing changes nothing.
  auto& self = const_cast<Core&>(*this);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  Writer writer;
  describe(writer, self);
  auto state = writer.take();
  std::vector<WorkItem> waiting(queue.begin() + static_cast<std::ptrdiff_t>(queue_head), queue.end());
  state.set("queue", Writer::encode(waiting));
  state.set("version", kSnapshotVersion);
  return state;
}

Result<void> Core::restore(const json::Value& snapshot) {
  const auto damaged = [](std::string_view why) {
    return Error(ErrorClass::internal, "run.snapshot", fmt::format("The run's snapshot cannot be used: {}.", why));
  };
  if (!snapshot.is_object() || !(snapshot.get("version") == json::Value(kSnapshotVersion))) return damaged("unknown version");
  // First of all: what else is in it may be new as well.
  if (const auto& written = snapshot.get("rules"); written.is_integer() && written.as_integer() > std::int64_t{kRules}) {
    return newer_rules(static_cast<std::uint64_t>(written.as_integer()));
  }
  Reader reader(snapshot);
  describe(reader, *this);
  if (!reader.ok() || !Reader::decode(snapshot.get("queue"), queue)) return damaged("a member has the wrong type");
  if (!is_sound(*this)) return damaged("it does not fit the workflow");
  for (auto& act : activations) {
    if (act->id == kNone || act->kind != Kind::list) continue;
    act->tasks = &list_of(*act);
    // Written before what undoes an attempt kept the error itself.
    if (is_undo(*act) && act->parent != kNone && act->extra.is_null()) act->extra = activations[act->parent]->extra;
  }
  for (auto* point : {&fault_point, &wind_up.point}) {
    for (auto& act : point->chain) {
      if (act.kind == Kind::list) act.tasks = &list_of(act);
    }
  }
  if (mailbox) {
    if (mailbox->seen_from > mailbox->seen.size()) return damaged("a member has the wrong value");
    mailbox->known.insert(mailbox->seen.begin() + static_cast<std::ptrdiff_t>(mailbox->seen_from), mailbox->seen.end());
  }
  index_failed_records();
  announced_ = phase;
  return {};
}

}  // namespace pawl::engine::detail
