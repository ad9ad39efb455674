/// For tests: a run that is driven by hand. It keeps every event, and after each one checks what must always hold: a machine restored from
/// the snapshot has the same snapshot, nothing is pending after the end; `verify` replays all events into a new machine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/compile.hpp"
#include "engine/machine/machine.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine::testing {

inline json::Value parsed(std::string_view text) {
  auto result = json::parse(text);
  EXPECT_TRUE(result.has_value()) << text;
  return result.has_value() ? std::move(result).value() : json::Value();
}

/// Knows the functions that tests call: `fetch`, `charge`, `noop`, `approval`, and those of agents: `llm`, `add` (stays within the run),
/// `look-up` (reads outside), `send` (acts).
class TestCatalog : public dsl::FunctionCatalog {
 public:
  TestCatalog() {
    const auto text = [](const char* names) {
      auto properties = json::Value::object();
      auto required = json::Value::array();
      const auto list = parsed(names);
      for (const auto& name : list.items()) {
        properties.set(name.as_string(), json::Value::object({{"type", "string"}}));
        required.push_back(name);
      }
      return json::Value::object({{"type", "object"}, {"properties", properties}, {"required", required}});
    };
    signatures_ = {{"fetch", {}}, {"charge", {}}, {"noop", {}}, {"approval", {}}, {"llm", {}}, {"memory-read", {}}, {"memory-write", {}}};
    signatures_.push_back({"add", parsed(R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})")});
    signatures_.push_back({"look-up", text(R"(["query"])"), "Looks something up."});
    signatures_.push_back({"send", text(R"(["to", "text"])")});
  }
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    const auto found = std::find_if(signatures_.begin(), signatures_.end(), [&](const auto& known) { return known.name == name; });
    return found == signatures_.end() ? nullptr : &*found;
  }
  [[nodiscard]] Reach reach(std::string_view name, const json::Value& /*fixed*/) const override {
    return {.reads_outside = name != "add", .acts = name == "send" || name == "charge"};
  }
  [[nodiscard]] std::vector<std::string> names() const override { return {"fetch", "charge", "noop", "approval"}; }

 protected:
  std::vector<Signature> signatures_;
};

/// `body` stands below the document's head: `do:`, `use:`, `input:` ...
inline dsl::PlanPtr plan_of(std::string_view body, const dsl::FunctionCatalog& catalog = TestCatalog()) {
  std::string text;
  if (body.find("tasks:") == std::string_view::npos || body.find("do:") != std::string_view::npos) {
    text = "document: {dsl: '1.0.3', namespace: tests, name: machine, version: '1.0.0'}\n";
  }
  text += body;
  auto compiled = dsl::compile(std::string_view(text), catalog);
  for (const auto& finding : compiled.findings) {
    EXPECT_EQ(finding.severity, Severity::warning)
        << finding.line << ":" << finding.column << " " << finding.pointer << " " << finding.message;
  }
  return compiled.value ? *compiled.value : nullptr;
}

inline RunInfo test_info() {
  RunInfo info;
  info.id = *RunId::parse("0190a000-0000-7000-8000-000000000001");
  info.seed = 42;
  info.secrets = json::Value::object({{"token", "s3cret"}});
  return info;
}

/// What is checked after each event: everything; that no step key comes twice; or nothing, but the machine is replaced by its restored
/// snapshot.
enum class Checks : std::uint8_t { all, keys, reload };

class TestRun {
 public:
  explicit TestRun(std::string_view body, std::string_view input = "{}", const MachineLimits& limits = {})
      : TestRun(plan_of(body), parsed(input), limits) {}
  TestRun(dsl::PlanPtr plan, json::Value input, const MachineLimits& limits = {})
      : plan_(std::move(plan)), limits_(limits), machine_(plan_, test_info(), limits) {
    apply(RunStarted{std::move(input)});
  }

  /// Applies an event now.
  void apply(decltype(Event::body) body) {
    events_.push_back({now_, std::move(body)});
    actions_.clear();
    machine_.apply(events_.back(), actions_);
    check();
  }
  void advance(Millis time) { now_ += time; }
  void decide(bool approved, std::string_view data = "null", ApprovalId approval = 1) {
    apply(ApprovalDecided{approval, approved, "ann", "said so", parsed(data)});
  }

  void succeed(std::string_view name, std::string_view output = "{}") { apply(EffectSucceeded{effect_of(name), parsed(output), {}}); }
  void fail(std::string_view name, int status = 500, std::string_view kind = "communication") {
    apply(EffectFailed{effect_of(name), make_error(kind, status, "Failed", {}), {}});
  }
  void succeed(EffectId effect, json::Value output) { apply(EffectSucceeded{effect, std::move(output), {}}); }
  /// Lets the earliest timer fire when it is due, and returns how long that took.
  Millis fire() {
    auto timers = machine_.pending_timers();
    EXPECT_FALSE(timers.empty());
    if (timers.empty()) return {};
    const auto next = *std::min_element(timers.begin(), timers.end(), [](const auto& a, const auto& b) { return a.due < b.due; });
    const auto waited = next.due - now_;
    now_ = std::max(now_, next.due);
    apply(TimerFired{next.timer});
    return waited;
  }
  void message(std::string_view type, std::string_view data = "null", std::string_view more = "{}") {
    auto event = parsed(more);
    event.set("specversion", "1.0");
    if (event.find("id") == nullptr) event.set("id", std::to_string(++messages_));
    if (event.find("source") == nullptr) event.set("source", "/test");
    event.set("type", type);
    event.set("data", parsed(data));
    apply(MessageArrived{event});
  }

