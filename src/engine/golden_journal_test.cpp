// Journals that were written once, with what they led to: every later program must come to the same when it reads them. They are recorded
// under each number of rules (engine/machine/event.hpp) by
//
//     PAWL_RECORD_JOURNALS=1 pawl_engine_test --gtest_filter='GoldenJournal.*'
//
// which adds the files that are missing under tests/journals and never changes one that is there.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "dsl/compile.hpp"
#include "engine/codec.hpp"
#include "engine/detail/test_support.hpp"
#include "engine/machine/machine.hpp"
#include "engine/records.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

namespace fs = std::filesystem;
using json::Value;

constexpr TimePoint kStart{Millis(1'760'000'000'000)};
constexpr std::size_t kLine = 60;  // bytes of a journal in one line of a file

class Catalog final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    const auto found = std::find_if(signatures_.begin(), signatures_.end(), [&](const auto& known) { return known.name == name; });
    return found == signatures_.end() ? nullptr : &*found;
  }
  [[nodiscard]] Reach reach(std::string_view name, const Value& /*fixed*/) const override {
    return {.reads_outside = name != "add", .acts = name == "charge"};
  }
  [[nodiscard]] std::vector<std::string> names() const override { return {"fetch", "charge", "add", "look-up", "llm", "approval"}; }

 private:
  std::vector<Signature> signatures_{
      {"fetch", {}},
      {"charge", {}},
      {"approval", {}},
      {"llm", {}},
      {"memory-read", {}},
      {"memory-write", {}},
      {"add", Value::object({{"type", "object"}}), "Adds."},
      {"look-up", Value::object({{"type", "object"}}), "Looks something up."},
  };
};

dsl::PlanPtr compiled(std::string_view document) {
  auto plan = dsl::compile(document, Catalog());
  for (const auto& finding : plan.findings) ADD_FAILURE() << finding.pointer << " " << finding.message;
  return plan.value ? *plan.value : nullptr;
}

RunInfo info() {
  RunInfo run;
  run.id = *RunId::parse("0190a000-0000-7000-8000-000000000001");
  run.seed = 42;
  run.created_at = kStart;
  return run;
}

// ---- what the journals hold -----------------------------------------------------------------------------------------------------------

struct Kind {
  const char* name;
  const char* document;
  bool waits = false;  ///< for a place, before it starts
  bool suspends = false;
  std::size_t cancel_at = SIZE_MAX;  ///< after so many events
  bool hurries = false;              ///< a limit of time runs out while something is undone
};

constexpr const char* kPlain = R"(document: {dsl: '1.0.3', namespace: golden, name: plain, version: '1.0.0'}
do:
  - first: {set: {n: '${ .n + 1 }'}}
  - each:
      for: {in: '[range(3)]', each: x}
      do: [{got: {call: fetch, with: {x: '${ $x }'}}}]
  - side: {fork: {branches: [{left: {call: fetch, with: {side: left}}}, {right: {call: fetch, with: {side: right}}}]}}
  - tried:
      try: [{shaky: {call: fetch, with: {shaky: true}}}]
      catch: {retry: {delay: {seconds: 2}, backoff: {exponential: {}}, jitter: {from: {milliseconds: 1}, to: {milliseconds: 900}},
              limit: {attempt: {count: 3}}}, do: [{told: {set: {caught: '${ $error.status }'}}}]}
  - sleep: {wait: {minutes: 5}}
  - asked: {call: approval, with: {title: Go on?}}
  - told: {listen: {to: {one: {with: {type: go}}}}}
  - last: {call: fetch, with: {all: '${ . }'}, export: {as: '${ {kept: .} }'}}
)";

