// Properties of random workflows with random outcomes. A failing seed is printed; `--gtest_filter=Property.*` with that seed in kFirstSeed
// replays it.
#include "engine/machine/detail/test_wind_up.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::TestRun;
using testing::undoable_and_undone;

constexpr std::uint64_t kFirstSeed = 1;
constexpr std::uint64_t kSeeds = 2000;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
  std::uint64_t roll(std::uint64_t sides) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return (state_ >> 11U) % sides;
  }
  bool chance(std::uint64_t percent) { return roll(100) < percent; }

 private:
  std::uint64_t state_;
};

Value object(std::string_view key, Value value) { return Value::object({{key, std::move(value)}}); }

/// Makes documents. `ordered` leaves out whatever may end differently when independent steps complete in another order: races, timeouts,
/// messages. `winds_up` adds compensations and `finally`.
class Generator {
 public:
  Generator(std::uint64_t seed, bool ordered, bool winds_up) : dice_(seed), ordered_(ordered), winds_up_(winds_up) {}

  Value document() {
    auto head = Value::object({{"dsl", "1.0.3"}, {"namespace", "tests"}, {"name", "random"}, {"version", "1.0.0"}});
    if (winds_up_ && dice_.chance(60)) {
      winds_up_ = false;  // nothing undoes `finally`
      head.set("metadata", object("finally", list(2)));
      winds_up_ = true;
    }
    auto doc = object("document", std::move(head));
    doc.set("do", list(0));
    return doc;
  }

 private:
  Value list(int depth) {
    auto tasks = Value::array();
    const auto length = 1 + dice_.roll(depth == 0 ? 4 : 2);
    for (std::uint64_t i = 0; i < length; ++i) tasks.push_back(object("t" + std::to_string(++names_), task(depth)));
    return tasks;
  }

  Value task(int depth) {
    auto task = body(depth < 3 ? dice_.roll(12) : dice_.roll(5), depth);
    if (dice_.chance(8)) task.set("if", dice_.chance(50) ? "${ true }" : "${ false }");
    if (dice_.chance(10)) task.set("output", object("as", "${ {o: .} }"));
    if (dice_.chance(15)) task.set("export", object("as", "${ $context + {k" + std::to_string(names_) + ": (. | tojson | length)} }"));
    if (winds_up_) undo(task);
    if (!ordered_ && dice_.chance(6)) task.set("timeout", object("after", object("seconds", 1 + static_cast<int>(dice_.roll(4)))));
    return task;
  }

  void undo(Value& task) {
    for (const auto* const name : {"set", "wait", "switch", "raise"}) {
      if (task.find(name) != nullptr) return;
    }
    auto metadata = task.get("metadata").is_object() ? task.get("metadata") : Value::object();
    auto call = Value::object({{"call", "fetch"}, {"with", object("undo", "${ [$task.output, $task.input, $status] }")}});
    if (task.find("try") != nullptr && dice_.chance(60)) {
      metadata.set("compensate", true);
    } else if (dice_.chance(20)) {
      metadata.set("compensate", object("do", Value::array({object("u1", call), object("u2", call)})));
    } else if (dice_.chance(50)) {
      metadata.set("compensate", std::move(call));
    }
    if (!metadata.empty()) task.set("metadata", std::move(metadata));
  }

  Value body(std::uint64_t kind, int depth) {
    switch (kind) {
      case 0: return object("set", object("h", "${ [., $context, " + std::to_string(names_) + "] | tojson | explode | add }"));
      case 1:
      case 2: return Value::object({{"call", "fetch"}, {"with", object("x", "${ . }")}});
      case 3: return object("wait", object("seconds", 1 + static_cast<int>(dice_.roll(3))));
      case 4: return rare();
      case 5: return object("do", list(depth + 1));
      case 6:
      case 7: return loop(depth);
      case 8:
      case 9: return fork(depth);
      default: return attempt(depth);
    }
  }

  Value rare() {
    const auto kind = dice_.roll(ordered_ ? 3 : 6);
    if (kind == 0) return object("raise", object("error", Value::object({{"type", "urn:raised"}, {"status", 500}, {"title", "Raised"}})));
    if (kind == 1) return object("emit", object("event", object("with", Value::object({{"type", "made"}, {"data", "${ . }"}}))));
    if (kind == 2) return object("set", object("n", 1));
    if (kind == 3) {
      const auto* target = dice_.chance(30) ? "end" : "exit";
      return object("switch", Value::array({object("c", Value::object({{"when", "${ true }"}, {"then", target}}))}));
    }
    auto listen = object("to", object("one", object("with", object("type", dice_.chance(50) ? "tick" : "tock"))));
    if (dice_.chance(40)) {
      listen =
          object("to", Value::object({{"any", Value::array({object("with", object("type", "tick"))})}, {"until", "${ length == 2 }"}}));
    }
    return object("listen", std::move(listen));
  }