  [[nodiscard]] const dsl::PlanPtr& plan() const { return plan_; }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  /// Of the oldest pending effect of the task with this name.
  [[nodiscard]] EffectId effect_of(std::string_view name) const { return pending_effect(name).effect; }
  [[nodiscard]] std::vector<std::string> pending() const {
    std::vector<std::string> names;
    for (const auto& effect : machine_.pending_effects()) names.push_back(machine_.plan().task(effect.step.task).name);
    return names;
  }
  [[nodiscard]] StartEffect pending_effect(std::string_view name) const {
    for (auto& effect : machine_.pending_effects()) {
      if (machine_.plan().task(effect.step.task).name == name) return effect;
    }
    ADD_FAILURE() << "no pending effect of " << name;
    return {};
  }
  template <class T>
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(
        std::count_if(actions_.begin(), actions_.end(), [](const Action& a) { return std::holds_alternative<T>(a); }));
  }

  [[nodiscard]] Machine& machine() { return machine_; }
  [[nodiscard]] Phase phase() const { return machine_.phase(); }
  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] const std::vector<Action>& actions() const { return actions_; }
  [[nodiscard]] std::string output() const {
    EXPECT_EQ(to_text(machine_.phase()), "completed") << json::to_text(machine_.error());
    return json::to_text(machine_.output());
  }
  [[nodiscard]] std::string error(std::string_view member) const {
    const auto& value = machine_.error().get(member);
    return value.is_string() ? std::string(value.as_string()) : json::to_text(value);
  }
  [[nodiscard]] std::string error_kind() const {
    const auto type = error("type");
    return type.substr(type.rfind('/') + 1);
  }
  /// `name:status` of each record, in order.
  [[nodiscard]] std::string history() const {
    std::string text;
    for (const auto& record : machine_.records()) {
      if (!text.empty()) text += ' ';
      text += machine_.plan().task(record.task).name;
      for (const auto round : record.iteration) text += "[" + std::to_string(round) + "]";
      text += ':';
      text += to_text(record.status);
      if (record.attempt > 1) text += "#" + std::to_string(record.attempt);
    }
    return text;
  }
  [[nodiscard]] std::string snapshot() const { return json::to_text(machine_.snapshot()); }

  /// All events once more, into a new machine that pauses wherever it can: the same state.
  void verify() const {
    Machine replayed(plan_, test_info(), limits_);
    std::vector<Action> actions;
    for (const auto& event : events_) {
      bool done = replayed.begin(event, actions, [] { return true; });
      while (!done) done = replayed.go_on(actions, [] { return true; });
    }
    EXPECT_EQ(json::to_text(replayed.snapshot()), snapshot());
  }
  /// Goes on with a machine restored from the snapshot instead.
  void reload() {
    auto restored = Machine::restore(plan_, test_info(), parsed(snapshot()), limits_);
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
    machine_ = std::move(restored).value();
  }
  Checks checks = Checks::all;

 private:
  void check() {
    for (const auto& action : actions_) {
      const auto* start = std::get_if<StartEffect>(&action);
      // After an interruption the same step goes on: that is the point of its key.
      const bool goes_on = std::any_of(events_.begin(), events_.end(),
                                       [](const Event& event) { return std::holds_alternative<EffectInterrupted>(event.body); });
      if (start != nullptr && !goes_on) {
        EXPECT_TRUE(keys_.insert(idempotency_key(machine_.info().id, start->step)).second) << "step key used twice";
      }
    }
    if (checks == Checks::keys) return;
    const auto state = machine_.snapshot();
    auto restored = Machine::restore(plan_, test_info(), state, limits_);
    ASSERT_TRUE(restored.has_value()) << restored.error().message << "\n" << json::to_text(state);
    if (checks == Checks::reload) {
      machine_ = std::move(restored).value();
      return;
    }
    EXPECT_EQ(json::to_text(restored.value().snapshot()), json::to_text(state));
    if (!is_final(machine_.phase())) return;
    EXPECT_TRUE(machine_.pending_effects().empty());
    EXPECT_TRUE(machine_.pending_timers().empty());
    EXPECT_TRUE(machine_.pending_approvals().empty());
    EXPECT_TRUE(machine_.listens().empty());
  }

  dsl::PlanPtr plan_;
  MachineLimits limits_;
  Machine machine_;
  TimePoint now_{Millis(1'760'000'000'000)};
  std::vector<Event> events_;
  std::vector<Action> actions_;
  std::set<std::string> keys_;
  int messages_ = 0;
};

/// What is left after a crash: a machine that knows the first `crash` events, every other time by way of a snapshot half way. `before` sees
/// each event with the machine that it comes to.
inline Machine crashed(const dsl::PlanPtr& plan, const std::vector<Event>& events, std::size_t crash,
                       const std::function<void(const Machine&, const Event&)>& before) {
  Machine machine(plan, test_info());
  std::vector<Action> ignored;
  for (std::size_t i = 0; i < crash; ++i) {
    before(machine, events[i]);
    ignored.clear();
    machine.apply(events[i], ignored);
    if (crash % 2 != 0 || i != crash / 2) continue;
    auto restored = Machine::restore(plan, test_info(), parsed(json::to_text(machine.snapshot())));
    EXPECT_TRUE(restored.has_value());
    if (restored.has_value()) machine = std::move(restored).value();
  }
  return machine;
}

}  // namespace pawl::engine::testing