constexpr const char* kAgent = R"(document: {dsl: '1.0.3', namespace: golden, name: agent, version: '1.0.0'}
do:
  - ask:
      call: agent
      with:
        model: big
        prompt: Begin.
        max_turns: 6
        parallel_tool_calls: 3
        budget: {tokens: 9000, cost: 2.5, steps: 40}
        on_budget: finish
        tools:
          - {function: add}
          - {function: look-up}
          - {agent: {model: small, budget: {tokens: 3000}, tools: [{function: look-up}]}, name: helper}
          - {agent: {model: small}, name: other}
  - beside: {fork: {branches: [{one: {call: agent, with: {model: big, prompt: One., budget: {tokens: 20000},
      tools: [{function: add}]}}},
      {two: {call: agent, with: {model: big, prompt: Two., budget: {cost: 0.5},
      tools: [{function: add}, {function: look-up}], memory: {summary: {after: 4, keep: 2, max_tokens: 300}}}}}]}}
)";

constexpr const char* kCompensation = R"(document:
  dsl: '1.0.3'
  namespace: golden
  name: compensation
  version: '1.0.0'
  metadata: {finally: [{f: {call: fetch, with: {how: '${ $status }'}}}]}
do:
  - a: {call: fetch, with: {book: a}, metadata: {compensate: {call: fetch, with: {undo: '${ $task.output }'}}}}
  - loop:
      for: {in: '[range(2)]'}
      do: [{x: {call: fetch, metadata: {compensate: {call: fetch, with: {undo: x}}}}}]
      metadata: {concurrency: 2}
  - tried:
      try:
        - d: {call: fetch, metadata: {compensate: {do: [{d1: {call: fetch}}, {shaky: {call: fetch}}]}}}
        - inner: {call: fetch, with: {shaky: true}}
      metadata: {compensate: true}
      catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}, do: [{told: {set: {done: false}}}]}
  - boom: {call: charge, timeout: {after: {seconds: 20}}}
)";

constexpr const char* kAdrift = R"(document: {dsl: '1.0.3', namespace: golden, name: adrift, version: '1.0.0'}
do:
  - outer:
      try:
        - inner-try:
            try: [{d: {call: fetch, metadata: {compensate: {call: charge}}}}, {inner: {call: fetch}}]
            metadata: {compensate: true}
            catch: {}
            timeout: {after: {seconds: 5}}
      catch: {do: [{told: {set: {caught: '${ $error.status }'}}}]}
  - last: {call: fetch}
)";

constexpr const char* kRetried = R"(document: {dsl: '1.0.3', namespace: golden, name: retried, version: '1.0.0'}
do:
  - tried:
      try: [{d: {call: fetch, metadata: {compensate: {call: charge}}}}, {inner: {call: fetch}}]
      metadata: {compensate: true}
      catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}
  - last: {call: fetch}
)";

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {.name = "plain", .document = kPlain},
      {.name = "plain-queued", .document = kPlain, .waits = true, .suspends = true},
      {.name = "agent", .document = kAgent},
      {.name = "agent-cancelled", .document = kAgent, .suspends = true, .cancel_at = 14},
      {.name = "compensation", .document = kCompensation},
      {.name = "compensation-cancelled", .document = kCompensation, .cancel_at = 9},
      {.name = "compensation-adrift", .document = kAdrift, .hurries = true},
      {.name = "compensation-retried", .document = kRetried},
  };
  return all;
}

// ---- recording ------------------------------------------------------------------------------------------------------------------------

