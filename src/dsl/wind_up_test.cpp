// `metadata.compensate` and `metadata.finally`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dsl/compile.hpp"
#include "dsl/describe.hpp"
#include "dsl/detail/test_catalog.hpp"
#include "dsl/excerpt.hpp"
#include "json/write.hpp"

namespace pawl::dsl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Checked<PlanPtr> compiled(const std::string& text) {
  const TestCatalog catalog;
  return compile(text, catalog);
}

/// A task with this body and compensation.
Checked<PlanPtr> undoing(const std::string& body, const std::string& compensation) {
  return compiled("document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0'}\ndo: [{a: {" + body +
                  ", metadata: {compensate: " + compensation + "}}}]\n");
}

Checked<PlanPtr> finishing(const std::string& finally) {
  return compiled("document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: {finally: " + finally +
                  "}}\ndo: [{a: {call: noop}}]\n");
}

std::vector<std::string> findings_of(const Checked<PlanPtr>& checked) {
  std::vector<std::string> all;
  for (const auto& finding : checked.findings) all.push_back(finding.rule + " " + finding.pointer);
  return all;
}

std::vector<std::string> references(const Plan& plan) {
  std::vector<std::string> all;
  for (const auto& task : plan.tasks) all.push_back(task.reference);
  return all;
}

TEST(Compensate, W10_IsATaskOfTheDocumentThatSeesTheEndOfTheRun) {
  const auto one = undoing("call: noop", "{call: noop, with: {id: '${ $task.output.id }', why: '${ $error.title }', how: '${ $status }'}}");
  EXPECT_THAT(findings_of(one), IsEmpty());
  ASSERT_TRUE(one.ok());
  const auto& plan = **one.value;
  EXPECT_THAT(references(plan), ElementsAre("/do/0/a", "/do/0/a/metadata/compensate"));
  ASSERT_EQ(plan.task(0).compensation.tasks.size(), 1U);
  const auto& undo = plan.task(plan.task(0).compensation.tasks[0]);
  EXPECT_EQ(undo.name, "compensate a");
  EXPECT_EQ(undo.parent, 0U);
  const auto several = undoing("for: {each: n, in: '[1]'}, do: [{b: {call: noop}}]", "{do: [{c: {call: noop}}, {d: {set: {x: 1}}}]}");
  EXPECT_THAT(findings_of(several), IsEmpty());
  EXPECT_THAT(references(**several.value), ElementsAre("/do/0/a", "/do/0/a/do/0/b", "/do/0/a/metadata/compensate",
                                                       "/do/0/a/metadata/compensate/do/0/c", "/do/0/a/metadata/compensate/do/1/d"));
}

