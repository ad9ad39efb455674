#include "jq/jq.hpp"

#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::jq {
namespace {

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

/// All results as JSON, or the error's code and message.
std::string run(std::string_view source, std::string_view input = "null", const Limits& limits = {}) {
  auto program = compile(source);
  if (program.has_error()) return program.error().code + ": " + program.error().message;
  Context context;
  context.limits = limits;
  Evaluation evaluation(program.value(), parsed(input), context);
  std::string out;
  while (true) {
    auto result = evaluation.next();
    if (result.has_error()) return out + (out.empty() ? "" : " ") + result.error().code + ": " + result.error().message;
    if (!result.value()) return out;
    if (!out.empty()) out += ' ';
    out += json::to_text(*result.value());
  }
}

TEST(Jq, RunsSimpleProgramsWithoutAMachine) {
  EXPECT_EQ(run(".", "5"), "5");
  EXPECT_EQ(run(".a.b", R"({"a":{"b":7}})"), "7");
  EXPECT_EQ(run(".a[1]", R"({"a":[1,2]})"), "2");
  EXPECT_EQ(run(R"({"a":[1,2]})"), R"({"a":[1,2]})");
  EXPECT_EQ(run(".a", "1"), R"(jq.error: Cannot index number with string ("a"))");
}

TEST(Jq, KeepsIntegersExact) {
  EXPECT_EQ(run(". + 1", "9007199254740993"), "9007199254740994");
  EXPECT_EQ(run("9223372036854775807 - 1"), "9223372036854775806");
  EXPECT_EQ(run("6 / 3, 7 / 2, 7 % 3"), "2 3.5 1");
}

TEST(Jq, GivesTheValuesOfFreeVariables) {
  const std::string_view names[] = {"input", "limit"};
  const auto program = compile("$limit + .", names);
  ASSERT_TRUE(program.has_value());
  EXPECT_TRUE(program.value().uses_variable(1));
  EXPECT_FALSE(program.value().uses_variable(0));
  const json::Value values[] = {json::Value(), json::Value(40)};
  Context context;
  context.variables = values;
  EXPECT_EQ(first(program.value(), json::Value(2), context).value(), json::Value(42));
}

}  // namespace
}  // namespace pawl::jq