/// A world without memory: what it answers follows from what it is asked.
Value model_reply(const StartEffect& effect) {
  const auto& messages = effect.arguments.get("messages");
  std::size_t turns = 0;
  if (!messages.is_array()) turns = 3;  // a summary
  for (std::size_t i = 0; messages.is_array() && i < messages.size(); ++i)
    turns += messages.at(i).get("role") == Value("assistant") ? 1 : 0;
  auto reply = Value::object({{"content", "turn " + std::to_string(turns)},
                              {"tool_calls", Value::array()},
                              {"finish_reason", "stop"},
                              {"model", "m"},
                              {"cost", 0.01}});
  reply.set("usage", Value::object({{"input_tokens", 150}, {"output_tokens", 20}}));
  reply.set("price", Value::object({{"input", 2}, {"output", 10}}));
  const bool is_small = effect.arguments.get("model") == Value("small");
  if (turns >= (is_small ? 1U : 3U)) return reply;
  auto calls = Value::array();
  const auto add = [&](const char* name, Value arguments) {
    const auto id = "c" + std::to_string(turns) + "-" + std::to_string(calls.size());
    calls.push_back(Value::object({{"id", id}, {"name", name}, {"arguments", std::move(arguments)}}));
  };
  add("look-up", Value::object({{"query", turns}}));
  if (!is_small) {
    add("add", Value::object({{"a", turns}}));
    add("helper", Value::object({{"task", "help " + std::to_string(turns)}}));
    add("other", Value::object({{"task", "think " + std::to_string(turns)}}));
    add("nobody", Value::object({{"n", turns}}));
  }
  reply.set("tool_calls", std::move(calls));
  return reply;
}

decltype(Event::body) answer(const Machine& machine, const StartEffect& effect) {
  const auto& name = machine.plan().task(effect.step.task).name;
  const bool fails =
      effect.function == "charge" || (name == "shaky" && effect.step.attempt < 3) || (name == "inner" && effect.step.attempt == 1);
  if (fails) return EffectFailed{effect.effect, make_error("communication", 503, "Down", name), {}};
  if (effect.function == "llm") return EffectSucceeded{effect.effect, model_reply(effect), {}};
  return EffectSucceeded{effect.effect, Value(name + std::to_string(effect.effect)), {{kStart, "info", "called " + name}}};
}

std::vector<Event> record(const Kind& kind, const dsl::PlanPtr& plan) {
  std::vector<Event> events;
  Machine machine(plan, info());
  std::vector<Action> actions;
  auto now = kStart;
  const auto apply = [&](decltype(Event::body) body) {
    now += Millis(7);
    events.push_back({now, std::move(body)});
    actions.clear();
    machine.apply(events.back(), actions);
  };
  std::uint64_t state = 7;
  const auto roll = [&](std::size_t sides) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33U) % sides;
  };
  bool hurries = kind.hurries;
  const auto input = Value::object({{"n", 1}});
  if (kind.waits) apply(RunQueued{input});
  apply(kind.waits ? decltype(Event::body)(RunAdmitted{}) : RunStarted{input});
  for (int i = 0; i < 400 && !is_final(machine.phase()); ++i) {
    if (events.size() == kind.cancel_at) {
      apply(CancelRequested{"by the test"});
      continue;
    }
    if (kind.suspends && events.size() % 9 == 5) {
      apply(SuspendRequested{});
      apply(ResumeRequested{});
    }
    const auto effects = machine.pending_effects();
    const auto timers = machine.pending_timers();
    if (!effects.empty()) {
      const auto& effect = effects[roll(effects.size())];
      if (effect.function == "charge" && !machine.has_begun(effect.effect)) {
        apply(EffectBegun{effect.effect});
      } else if (effect.function == "charge" && std::exchange(hurries, false)) {
        now = std::max(now, timers[0].due);
        apply(TimerFired{timers[0].timer});
      } else {
        apply(answer(machine, effect));
      }
    } else if (!machine.pending_approvals().empty()) {
      apply(ApprovalDecided{machine.pending_approvals()[0].approval, true, "ann", "fine", {}});
    } else if (!machine.listens().empty()) {
      apply(MessageArrived{Value::object({{"specversion", "1.0"}, {"id", "1"}, {"source", "/test"}, {"type", "go"}, {"data", 5}})});
    } else {
      const auto next = std::min_element(timers.begin(), timers.end(), [](const auto& a, const auto& b) { return a.due < b.due; });
      if (next == timers.end()) break;
      now = std::max(now, next->due);
      apply(TimerFired{next->timer});
    }
  }
  EXPECT_TRUE(is_final(machine.phase())) << kind.name << ": " << machine.waiting_reason();
  return events;
}

