// Functions that users have written, as a document that was saved with them goes on to see them.
#include "dsl/written_function.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "dsl/compile.hpp"
#include "dsl/detail/test_catalog.hpp"
#include "json/parse.hpp"

namespace pawl::dsl {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

const TestCatalog& own() {
  static const TestCatalog made;
  return made;
}

FunctionDefinitionPtr greet(const std::string& version, const std::string& word) {
  auto task = json::parse(R"({"input": {"schema": {"document": {"type": "object", "required": ["name"],
      "properties": {"name": {"type": "string"}}, "additionalProperties": false}}}})")
                  .value();
  task.set("set", json::Value::object({{"said", word}}));
  return std::make_shared<const FunctionDefinition>(FunctionDefinition{"say-hello", version, "", "", std::move(task)});
}

std::string document(const std::string& with, const std::string& call = "say-hello:1.2.0") {
  return "document: {dsl: '1.0.3', namespace: test, name: test, version: '1.0.0'}\ndo:\n  - a:\n      call: " + call +
         "\n      with: " + with + "\n";
}

std::vector<std::string> rules(const Checked<PlanPtr>& checked) {
  std::vector<std::string> found;
  for (const auto& finding : checked.findings) found.push_back(finding.rule);
  return found;
}

class Pinned : public ::testing::Test {
 protected:
  PinnedFunctions functions_{{greet("1.2.0", "hello"), greet("1.10.0", "good day")}, own()};
};

TEST_F(Pinned, F5_TheNewestIsMeantWhereNoVersionIsSaid) {
  EXPECT_EQ(functions_.definition("say-hello", "")->version, "1.10.0");
  EXPECT_EQ(functions_.definition("say-hello", "latest")->version, "1.10.0");
  EXPECT_EQ(functions_.definition("say_hello", "1.2.0")->version, "1.2.0") << "as tools are called";
  EXPECT_EQ(functions_.definition("say-hello", "9.0.0"), nullptr);
  EXPECT_EQ(functions_.definition("say", ""), nullptr);
  EXPECT_EQ(functions_.find("say-hello:1.2.0"), nullptr) << "it is no function of the program";
  EXPECT_THAT(functions_.names(), Contains("say-hello"));
}

TEST_F(Pinned, F5_ACallStandsForTheVersionThatItNames) {
  const auto checked = compile(document("{name: Ada, extra: '${ .x }'}"), functions_);
  EXPECT_FALSE(checked.ok()) << "the function takes no such argument";
  const auto plan = compile(document("{name: Ada}"), functions_).value.value();
  ASSERT_EQ(plan->functions.size(), 1U);
  EXPECT_EQ(plan->functions[0]->version, "1.2.0");
  EXPECT_FALSE(compile(document("{}"), functions_).ok()) << "a name is required";
  EXPECT_FALSE(compile(document("{name: Ada}", "say-hello:9.0.0"), functions_).ok());
}

TEST_F(Pinned, F5_OfOneElsewhereOnlyTheFileOfThatDigestIsTaken) {
  const auto there = std::make_shared<const FunctionDefinition>(
      FunctionDefinition{"far", "1.0.0", "https://catalog.example", "aa", json::Value::object({{"set", json::Value::object({{"x", 1}})}})});
  const PinnedFunctions functions({there}, own());
  EXPECT_EQ(functions.remote({"https://catalog.example", "far", "1.0.0", "aa"}).value(), there);
  for (const auto& other : std::vector<FunctionCatalog::Remote>{{"https://catalog.example", "far", "1.0.0", "bb"},
                                                                {"https://other.example", "far", "1.0.0", "aa"},
                                                                {"https://catalog.example", "far", "1.0.1", "aa"}}) {
    EXPECT_EQ(functions.remote(other).error().code, "remote-catalog") << "nobody is asked for it";
  }
  EXPECT_EQ(functions.definition("far", ""), nullptr) << "it is no function of this installation";
}

TEST_F(Pinned, F5_AFunctionIsATaskOfItsOwnAndCallsNotItself) {
  const auto made = compile_function("set: {x: '${ .name }'}", "say-hello:1.2.0", functions_);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made.value)->name, "say-hello:1.2.0");
  EXPECT_EQ((*made.value)->tasks.size(), 1U);
  EXPECT_THAT(rules(compile_function("call: say-hello:1.2.0\nwith: {name: x}", "say-hello:1.2.0", functions_)),
              Contains("function-recursion"));
  EXPECT_FALSE(compile_function("just words", "say-hello:1.2.0", functions_).ok());
}

TEST(CompileData, MeansTheSameAsItsText) {
  const auto data =
      json::parse(
          R"({"document": {"dsl": "1.0.3", "namespace": "test", "name": "n", "version": "1.0.0"}, "do": [{"a": {"set": {"x": 1}}}]})")
          .value();
  EXPECT_EQ(compile_data(data, own()).value.value()->name, "n");
  CompileLimits limits;
  limits.max_depth = 3;
  EXPECT_THAT(rules(compile_data(data, own(), limits)), ElementsAre("document-limit"));
}

