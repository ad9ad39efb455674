#include "agents/evaluation.hpp"

#include <gmock/gmock.h>

#include "json/parse.hpp"

namespace pawl::agents {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json::Value parsed(std::string_view text) { return *json::parse(text); }

engine::RunView run_of(engine::Phase phase, std::string_view output) {
  engine::RunView run;
  run.phase = phase;
  run.output = parsed(output);
  const auto add = [&run](std::string name, std::string type, std::string_view record) {
    auto& task = run.tasks.emplace_back();
    task.name = std::move(name);
    task.type = std::move(type);
    task.record.output = parsed(record);
  };
  add("ask", "call", R"({"turns": 2, "usage": {"input_tokens": 30, "output_tokens": 12}, "cost": 0.03})");
  add("ask", "model", R"({"usage": {"input_tokens": 10, "output_tokens": 5}, "cost": 0.01})");
  add("stock", "tool", R"({"mugs": 3})");
  add("ask", "model", R"({"usage": {"input_tokens": 20, "output_tokens": 7}, "cost": 0.02})");
  return run;
}

TEST(Evaluation, ReadsASuite) {
  const auto suite = read_suite(
      "workflow: a.yaml\nscripts: s\npass_rate: 0.9\ncases:\n  - name: one\n    input: {x: 1}\n    repeat: 2\n    approvals: approve\n"
      "    expect: {output: {a: 1}, check: '.turns < 3'}\n    limits: {cost: 0.5, turns: 4}\n  - name: two\n    expect: {status: "
      "faulted}\n");
  ASSERT_TRUE(suite.has_value());
  EXPECT_EQ(suite->workflow, "a.yaml");
  EXPECT_EQ(suite->scripts, "s");
  EXPECT_DOUBLE_EQ(suite->pass_rate, 0.9);
  ASSERT_EQ(suite->cases.size(), 2U);
  EXPECT_EQ(suite->cases[0].repeat, 2U);
  EXPECT_EQ(suite->cases[0].most_cost, 0.5);
  EXPECT_EQ(suite->cases[1].status, "faulted");
}

TEST(Evaluation, SaysWhatIsWrongWithASuite) {
  const auto unknown = read_suite("workflow: a.yaml\ncases:\n  - name: one\n    expects: {}\n");
  ASSERT_TRUE(unknown.has_error());
  EXPECT_EQ(unknown.error().code, "eval.suite");
  ASSERT_FALSE(unknown.error().findings.empty());
  EXPECT_GE(unknown.error().findings[0].line, 3U);
  EXPECT_TRUE(read_suite("workflow: a.yaml\ncases: []\n").has_error());
  EXPECT_TRUE(read_suite("{").has_error());
  const auto broken = read_suite("workflow: a.yaml\ncases: [{name: one, expect: {check: '.x |'}}]\n");
  ASSERT_TRUE(broken.has_error());
  EXPECT_THAT(broken.error().message, HasSubstr("one"));
}

TEST(Evaluation, CountsEachTurnOnce) {
  const auto measures = measures_of(run_of(engine::Phase::completed, "{}"), 1.5);
  EXPECT_EQ(measures.turns, 2U);
  EXPECT_THAT(measures.tools, ElementsAre("stock"));
  EXPECT_EQ(measures.tokens, 42U);
  EXPECT_NEAR(measures.cost, 0.03, 1e-9);
  EXPECT_TRUE(measures.cost_known);
}

TEST(Evaluation, JudgesByOutputCheckAndLimits) {
  const auto run = run_of(engine::Phase::completed, R"({"priority": "high", "more": {"a": 1, "b": 2}})");
  const auto measures = measures_of(run, 1.5);
  EvalCase expected;
  EXPECT_THAT(judge(expected, run, measures), IsEmpty());
  expected.output = parsed(R"({"priority": "high", "more": {"a": 1}})");
  expected.check = R"(.turns == 2 and (.tools | index("stock")) != null and .output.priority == "high")";
  expected.most_cost = 0.03;
  EXPECT_THAT(judge(expected, run, measures), IsEmpty());
  expected.output = parsed(R"({"more": {"a": 2}})");
  expected.check = ".turns";
  expected.most_turns = 1;
  expected.most_tokens = 41;
  EXPECT_THAT(judge(expected, run, measures), ElementsAre("output/more/a: expected 2, got 1", "check: .turns is 2",
                                                          "tokens: at most 41, got 42", "turns: at most 1, got 2"));
  EXPECT_THAT(judge({}, run_of(engine::Phase::faulted, "null"), measures), ElementsAre(HasSubstr("expected completed, got faulted")));
}

TEST(Evaluation, AnUnknownPriceKeepsNoLimit) {
  auto run = run_of(engine::Phase::completed, "{}");
  run.tasks[1].record.output.erase("cost");
  EvalCase expected;
  expected.most_cost = 100;
  EXPECT_THAT(judge(expected, run, measures_of(run, 1)), ElementsAre(HasSubstr("unknown")));
}

}  // namespace
}  // namespace pawl::agents