  Value loop(int depth) {
    auto task = object("for", Value::object({{"each", "n"}, {"in", "${ [range(" + std::to_string(dice_.roll(4)) + ")] }"}}));
    task.set("do", list(depth + 1));
    if (dice_.chance(40)) task.set("metadata", object("concurrency", 1 + static_cast<int>(dice_.roll(3))));
    return task;
  }

  Value fork(int depth) {
    auto branches = Value::array();
    const auto count = 1 + dice_.roll(3);
    for (std::uint64_t i = 0; i < count; ++i) branches.push_back(object("t" + std::to_string(++names_), task(depth + 1)));
    auto fork = object("branches", std::move(branches));
    if (!ordered_ && dice_.chance(30)) fork.set("compete", true);
    return object("fork", std::move(fork));
  }

  Value attempt(int depth) {
    auto handler = Value::object();
    if (dice_.chance(70)) {
      const int count = 1 + static_cast<int>(dice_.roll(2));
      handler.set("retry", Value::object({{"delay", object("seconds", static_cast<int>(dice_.roll(3)))},
                                          {"limit", object("attempt", object("count", count))}}));
    }
    if (dice_.chance(60)) handler.set("do", list(depth + 1));
    return Value::object({{"try", list(depth + 1)}, {"catch", std::move(handler)}});
  }

  Dice dice_;
  bool ordered_;
  bool winds_up_;
  int names_ = 0;
};

dsl::PlanPtr random_plan(std::uint64_t seed, bool ordered, bool winds_up = false) {
  const auto document = Generator(seed, ordered, winds_up).document();
  auto compiled = dsl::compile_data(document, testing::TestCatalog());
  for (const auto& finding : compiled.findings) {
    EXPECT_NE(finding.severity, Severity::error) << finding.pointer << " " << finding.message << "\n" << json::to_text(document);
  }
  return compiled.value ? *compiled.value : nullptr;
}

/// The outcome of an effect depends on its task only (and, unless `ordered`, on the attempt), not on when it comes.
decltype(Event::body) outcome(std::uint64_t seed, const StartEffect& effect, bool ordered) {
  std::uint64_t key = seed * 1000 + effect.step.task;
  for (const auto round : effect.step.iteration) key = key * 31 + round;
  if (!ordered) key = key * 31 + effect.step.attempt;
  Dice dice(key);
  dice.roll(2);
  if (dice.chance(ordered ? 15 : 35)) {
    return EffectFailed{effect.effect, make_error("communication", 503, "Failed", {}), {}};
  }
  return EffectSucceeded{effect.effect, Value(static_cast<int>(dice.roll(1000))), {}};
}

/// Something that may happen next in the world; nothing where the run waits for none of it.
std::optional<decltype(Event::body)> next_event(const Machine& machine, std::uint64_t seed, Dice& dice, bool ordered) {
  const auto effects = machine.pending_effects();
  const auto timers = machine.pending_timers();
  const bool listens = !machine.listens().empty();
  const auto choices = effects.size() + timers.size() + (listens ? 1 : 0);
  if (choices == 0) return std::nullopt;
  const auto choice = dice.roll(choices);
  if (choice < effects.size()) return outcome(seed, effects[choice], ordered);
  if (choice < effects.size() + timers.size()) return TimerFired{timers[choice - effects.size()].timer};
  auto event = Value::object({{"id", std::to_string(dice.roll(1'000'000))}, {"source", "/world"}, {"data", 1}});
  event.set("type", dice.chance(60) ? "tick" : "tock");
  return MessageArrived{event};
}

class Property : public ::testing::Test {
 protected:
  static constexpr int kMaxEvents = 400;
  static void behave_identically(std::uint64_t seeds, bool winds_up);
};

