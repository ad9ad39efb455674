// Which runs may call what destroys: by what the call says, by who started the run, and by who wrote it.
#include <gmock/gmock.h>

#include "engine/detail/test_support.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

using testing::HasSubstr;

class RightsToDestroyTest : public testing::Test {
 protected:
  TestBench bench_;
};

// proves: S4-H3
TEST_F(RightsToDestroyTest, ADestructiveFunctionActsOnlyWhereThatIsAllowed) {
  bench_.boot();
  const auto planned = bench_.execute(bench_.add("planned", "\n  - a: {call: destroy}"), {});
  EXPECT_EQ(json::to_text(planned.output), R"({"dry_run":true,"plan":[{"action":"destroy"}],"reason":"a destructive function acts only )"
                                           R"(with `allow_destructive: true`; it told its plan"})");
  const auto done = bench_.execute(bench_.add("done", "\n  - a: {call: destroy, with: {allow_destructive: true}}"), {});
  EXPECT_EQ(json::to_text(done.output), R"("destroyed")");
}

// proves: S4-H3
TEST_F(RightsToDestroyTest, S4_H3_ADestructiveFunctionActsOnlyWhereTheRoleOfTheStarterPermits) {
  const auto destroys = bench_.add("destroys", "\n  - a: {call: destroy, with: {allow_destructive: true}}");
  const auto parent = bench_.add("parent", "\n  - a: {run: {workflow: {namespace: test, name: destroys, version: '1.0.0'}}}");
  const auto fails = bench_.add(
      "fails", "\n  - a: {call: destroy, with: {allow_destructive: true}}\n  - b: {raise: {error: {type: 'https://x', status: 500}}}");
  bench_.boot();
  const auto as_member = [&](const WorkflowId& workflow) {
    auto request = bench_.request(workflow);
    request.trigger = json::Value::object({{"type", "manual"}, {"user", "ann"}, {"may_destroy", false}});
    return bench_.execute(std::move(request));
  };
  for (const auto& workflow : {destroys, parent}) {
    const auto planned = as_member(workflow);
    EXPECT_EQ(planned.phase, Phase::completed);
    EXPECT_TRUE(planned.output.get("dry_run").truthy()) << json::to_text(planned.output);
    EXPECT_THAT(json::to_text(planned.output.get("reason")), HasSubstr("destroy_role"));
  }
  const auto admin = *json::parse(R"({"type": "manual", "user": "bob"})");
  const auto failed = as_member(fails);
  EXPECT_EQ(failed.phase, Phase::faulted);
  const auto fork = bench_.fork(failed.id, {.from = {}, .input = {}, .requester = admin});
  ASSERT_TRUE(fork.has_value());
  EXPECT_EQ(bench_.wait_for_end(*fork).trigger.find("may_destroy"), nullptr);
  ASSERT_TRUE(bench_.retry(failed.id, {"/do/0/a", {}}, admin).has_value());
  const auto retried = bench_.wait_for_end(failed.id);
  EXPECT_EQ(retried.trigger.find("may_destroy"), nullptr);
  ASSERT_TRUE(bench_.retry(failed.id, {"/do/0/a", {}}, *json::parse(R"({"may_destroy": false})")).has_value());
  bench_.kill();
  bench_.boot();
  EXPECT_EQ(bench_.wait_for_end(failed.id).trigger.get("may_destroy"), json::Value(false)) << "durable with the retry";
}

// proves: S4-H3
TEST_F(RightsToDestroyTest, S4_H3_WhatARunThatNobodyStartedCallsByNameMayWhatItsOwnAuthorMay) {
  const auto inner = bench_.add("inner", "\n  - a: {call: destroy, with: {allow_destructive: true}}");
  const auto middle = bench_.add("middle", "\n  - a: {run: {workflow: {namespace: test, name: inner, version: '1.0.0'}}}");
  const auto outer = bench_.add("outer", "\n  - a: {run: {workflow: {namespace: test, name: middle, version: '1.0.0'}}}");
  bench_.boot();
  const auto acts = [&](std::string_view trigger) {
    auto request = bench_.request(outer);
    request.trigger = *json::parse(trigger);
    const auto view = bench_.execute(std::move(request));
    EXPECT_EQ(view.phase, Phase::completed) << json::to_text(view.error);
    const bool acted = view.output == json::Value("destroyed");
    if (!acted) {
      EXPECT_THAT(json::to_text(view.output.get("reason")), HasSubstr("destroy_role"));
    }
    return acted;
  };
  constexpr std::string_view kNobody = R"({"type": "schedule", "unattended": true})";
  EXPECT_TRUE(acts(kNobody));
  EXPECT_FALSE(acts(R"({"type": "schedule", "unattended": true, "may_destroy": false})")) << "its own author may not";
  for (const auto& called : {inner, middle}) {
    bench_.distrust(called, true);
    EXPECT_FALSE(acts(kNobody)) << "at any depth";
    EXPECT_TRUE(acts(R"({"type": "manual", "user": "ann"})")) << "ann has looked at what she starts";
    bench_.distrust(called, false);
  }
  bench_.distrust(outer, true);
  EXPECT_TRUE(acts(kNobody)) << "of the run itself its trigger says it";
}

// proves: S4-H3
TEST_F(RightsToDestroyTest, S4_H3_FunctionsKnowWhetherTheirRunMayDestroy) {
  const auto asks = bench_.add("asks", "\n  - a: {call: may}");
  bench_.boot();
  for (const bool may : {true, false}) {
    auto request = bench_.request(asks);
    if (!may) request.trigger.set("may_destroy", false);
    EXPECT_EQ(bench_.execute(std::move(request)).output, json::Value(may));
  }
}

// proves: S4-H3, F3
TEST_F(RightsToDestroyTest, S4_H3_ARetriedRunIsThatOfWhoAskedForIt) {
  const auto fails = bench_.add("fails", "\n  - a: {call: noop}\n  - b: {raise: {error: {type: 'https://x', status: 500}}}");
  bench_.boot();
  auto request = bench_.request(fails);
  request.trigger = *json::parse(R"({"type": "manual", "user": "ann", "api_key": "k"})");
  const auto failed = bench_.execute(std::move(request));
  ASSERT_TRUE(bench_.retry(failed.id, {"/do/0/a", {}}, *json::parse(R"({"type": "manual", "user": "bob"})")).has_value());
  bench_.kill();
  bench_.boot();
  const auto retried = bench_.wait_for_end(failed.id).trigger;
  EXPECT_EQ(retried.get("user"), json::Value("bob"));
  EXPECT_EQ(retried.find("api_key"), nullptr) << "it was ann's";
  EXPECT_EQ(json::to_text(retried.get("starters")), R"(["ann"])");
  EXPECT_EQ(retried.get("type"), json::Value("manual")) << "how it began";
  ASSERT_TRUE(bench_.retry(failed.id, {"/do/0/a", {}}).has_value());
  EXPECT_EQ(bench_.wait_for_end(failed.id).trigger, retried) << "nobody is named: as before";
}

}  // namespace
}  // namespace pawl::engine
