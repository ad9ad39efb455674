#include "api/detail/function_calls.hpp"

#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

TEST(FunctionCalls, A5_WhatSomebodyElseWroteIsDataWhateverItLooksLike) {
  EXPECT_EQ(without_expressions(json::Value("$secrets.x, { } and $")), json::Value("$secrets.x, { } and $"));
  const auto deep = *json::parse(R"json({"a": [1, null, true, {"b": "${ .x }"}], "${ key }": ""})json");
  const auto made = without_expressions(deep);
  EXPECT_EQ(json::to_text(made), R"json({"a":[1,null,true,{"b":"${ \"${ .x }\" }"}],"${ key }":""})json");
  const json::Value interpolating(R"json(${ "\(1)" })json");
  EXPECT_EQ(without_expressions(interpolating), json::Value(R"json(${ "${ \"\\(1)\" }" })json")) << "nothing in it interpolates";
}

TEST(FunctionCalls, A5_TheDocumentOfACallHoldsNothingElse) {
  const auto parameters = json::Value::object({{"message", "hello"}});
  EXPECT_EQ(document_of_call("log", parameters, std::chrono::seconds(60)).text,
            R"({"document":{"dsl":"1.0.3","namespace":"plugins","name":"call","version":"1.0.0"},"timeout":{"after":{"seconds":60}},)"
            R"("do":[{"call":{"call":"log","with":{"message":"hello"}}}]})");
  EXPECT_EQ(document_of_call("log", parameters, {}).text.find("timeout"), std::string::npos);
}

TEST(FunctionCalls, F1_SaysWhereParametersAreWrong) {
  const auto schema = *json::parse(R"({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})");
  EXPECT_TRUE(check_parameters(schema, *json::parse(R"({"n": 1})"), "/params").has_value());
  const auto wrong = check_parameters(schema, *json::parse(R"({"n": "x"})"), "/params");
  ASSERT_TRUE(wrong.has_error());
  EXPECT_EQ(wrong.error().code, "plugin.invalid_params");
  ASSERT_EQ(wrong.error().findings.size(), 1U);
  EXPECT_EQ(wrong.error().findings[0].pointer, "/params/n");
}

}  // namespace
}  // namespace pawl::api::detail