TEST(WrittenFunction, VersionsAreComparedByTheirNumbers) {
  for (const auto& [newer, older] : std::vector<std::pair<std::string, std::string>>{
           {"1.10.0", "1.9.0"}, {"2.0.0", "1.99.99"}, {"1.0.1", "1.0.0"}, {"1.0.0-b", "1.0.0-a"}, {"1", "0.9"}}) {
    EXPECT_TRUE(is_newer_version(newer, older)) << newer;
    EXPECT_FALSE(is_newer_version(older, newer)) << newer;
    EXPECT_FALSE(is_newer_version(newer, newer)) << newer;
  }
}

TEST(WrittenFunction, ArgumentsThatAreDecidedLaterAreNotAmongThoseWrittenOut) {
  const PinnedFunctions functions({greet("1.2.0", "hello")}, own());
  const auto arguments = [&](const std::string& with) {
    const auto plan = compile(document(with), functions).value.value();
    return written_arguments(std::get<InvokeTask>(plan->tasks[0].body).arguments);
  };
  EXPECT_EQ(arguments("{name: Ada}"), json::Value::object({{"name", "Ada"}}));
  EXPECT_EQ(arguments("{name: '${ .x }'}"), json::Value::object());
}

/// `look` reads, `store` changes something, `odd` is not known.
class Reaching final : public FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    const auto found = std::ranges::find(known_, name, &Signature::name);
    return found == known_.end() ? nullptr : &*found;
  }
  [[nodiscard]] Reach reach(std::string_view name, const json::Value& fixed) const override {
    if (name == "noop") return {.reads_outside = false, .acts = false};
    if (name == "look") return {.reads_outside = true, .acts = fixed.find("place") == nullptr};
    if (name == "store") return {.reads_outside = false, .acts = true};
    return {};
  }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }

 private:
  std::vector<Signature> known_{{"noop", {}}, {"look", {}}, {"store", {}}, {"odd", {}}};
};

/// What a function that is this task may do.
std::string reach_of_task(std::string_view task) {
  static const Reaching functions;
  const auto checked = compile_function(task, "mine:1.0.0", functions);
  if (!checked.ok()) return checked.findings.empty() ? "?" : checked.findings.front().message;
  const auto reach = reach_of((*checked.value)->tasks, functions);
  return std::string(reach.calls.reads_outside ? "reads " : "") + (reach.calls.acts ? "acts " : "") + (reach.has_events ? "events" : "");
}

TEST(ReachOfTasks, F5_IsTheWorstOfAllStepsWhereverTheyStand) {
  EXPECT_EQ(reach_of_task("set: {a: 1}"), "");
  EXPECT_EQ(reach_of_task("call: noop"), "");
  EXPECT_EQ(reach_of_task("{call: look, with: {place: here}}"), "reads ");
  EXPECT_EQ(reach_of_task("{call: look, with: {place: '${ .where }'}}"), "reads acts ") << "who calls chooses the place";
  EXPECT_EQ(reach_of_task("call: store"), "acts ");
  EXPECT_EQ(reach_of_task("call: odd"), "reads acts ");
  EXPECT_EQ(reach_of_task("do: [{a: {set: {x: 1}}}, {b: {try: [{c: {call: noop}}], catch: {do: [{d: {call: store}}]}}}]"), "acts ");
  EXPECT_EQ(reach_of_task("{for: {in: '${ .all }'}, do: [{a: {set: {x: 1}}}, {b: {if: .y, call: store}}]}"), "acts ");
  EXPECT_EQ(reach_of_task("{fork: {branches: [{a: {call: noop}}, {b: {call: odd}}]}}"), "reads acts ");
  EXPECT_EQ(reach_of_task("{call: noop, metadata: {compensate: {call: store}}}"), "acts ") << "and what undoes it";
}

TEST(ReachOfTasks, F5_EventsProgramsAndOtherWorkflowsAct) {
  EXPECT_EQ(reach_of_task("emit: {event: {with: {source: 'https://x.example', type: a}}}"), "acts events") << "it may start anything";
  EXPECT_EQ(reach_of_task("listen: {to: {one: {with: {type: a}}}}"), "reads events");
  for (const std::string_view run : {"shell: {command: ls}", "script: {language: js, code: '1'}", "container: {image: x}",
                                     "workflow: {namespace: a, name: b, version: '1.0.0'}"}) {
    EXPECT_EQ(reach_of_task("run: {" + std::string(run) + "}"), "reads acts ") << run;
  }
}

TEST(ReachOfTasks, F5_WhatAnAuthorSaysMakesItWorseAndNeverBetter) {
  EXPECT_EQ(reach_of_task("{call: odd, metadata: {effect: read}}"), "reads acts ");
  EXPECT_EQ(reach_of_task("{call: store, metadata: {effect: pure}}"), "acts ");
  EXPECT_EQ(reach_of_task("{call: look, with: {place: here}, metadata: {effect: once}}"), "reads acts ");
}

}  // namespace
}  // namespace pawl::dsl