TEST(Compensate, W10_SeesTheVariablesOfTheLoopsAroundTheTask) {
  EXPECT_THAT(findings_of(compiled(R"(document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0'}
do: [{l: {for: {each: n, in: '[1]'}, do: [{a: {call: noop,
  metadata: {compensate: {call: noop, with: {n: '${ $n }', at: '${ $index }'}}}}}]}}]
)")),
              IsEmpty());
  EXPECT_THAT(findings_of(undoing("call: noop", "{call: noop, with: {n: '${ $n }'}}")),
              ElementsAre("unknown-variable /do/0/a/metadata/compensate/with/n"));
}

TEST(Compensate, W10_OfATryMayBeTrue) {
  const auto checked = undoing("try: [{b: {call: noop}}], catch: {}", "true");
  EXPECT_THAT(findings_of(checked), IsEmpty());
  EXPECT_TRUE(std::get<TryTask>((*checked.value)->task(0).body).undoes);
  EXPECT_THAT(findings_of(undoing("call: noop", "true")), ElementsAre("wrong-type /do/0/a/metadata/compensate"));
}

TEST(Compensate, W10_WrongUseIsFoundWhereItStands) {
  EXPECT_THAT(findings_of(undoing("call: noop", "[{b: {call: noop}}]")), ElementsAre("wrong-type /do/0/a/metadata/compensate"));
  EXPECT_THAT(findings_of(undoing("call: noop", "{call: no-such}")), ElementsAre("unknown-function /do/0/a/metadata/compensate/call"));
  EXPECT_THAT(findings_of(undoing("call: noop", "{call: noop, then: b}")),
              ElementsAre("unknown-then-target /do/0/a/metadata/compensate/then"));
  for (const auto* const body :
       {"set: {x: 1}", "wait: {seconds: 1}", "switch: [{c: {then: end}}]", "raise: {error: {type: 'urn:x', status: 500}}"}) {
    const auto checked = undoing(body, "{call: noop}");
    EXPECT_THAT(findings_of(checked), ElementsAre("no-compensation /do/0/a/metadata/compensate")) << body;
    EXPECT_EQ(checked.findings[0].line, 2U);
  }
  EXPECT_THAT(findings_of(undoing("call: noop", "{call: noop, metadata: {compensate: {call: noop}}}")),
              ElementsAre("no-compensation /do/0/a/metadata/compensate/metadata/compensate"));
  EXPECT_THAT(findings_of(finishing("[{b: {call: noop, metadata: {compensate: {call: noop}}}}]")),
              ElementsAre("no-compensation /document/metadata/finally/0/b/metadata/compensate"));
  EXPECT_THAT(findings_of(compiled("document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: {compensate: {}}}\n"
                                   "do: [{a: {call: noop, metadata: {finally: []}}}]\n")),
              ElementsAre("unused-metadata /document/metadata/compensate", "unused-metadata /do/0/a/metadata/finally"));
}

TEST(Compensate, W10_AFunctionThatCanBeUndoneMayBeCalledByWhatUndoes) {
  const auto checked = compiled(R"(document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: {finally: [{b: {call: f}}]}}
use: {functions: {f: {call: noop, metadata: {compensate: {call: noop}}}}}
do: [{a: {call: f}}]
)");
  EXPECT_THAT(findings_of(checked), IsEmpty());
  EXPECT_THAT(references(**checked.value),
              ElementsAre("/do/0/a", "/do/0/a/call/f", "/do/0/a/call/f/metadata/compensate", "/document/metadata/finally/0/b",
                          "/document/metadata/finally/0/b/call/f", "/document/metadata/finally/0/b/call/f/metadata/compensate"));
}

TEST(Finally, W10_IsAListOfTasksThatSeesHowTheRunEnded) {
  const auto checked = finishing("[{b: {call: noop, with: {how: '${ $status }', why: '${ $error }', what: '${ $context }'}}}]");
  EXPECT_THAT(findings_of(checked), IsEmpty());
  EXPECT_THAT(references(**checked.value), ElementsAre("/do/0/a", "/document/metadata/finally/0/b"));
  EXPECT_EQ((*checked.value)->finally.tasks.size(), 1U);
  EXPECT_THAT(json::to_text(graph(**checked.value)),
              HasSubstr(R"({"from":"/do/0/a","to":"/document/metadata/finally/0/b","label":"finally"})"));
}

TEST(Finally, W10_WrongUseIsFoundWhereItStands) {
  EXPECT_THAT(findings_of(finishing("{call: noop}")), ElementsAre("wrong-type /document/metadata/finally"));
  EXPECT_THAT(findings_of(finishing("[]")), ElementsAre("invalid-value /document/metadata/finally"));
  EXPECT_THAT(findings_of(finishing("[{b: {call: no-such}}]")), ElementsAre("unknown-function /document/metadata/finally/0/b/call"));
  EXPECT_THAT(findings_of(finishing("[{b: {call: noop, with: {x: '${ $secrets.key }'}}}]")),
              ElementsAre("undeclared-secret /document/metadata/finally/0/b/with/x"));
}

TEST(Finally, W10_OfATaskListHasItsForm) {
  const auto checked = compiled(R"(name: n
metadata: {finally: [{id: x, type: noop, params: {how: '${ $status }'}}, {id: y, type: noop, depends_on: [x]}]}
tasks: [{id: a, type: noop, metadata: {compensate: {type: noop, params: {id: '${ $task.output.id }'}}}},
        {id: b, type: noop, metadata: {compensate: {call: noop}}}]
)");
  EXPECT_THAT(findings_of(checked), IsEmpty());
  const auto& plan = **checked.value;
  EXPECT_THAT(references(plan),
              ElementsAre("/tasks", "/tasks/0", "/tasks/0/metadata/compensate", "/tasks/1", "/tasks/1/metadata/compensate",
                          "/metadata/finally", "/metadata/finally/0", "/metadata/finally/1"));
  ASSERT_EQ(plan.finally.tasks.size(), 1U);
  EXPECT_EQ(std::get<GraphTask>(plan.task(plan.finally.tasks[0]).body).nodes[1].depends_on.size(), 1U);
  EXPECT_THAT(findings_of(compiled("name: n\nmetadata: {finally: 7}\ntasks: [{id: a, type: noop}]\n")),
              ElementsAre("wrong-type /metadata/finally"));
}

TEST(Finally, W10_ItsTasksCanBeTestedAloneAndCompensationsCannot) {
  const auto checked = finishing("[{b: {call: noop, with: {how: '${ $status }'}}}]");
  const auto alone = excerpt(**checked.value, "/document/metadata/finally/0/b", {});
  ASSERT_TRUE(alone.has_value());
  EXPECT_THAT(alone->variables, ElementsAre("error", "status"));
  const TestCatalog catalog;
  EXPECT_TRUE(compile_data(alone->document, catalog).ok());
  const auto other = undoing("call: noop", "{do: [{b: {call: noop}}]}");
  EXPECT_TRUE(excerpt(**other.value, "/do/0/a/metadata/compensate", {}).has_error());
  EXPECT_TRUE(excerpt(**other.value, "/do/0/a/metadata/compensate/do/0/b", {}).has_error());
}

}  // namespace
}  // namespace pawl::dsl