// ---- what replay comes to ---------------------------------------------------------------------------------------------------------------

std::string told(const Machine& machine, const Action& action) {
  if (const auto* start = std::get_if<StartEffect>(&action)) {
    return "start " + std::to_string(start->effect) + " " + idempotency_key(machine.info().id, start->step).substr(37) + " " +
           start->function + " " + json::to_text(start->arguments);
  }
  if (const auto* cancel = std::get_if<CancelEffect>(&action)) return "cancel " + std::to_string(cancel->effect);
  if (const auto* timer = std::get_if<SetTimer>(&action)) return "timer " + std::to_string(timer->timer) + " " + to_rfc3339(timer->due);
  if (const auto* timer = std::get_if<CancelTimer>(&action)) return "no timer " + std::to_string(timer->timer);
  if (const auto* asked = std::get_if<RequestApproval>(&action)) return "ask " + asked->request.title;
  if (std::holds_alternative<CloseApproval>(action)) return "asked";
  if (const auto* changed = std::get_if<PhaseChanged>(&action)) return "phase " + std::string(to_text(changed->phase));
  return {};
}

Value lines_of(const Machine& machine, const std::vector<Action>& actions) {
  auto lines = Value::array();
  for (const auto& action : actions) {
    if (auto line = told(machine, action); !line.empty()) lines.push_back(line);
  }
  return lines;
}

/// Not the snapshot: that may get new members without a change of the rules.
Value end_of(const Machine& machine) {
  auto records = Value::array();
  for (const auto& record : machine.records()) {
    auto line = step_reference(machine.plan(), record.task, record.iteration);
    for (const auto round : record.iteration) line += " " + std::to_string(round);
    line += " #" + std::to_string(record.attempt) + " " + std::string(to_text(record.status)) + " " + json::to_text(record.input) + " -> " +
            json::to_text(record.output) + json::to_text(record.error);
    records.push_back(std::move(line));
  }
  return Value::object(
      {{"phase", to_text(machine.phase())}, {"output", machine.output()}, {"error", machine.error()}, {"records", std::move(records)}});
}

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4U];
    text += kDigits[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::vector<Event> decoded(std::string_view bytes) {
  std::vector<Event> events;
  Decoder in(bytes);
  auto at = kStart;
  while (!in.at_end()) {
    events.push_back(in.event(at));
    EXPECT_FALSE(in.failed());
    EXPECT_FALSE(check_rules(events.back()).has_error());
  }
  return events;
}

/// `snapshot_at`: after so many events, in the middle of things.
Value written(const Kind& kind, std::uint32_t rules, const dsl::PlanPtr& plan, std::vector<Event> events) {
  for (auto& event : events) {
    if (auto* started = std::get_if<RunStarted>(&event.body)) started->rules = rules;
    if (auto* queued = std::get_if<RunQueued>(&event.body)) queued->rules = rules;
  }
  std::string bytes;
  auto at = kStart;
  Machine machine(plan, info());
  auto actions = Value::array();
  Value snapshot;
  const auto middle = events.size() / 2;
  for (std::size_t i = 0; i < events.size(); ++i) {
    Encoder(bytes).event(events[i], at);
    std::vector<Action> done;
    machine.apply(events[i], done);
    actions.push_back(lines_of(machine, done));
    if (i + 1 == middle) snapshot = machine.snapshot();
  }
  auto journal = Value::array();
  for (std::size_t i = 0; i < bytes.size(); i += kLine) journal.push_back(to_hex(std::string_view(bytes).substr(i, kLine)));
  return Value::object({{"rules", rules},
                        {"document", kind.document},
                        {"journal", std::move(journal)},
                        {"actions", std::move(actions)},
                        {"snapshot_at", middle},
                        {"snapshot", std::move(snapshot)},
                        {"end", end_of(machine)}});
}

fs::path folder() {
  const char* const root = std::getenv("PAWL_SOURCE_DIR");
  return root == nullptr ? fs::path() : fs::path(root) / "tests/journals";
}

Value read_file(const fs::path& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto value = json::parse(text);
  EXPECT_TRUE(value.has_value()) << path;
  return value.has_value() ? std::move(value).value() : Value();
}

class GoldenJournal : public ::testing::Test {
 protected:
  void SetUp() override {
    if (folder().empty()) GTEST_SKIP() << "PAWL_SOURCE_DIR is not set";
  }
};

/// Each kind of run has a journal under each number of rules: a change of the rules is recorded when it is made.
TEST_F(GoldenJournal, W7_EveryKindOfRunIsRecordedUnderEveryNumberOfRules) {
  const bool records = std::getenv("PAWL_RECORD_JOURNALS") != nullptr;
  for (const auto& kind : kinds()) {
    const auto plan = compiled(kind.document);
    ASSERT_TRUE(plan);
    for (std::uint32_t rules = 0; rules <= kRules; ++rules) {
      const auto path = folder() / (std::string(kind.name) + ".rules" + std::to_string(rules) + ".json");
      if (records && !fs::exists(path)) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << json::to_text(written(kind, rules, plan, record(kind, plan)), {.indent = 1}) << "\n";
      }
      EXPECT_TRUE(fs::exists(path)) << "not recorded: " << path;
    }
  }
}