void Property::behave_identically(std::uint64_t seeds, bool winds_up) {
  int undoing = 0;
  for (auto seed = kFirstSeed; seed < kFirstSeed + seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = random_plan(seed, false, winds_up);
    ASSERT_TRUE(plan);
    int cancels = 0;
    bool undid_again = false;
    Dice dice(seed + 7);
    TestRun plain(plan, Value::object());
    TestRun reloaded(plan, Value::object());
    plain.checks = testing::Checks::keys;
    reloaded.checks = testing::Checks::reload;
    bool retried = false;
    for (int i = 0; i < kMaxEvents; ++i) {
      std::optional<decltype(Event::body)> event;
      if (is_final(plain.phase())) {
        if (retried || plain.phase() == Phase::completed || !dice.chance(50)) break;
        retried = true;
        undid_again = plain.machine().has_undone();
        event = RetryRequested{};
      } else if (dice.chance(3)) {
        event = SuspendRequested{};
      } else if (plain.phase() == Phase::suspended && dice.chance(40)) {
        event = ResumeRequested{};
      } else if (dice.chance(1)) {
        event = CancelRequested{"dice"};
        ++cancels;
      } else {
        event = next_event(plain.machine(), seed, dice, false);
        if (!event) event = ResumeRequested{};
      }
      plain.advance(Millis(dice.roll(1500)));
      reloaded.advance(plain.now() - reloaded.now());
      plain.apply(*event);
      reloaded.apply(*event);
      ASSERT_EQ(plain.actions().size(), reloaded.actions().size());
      ASSERT_EQ(plain.machine().phase(), reloaded.machine().phase());
    }
    ASSERT_EQ(plain.snapshot(), reloaded.snapshot());
    plain.verify();
    if (cancels < 2 && !undid_again && is_final(plain.phase()) && testing::has_undone_all(plain.machine())) {
      const auto [undoable, undone] = undoable_and_undone(plain.machine());
      ASSERT_EQ(undoable, undone) << "each exactly once: " << plain.history();
      undoing += undone > 0 ? 1 : 0;
    }
    if (HasFailure()) return;
  }
  EXPECT_TRUE(!winds_up || undoing > 100) << undoing << ": the generator makes workflows that undo something";
}

TEST_F(Property, W7RestoredAndReplayedMachinesBehaveIdentically) { behave_identically(kSeeds, false); }

TEST_F(Property, W10_SoDoThoseThatUndoWhatTheyDid) { behave_identically(kSeeds, true); }

TEST_F(Property, W10_WhateverIsAskedAtAnyMomentWhatHadFinishedIsUndoneOnce) {
  constexpr std::uint64_t kWorkflows = 400;
  constexpr std::size_t kLongest = 40;
  int positions = 0;
  int undoing = 0;
  for (auto seed = kFirstSeed; seed < kFirstSeed + kWorkflows; ++seed) {
    const auto plan = random_plan(seed, false, true);
    ASSERT_TRUE(plan);
    Dice dice(seed + 11);
    TestRun whole(plan, Value::object());
    whole.checks = testing::Checks::keys;
    while (!is_final(whole.phase()) && whole.events().size() < kLongest) {
      const auto event = next_event(whole.machine(), seed, dice, false);
      ASSERT_TRUE(event);
      whole.apply(*event);
    }
    const auto next = [&](const Machine& machine) { return next_event(machine, seed, dice, false); };
    const auto walked = testing::walk(
        whole, [&] { return dice.chance(40); }, next);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    positions += walked.first;
    undoing += walked.second;
  }
  EXPECT_GT(undoing, 2500) << "of " << positions;
}

TEST_F(Property, AnyOrderOfIndependentCompletionsEndsInTheSameOutput) {
  int completed = 0;
  for (auto seed = kFirstSeed; seed < kFirstSeed + kSeeds / 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = random_plan(seed, true);
    ASSERT_TRUE(plan);
    std::optional<std::pair<Phase, std::string>> first;
    for (std::uint64_t order = 0; order < 3; ++order) {
      Dice dice(seed * 10 + order);
      TestRun run(plan, Value::object());
      run.checks = testing::Checks::keys;
      for (int i = 0; i < kMaxEvents && !is_final(run.phase()); ++i) {
        const auto event = next_event(run.machine(), seed, dice, true);
        ASSERT_TRUE(event);
        run.apply(*event);
      }
      ASSERT_TRUE(is_final(run.phase()));
      const std::pair<Phase, std::string> end{run.phase(), json::to_text(run.machine().output())};
      if (!first) first = end;
      ASSERT_EQ(*first, end);
    }
    completed += first->first == Phase::completed ? 1 : 0;
  }
  EXPECT_GT(completed, 200) << "the generator makes workflows that get somewhere";
}

TEST_F(Property, CancelAtAnyPointEndsCancelledWithNothingPending) {
  for (auto seed = kFirstSeed; seed < kFirstSeed + kSeeds / 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = random_plan(seed, false);
    ASSERT_TRUE(plan);
    Dice dice(seed + 3);
    TestRun run(plan, Value::object());
    const auto stop_after = dice.roll(12);
    for (std::uint64_t i = 0; i < stop_after && !is_final(run.phase()); ++i) run.apply(*next_event(run.machine(), seed, dice, false));
    const bool was_final = is_final(run.phase());
    const auto before = run.snapshot();
    const auto effects = run.machine().pending_effects().size();
    const auto timers = run.machine().pending_timers().size();
    run.apply(CancelRequested{"now"});
    if (was_final) {
      ASSERT_EQ(run.snapshot(), before);
      continue;
    }
    ASSERT_EQ(run.phase(), Phase::cancelled);
    ASSERT_EQ(run.count<CancelEffect>(), effects);
    ASSERT_EQ(run.count<CancelTimer>(), timers);
    for (const auto& record : run.machine().records()) {
      ASSERT_TRUE(record.ended_at) << "no record stays open";
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pawl::engine
