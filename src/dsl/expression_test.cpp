#include "dsl/expression.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "dsl/detail/scan.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::dsl {
namespace {

class Variables final : public Scope {
 public:
  std::map<std::string, json::Value, std::less<>> values;
  mutable int asked = 0;
  [[nodiscard]] json::Value variable(std::string_view name) const override {
    ++asked;
    const auto found = values.find(name);
    return found == values.end() ? json::Value() : found->second;
  }
  [[nodiscard]] TimePoint now() const override { return TimePoint{Millis{1'000'000}}; }
};

json::Value read(std::string_view text) { return json::parse(text).value(); }

TEST(Expression, EvaluatesWithTheVariablesThatItNames) {
  const auto made = Expression::compile("$context.a + .b", {"context", "input", "contextual"});
  ASSERT_TRUE(made.has_value());
  Variables scope;
  scope.values["context"] = read(R"({"a": 1})");
  EXPECT_EQ(made.value().evaluate(read(R"({"b": 2})"), scope).value(), json::Value(3));
  EXPECT_EQ(scope.asked, 1);
}

TEST(Expression, GivesTheFirstResultOrNull) {
  const Variables scope;
  EXPECT_EQ(Expression::compile("1, 2", {}).value().evaluate({}, scope).value(), json::Value(1));
  EXPECT_TRUE(Expression::compile("empty", {}).value().evaluate({}, scope).value().is_null());
  EXPECT_TRUE(Expression::compile(".x != null", {}).value().test(read(R"({"x": 0})"), scope).value());
}

TEST(Expression, UsesManyVariablesAndTheGivenTime) {
  Variables scope;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) scope.values[name] = json::Value(1);
  const auto made = Expression::compile("$a + $b + $c + $d + $e + $f", {"a", "b", "c", "d", "e", "f"});
  EXPECT_EQ(made.value().evaluate({}, scope).value(), json::Value(6));
  EXPECT_EQ(Expression::compile("now", {}).value().evaluate({}, scope).value(), json::Value(1000));
}

TEST(Expression, RefusesVariablesThatAreNotInScope) {
  const auto made = Expression::compile("$contxt.a", {"context", "input"});
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, "jq.unknown");
}

TEST(TextScan, EndsAnExpressionAtItsOwnBrace) {
  const auto inner = [](std::string_view text) {
    const auto scan = detail::scan_text(text);
    for (const auto& part : scan.parts) {
      if (part.expression) return std::string(part.text);
    }
    return std::string(scan.unterminated ? "unterminated" : "none");
  };
  EXPECT_EQ(inner("${ .a }"), " .a ");
  EXPECT_EQ(inner("${ {a: {b: 1}} } tail}"), " {a: {b: 1}} ");
  EXPECT_EQ(inner(R"(${ "}" } x)"), R"( "}" )");
  EXPECT_EQ(inner(R"(${ "\"}" })"), R"( "\"}" )");
  EXPECT_EQ(inner(R"(${ "a\("b}" + {c: "}"}.c)}" } x)"), R"( "a\("b}" + {c: "}"}.c)}" )");
  EXPECT_EQ(inner("${ .a # a } in a comment\n }"), " .a # a } in a comment\n ");
  EXPECT_EQ(inner("${ .a"), "unterminated");
  EXPECT_EQ(inner("${ \"open }"), "unterminated");
  EXPECT_EQ(inner("$ { .a }"), "none");
}

TEST(TextScan, TellsWholeExpressionsFromInterpolation) {
  EXPECT_TRUE(detail::scan_text("  ${ .a }\n").whole);
  EXPECT_FALSE(detail::scan_text("${ .a } ${ .b }").whole);
  EXPECT_FALSE(detail::scan_text("x ${ .a }").whole);
  std::size_t offset = 0;
  EXPECT_EQ(detail::unwrap_expression("  ${ .a }", offset), " .a ");
  EXPECT_EQ(offset, 4U);
  EXPECT_EQ(detail::unwrap_expression(".a", offset), ".a");
  EXPECT_EQ(offset, 0U);
}

TEST(TextScan, KnowsTextThatWasMeantAsAnExpression) {
  for (const char* text : {".user", ".items[0].name", "$context.total", "$input", ".a + 1", ".list | length"}) {
    EXPECT_TRUE(detail::looks_like_expression(text)) << text;
  }
  for (const char* text : {"user", "./file", "...", ".5", "$HOME", "$5.00", ".. up", ".net is a framework", "$contextual"}) {
    EXPECT_FALSE(detail::looks_like_expression(text)) << text;
  }
}

TEST(Duration, ReadsEveryFormInWhichDocumentsWriteIt) {
  const std::vector<std::pair<std::string, std::int64_t>> cases = {
      {R"({"days": 1, "hours": 2, "minutes": 3, "seconds": 4, "milliseconds": 5})", 93'784'005},
      {R"("PT1.5S")", 1500},
      {R"("P1DT1H")", 90'000'000},
      {R"("30s")", 30'000},
      {R"("1h30m")", 5'400'000},
      {R"("500ms")", 500},
      {"2.5", 2500}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(to_duration(read(text)).value().count(), expected) << text;
  for (const char* text : {R"({})", R"({"weeks": 1})", R"({"seconds": -1})", R"({"days": 40000})", R"("soon")", R"("30")", R"("5m1h")",
                           "null", "-1", R"({"seconds": "1"})", R"("")"}) {
    EXPECT_EQ(to_duration(read(text)).error().code, "dsl.duration") << text;
  }
}

}  // namespace
}  // namespace pawl::dsl
