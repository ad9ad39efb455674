#include "api/detail/function_tools.hpp"

#include <gtest/gtest.h>

#include "api/detail/dry_runs.hpp"
#include "dsl/schema.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

json::Value value(std::string_view text) { return json::parse(text).value(); }

bool takes(const json::Value& schema, std::string_view text) { return dsl::Schema::compile(schema).value().validate(value(text)).empty(); }

// proves: F1, A5
TEST(FunctionTools, A5_TheArgumentForADryRunHasANameThatTheFunctionDoesNotKnow) {
  EXPECT_EQ(dry_run_argument(value("{}")), "_dry_run");
  EXPECT_EQ(dry_run_argument(value(R"({"properties": {"dry_run": {}}})")), "_dry_run");
  EXPECT_EQ(dry_run_argument(value(R"({"properties": {"_dry_run": {}}})")), "__dry_run");
  EXPECT_EQ(dry_run_argument(value(R"({"allOf": [{"required": ["_dry_run", "__dry_run"]}]})")), "___dry_run");
}

TEST(FunctionTools, A5_AToolTakesTheSwitchBesideTheParameters) {
  const auto closed = tool_input(
      value(R"({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false})"));
  EXPECT_TRUE(takes(closed, R"({"n": 1})"));
  EXPECT_TRUE(takes(closed, R"({"n": 1, "_dry_run": true})"));
  EXPECT_FALSE(takes(closed, R"({"n": 1, "_dry_run": "yes"})"));
  EXPECT_FALSE(takes(closed, R"({"n": 1, "other": true})"));
  EXPECT_EQ(tool_input(value("{}")).get("type"), json::Value("object")) << "the protocol has no other input";
  EXPECT_TRUE(takes(tool_input(json::Value()), R"({"_dry_run": false})"));
}

TEST(FunctionTools, A5_WhatAToolGivesIsWhatTheFunctionDoesOrAPlan) {
  const auto schema = tool_output(value(R"({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
      "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false})"));
  EXPECT_EQ(schema.get("type"), json::Value("object"));
  EXPECT_TRUE(schema.get("$schema").is_string());
  EXPECT_TRUE(takes(schema, R"({"n": 1})"));
  EXPECT_TRUE(takes(schema, R"({"dry_run": true, "plan": []})"));
  EXPECT_FALSE(takes(schema, R"({"dry_run": false, "plan": []})"));
  EXPECT_FALSE(takes(schema, R"({"n": "1"})"));
}

TEST(FunctionTools, A5_NothingIsDeclaredThatNeedNotBeTrue) {
  EXPECT_TRUE(tool_output(value(R"({"description": "anything"})")).is_null());
  EXPECT_TRUE(tool_output(value(R"({"type": ["object", "null"]})")).is_null());
  EXPECT_TRUE(tool_output(value(R"({"type": "string"})")).is_null());
  EXPECT_TRUE(tool_output(json::Value()).is_null());
  EXPECT_TRUE(tool_output(value(R"({"type": "object", "$defs": {"a": {}}, "properties": {"a": {"$ref": "#/$defs/a"}}})")).is_null())
      << "a reference would lead elsewhere";
}

engine::RunView planned_run(std::string_view phase, std::vector<std::pair<std::string, std::string>> tasks) {
  engine::RunView run;
  run.dry_run = true;
  run.phase = phase == "completed" ? engine::Phase::completed : phase == "faulted" ? engine::Phase::faulted : engine::Phase::cancelled;
  run.trigger = value(R"({"via": "mcp", "plugin": "greet"})");
  for (auto& [reference, output] : tasks) {
    engine::RunView::TaskView task;
    task.name = reference.substr(reference.rfind('/') + 1);
    task.reference = reference;
    task.type = "call";
    task.record.output = value(output);
    run.tasks.push_back(std::move(task));
  }
  return run;
}

TEST(FunctionTools, F1_APlanIsToldOnceByTheTasksThatMadeIt) {
  const auto one = planned_run("completed", {{"/do/0/call", R"({"dry_run": true, "plan": [{"action": "read"}]})"}});
  EXPECT_TRUE(is_planned_call(one));
  EXPECT_EQ(json::to_text(planned_outcome(one).output), R"({"dry_run":true,"plan":[{"action":"read"}]})");
  const std::string last = R"({"dry_run": true, "plan": [{"action": "write"}]})";
  const auto many = planned_run("completed", {{"/do/0/call", last},
                                              {"/do/0/call/call/greet", last},
                                              {"/do/0/call/call/greet/do/0/get", R"({"dry_run": true, "plan": [{"action": "read"}]})"},
                                              {"/do/0/call/call/greet/do/1/x", R"({"set": 1})"},
                                              {"/do/0/call/call/greet/do/2/put", last}});
  EXPECT_EQ(json::to_text(planned_outcome(many).output),
            R"({"dry_run":true,"plan":[{"action":"read","task":"get"},{"action":"write","task":"put"}]})");
  EXPECT_EQ(json::to_text(planned_outcome(planned_run("completed", {{"/do/0/call", R"({"dry_run": true})"}})).output),
            R"({"dry_run":true,"plan":[]})");
}

TEST(FunctionTools, F1_APlanWithMoreStepsThanAreToldSaysSo) {
  const auto planned = [](std::size_t steps) {
    std::string plan = R"({"action": "read"})";
    for (std::size_t i = 1; i < steps; ++i) plan += R"(,{"action": "read"})";
    return planned_outcome(planned_run("completed", {{"/do/0/call", R"({"dry_run": true, "plan": [)" + plan + "]}"}})).output;
  };
  EXPECT_EQ(planned(kMostTasks).get("plan").size(), kMostTasks);
  EXPECT_EQ(planned(kMostTasks).find("truncated"), nullptr);
  EXPECT_EQ(planned(kMostTasks + 1).get("plan").size(), kMostTasks);
  EXPECT_EQ(planned(kMostTasks + 1).get("truncated"), json::Value(true));
}

TEST(FunctionTools, F1_APlanThatCouldNotGoOnSaysWhere) {
  auto run = planned_run("faulted", {{"/do/0/call/call/greet/do/0/get", R"({"dry_run": true, "plan": [{"action": "read"}]})"},
                                     {"/do/0/call/call/greet/do/1/x", "null"}});
  run.error = engine::make_error("expression", 400, "Expression failed", "null has no a");
  const auto stopped = planned_outcome(run);
  EXPECT_TRUE(stopped.failure.empty());
  EXPECT_EQ(stopped.output.get("plan").size(), 1U);
  EXPECT_NE(stopped.output.get("stopped").as_string().find("Expression failed"), std::string_view::npos);
  run.tasks.clear();
  EXPECT_FALSE(planned_outcome(run).failure.empty()) << "nothing was planned";
  EXPECT_FALSE(planned_outcome(planned_run("cancelled", {})).failure.empty());
  run.dry_run = false;
  EXPECT_FALSE(is_planned_call(run));
}

}  // namespace
}  // namespace pawl::api::detail