/// From the beginning, and from the snapshot that the program of then has written.
TEST_F(GoldenJournal, W7_EveryRecordedJournalReplaysToTheStateOfItsRecording) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder())) {
    SCOPED_TRACE(entry.path().filename().string());
    ++count;
    const auto golden = read_file(entry.path());
    const auto plan = compiled(golden.get("document").as_string());
    ASSERT_TRUE(plan);
    std::string bytes;
    for (const auto& line : golden.get("journal").items()) bytes += from_hex(line.as_string());
    const auto events = decoded(bytes);
    ASSERT_EQ(events.size(), golden.get("actions").size());
    const auto middle = static_cast<std::size_t>(golden.get("snapshot_at").as_integer());

    Machine machine(plan, info());
    auto restored = Machine::restore(plan, info(), golden.get("snapshot"));
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
    for (std::size_t i = 0; i < events.size(); ++i) {
      SCOPED_TRACE(i);
      const auto expected = json::to_text(golden.get("actions").at(i));
      std::vector<Action> actions;
      machine.apply(events[i], actions);
      ASSERT_EQ(json::to_text(lines_of(machine, actions)), expected);
      if (i < middle) continue;
      actions.clear();
      restored->apply(events[i], actions);
      ASSERT_EQ(json::to_text(lines_of(*restored, actions)), expected) << "from the snapshot";
    }
    EXPECT_EQ(json::to_text(end_of(machine)), json::to_text(golden.get("end")));
    EXPECT_EQ(json::to_text(end_of(*restored)), json::to_text(golden.get("end")));
    const auto rules = golden.get("rules");
    EXPECT_EQ(machine.snapshot().get("rules"), rules == Value(0) ? Value() : rules) << "a run keeps the rules that it began with";
  }
  EXPECT_GE(count, 2 * kinds().size());
}

