#include "dsl/excerpt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dsl/compile.hpp"
#include "dsl/detail/test_catalog.hpp"
#include "json/parse.hpp"
#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::dsl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PlanPtr plan_of(const std::string& text) {
  static const TestCatalog catalog;
  auto result = compile(text, catalog);
  for (const Finding& finding : result.findings) {
    if (finding.severity == Severity::error) ADD_FAILURE() << finding.pointer << ": " << finding.message;
  }
  return result.ok() ? *result.value : std::make_shared<const Plan>();
}

PlanPtr document(const std::string& tasks) {
  return plan_of("document: {dsl: '1.0.3', namespace: test, name: test, version: '1.0.0'}\ndo:\n" + tasks);
}

/// The task's own body in its document, which has to compile.
std::string alone(const Plan& plan, std::string_view reference, const Given& given = {}) {
  const auto found = excerpt(plan, reference, given);
  if (found.has_error()) return found.error().code;
  static const TestCatalog catalog;
  const auto compiled = compile_data(found->document, catalog);
  for (const auto& finding : compiled.findings) {
    if (finding.severity == Severity::error) ADD_FAILURE() << finding.pointer << ": " << finding.message << json::to_text(found->document);
  }
  const auto* body = json::resolve(found->document, found->reference);
  return body == nullptr ? "nothing at " + found->reference : json::to_text(*body);
}

TEST(Excerpt, HoldsTheTaskAsItWasWritten) {
  const auto plan = document("  - a: {set: {x: 1}}\n  - b: {set: {y: '${ .x }'}, export: {as: '${ . }'}}\n");
  EXPECT_EQ(alone(*plan, "/do/1/b"), R"({"set":{"y":"${ .x }"},"export":{"as":"${ . }"}})");
  EXPECT_EQ(excerpt(*plan, "/do/1/b", {.input = json::Value(7), .context = {}, .variables = {}})->input.get("input"), json::Value(7));
}

TEST(Excerpt, W10_BindsHowTheRunEndedForATaskOfFinally) {
  const auto plan = plan_of(
      "document: {dsl: '1.0.3', namespace: test, name: test, version: '1.0.0', metadata: {finally: [{f: {set: {how: '${ $status }', why: "
      "'${ "
      "$error }'}}}, {g: {do: [{h: {set: {how: '${ $status }'}}}]}}]}}\ndo: [{a: {set: {x: 1}}}]\n");
  EXPECT_EQ(alone(*plan, "/document/metadata/finally/0/f"), R"({"set":{"how":"${ $status }","why":"${ $error }"}})");
  EXPECT_THAT(excerpt(*plan, "/document/metadata/finally/0/f", {})->variables, ::testing::UnorderedElementsAre("status", "error"));
  EXPECT_EQ(alone(*plan, "/document/metadata/finally/1/g/do/0/h"), R"({"set":{"how":"${ $status }"}})");
  EXPECT_THAT(excerpt(*plan, "/document/metadata/finally/1/g/do/0/h", {})->variables, ::testing::UnorderedElementsAre("status", "error"));
}

TEST(Excerpt, BindsWhatTheTasksAroundWouldBind) {
  const auto plan = document(
      "  - each:\n      for: {each: pet, at: number, in: '${ .pets }'}\n      do:\n        - attempt:\n            try: [{ask: {set: {z: "
      "'${ $pet }'}}}]\n"
      "            catch: {as: problem, do: [{note: {set: {it: '${ [$pet, $number, $problem] }'}}}]}\n");
  const std::string note = "/do/0/each/do/0/attempt/catch/do/0/note";
  EXPECT_EQ(alone(*plan, note), R"({"set":{"it":"${ [$pet, $number, $problem] }"}})");
  EXPECT_THAT(excerpt(*plan, note, {})->variables, ElementsAre("pet", "number", "problem"));
  const std::string ask = "/do/0/each/do/0/attempt/try/0/ask";
  EXPECT_EQ(alone(*plan, ask), R"({"set":{"z":"${ $pet }"}})");
  EXPECT_THAT(excerpt(*plan, ask, {})->variables, ElementsAre("pet", "number"));
}

TEST(Excerpt, HasPlacesToArriveAtWhereATaskMayJump) {
  const auto plan = document(
      "  - early: {set: {x: 1}}\n  - decide: {switch: [{back: {when: '${ .again }', then: early}}, {on: {then: continue}}]}\n"
      "  - late: {set: {x: 2}}\n  - home: {set: {x: 3}, then: early}\n");
  const auto found = excerpt(*plan, "/do/1/decide", {.input = {}, .context = json::Value::object({{"k", 1}}), .variables = {}});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->reference, "/do/1/decide");  // behind what sets the context
  EXPECT_THAT(found->neighbours, ElementsAre("/do/2/late", "/do/3/home", "/do/4/early"));
  EXPECT_NE(alone(*plan, "/do/1/decide"), "");
  // The last one of its list does not go on with the first one.
  EXPECT_THAT(excerpt(*plan, "/do/3/home", {})->neighbours, ElementsAre("/do/1/home-end", "/do/2/early", "/do/3/decide", "/do/4/late"));
  EXPECT_NE(alone(*plan, "/do/3/home"), "");
  EXPECT_THAT(excerpt(*plan, "/do/2/late", {})->neighbours, IsEmpty());
}

TEST(Excerpt, OfATaskListGivesTheOutputsOfOthers) {
  const auto plan = plan_of(
      "name: list\ntasks:\n  - {id: first, type: set, params: {x: 1}}\n  - {id: second, type: set, params: {y: '${ .first.x }'}, "
      "depends_on: [first]}\n");
  const Given given{.input = json::parse(R"({"input": {"a": 1}, "first": {"x": 4}})").value(), .context = {}, .variables = {}};
  EXPECT_EQ(alone(*plan, "/tasks/1", given), R"({"id":"second","type":"set","params":{"y":"${ .first.x }"},"depends_on":["first"]})");
  EXPECT_EQ(json::to_text(excerpt(*plan, "/tasks/1", given)->input), R"({"input":{"a":1},"outputs":{"first":{"x":4}}})");
  EXPECT_EQ(alone(*plan, "/tasks/1"), R"({"id":"second","type":"set","params":{"y":"${ .first.x }"}})");
}

TEST(Excerpt, KnowsNoOtherTasks) {
  const auto plan = document("  - a: {set: {x: 1}}\n");
  EXPECT_EQ(alone(*plan, "/do/1/a"), "workflow.unknown_task");
  EXPECT_EQ(alone(*plan, ""), "workflow.unknown_task");
  const auto list = plan_of("name: list\ntasks:\n  - {id: outer, type: do, params: [{inner: {set: {x: 1}}}]}\n");
  for (const auto& task : list->tasks) {
    if (task.name == "inner") {
      EXPECT_EQ(alone(*list, task.reference), "workflow.unknown_task");
    }
  }
}

}  // namespace
}  // namespace pawl::dsl