TEST_F(GoldenJournal, W7_NewerRulesAreRefusedAndNothingIsDoneByThem) {
  const auto plan = compiled(kPlain);
  ASSERT_TRUE(plan);
  for (const bool waits : {false, true}) {
    decltype(Event::body) body = RunStarted{Value::object(), kRules + 1};
    if (waits) body = RunQueued{Value::object(), kRules + 1};
    std::string bytes;
    auto at = kStart;
    Encoder(bytes).event({kStart, body}, at);
    Decoder in(bytes);
    at = kStart;
    const auto event = in.event(at);
    ASSERT_FALSE(in.failed());
    const auto checked = check_rules(event);
    ASSERT_TRUE(checked.has_error());
    EXPECT_EQ(checked.error().code, "run.newer_rules");
    Machine machine(plan, info());
    std::vector<Action> actions;
    machine.apply(event, actions);
    machine.apply({kStart, RunAdmitted{}}, actions);
    EXPECT_TRUE(actions.empty());
    EXPECT_EQ(machine.phase(), Phase::pending);
  }
  Machine machine(plan, info());
  std::vector<Action> actions;
  machine.apply({kStart, RunStarted{Value::object({{"n", 1}})}}, actions);
  auto snapshot = machine.snapshot();
  EXPECT_EQ(snapshot.get("rules"), Value(kRules));
  snapshot.set("rules", kRules + 1);
  const auto restored = Machine::restore(plan, info(), snapshot);
  ASSERT_TRUE(restored.has_error());
  EXPECT_EQ(restored.error().code, "run.newer_rules");
}

/// The bytes are those of the versions before there was a number.
TEST_F(GoldenJournal, W7_AnAbsentNumberMeansTheRulesOfBefore) {
  std::string bytes;
  auto at = kStart;
  Encoder(bytes).event({kStart, RunStarted{Value::object(), 0}}, at);
  EXPECT_EQ(to_hex(bytes), "0190");
  Decoder in(bytes);
  at = kStart;
  const auto event = in.event(at);
  ASSERT_TRUE(std::holds_alternative<RunStarted>(event.body));
  EXPECT_EQ(std::get<RunStarted>(event.body).rules, 0U);
  bytes.clear();
  Encoder(bytes).event({kStart, RunStarted{Value::object()}}, at);
  EXPECT_EQ(bytes.size(), 4U) << "what the number costs a run on the disk";
}

/// Back to an older program: its runs stand still and say why, and go on where the newer one is back.
TEST(Rules, W7_ARunOfANewerVersionStandsStillUntilThatVersionIsBack) {
  TestBench bench;
  bench.boot();
  const auto run = bench.start(bench.add("manual", "\n  - a: {call: manual}"), {});
  bench.manual().wait_for(1);
  bench.kill();
  // Its beginning as that version would have written it, or as this one did.
  const auto begin_by = [&bench, run](std::uint32_t rules) {
    bench.before_start([&bench, run, rules](Engine&) {
      std::string beginning;
      ASSERT_FALSE(bench.database()
                       .read([&](storage::Session& session) {
                         return session.query("select beginning from open_runs where id = $1", {run},
                                              [&](const storage::Row& row) { beginning = row.blob(0); });
                       })
                       .has_error());
      const auto read = decode_beginning(beginning);
      ASSERT_TRUE(read.has_value());
      Decoder in(read->events);
      TimePoint at{};
      std::string events;
      TimePoint written{};
      while (!in.at_end()) {
        auto event = in.event(at);
        ASSERT_FALSE(in.failed());
        if (auto* started = std::get_if<RunStarted>(&event.body)) started->rules = rules;
        Encoder(events).event(event, written);
      }
      ASSERT_FALSE(bench.database()
                       .write_and_wait([&](storage::Transaction& transaction) {
                         return transaction.queue("update open_runs set beginning = $2 where id = $1",
                                                  {run, storage::Parameter::blob(encode_beginning(read->trigger, events))});
                       })
                       .has_error());
    });
  };
  begin_by(kRules + 1);
  bench.boot();
  const auto view = bench.view(run, true).value();
  EXPECT_EQ(view.phase, Phase::suspended);
  EXPECT_THAT(view.waiting_reason, ::testing::HasSubstr("a newer version has begun it"));
  EXPECT_EQ(bench.resume(run).error().code, "run.broken");
  EXPECT_EQ(bench.fork(run, {}).error().code, "run.broken");
  bench.kill();
  begin_by(kRules);
  bench.boot();
  bench.manual().wait_for(1);
  bench.manual().answer(Outcome::success("done"));
  EXPECT_EQ(bench.wait_for_end(run).phase, Phase::completed);
}

}  // namespace
}  // namespace pawl::engine
