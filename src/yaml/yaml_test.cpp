#include "yaml/yaml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::yaml {
namespace {

std::string as_json(std::string_view text) {
  const auto result = parse(text);
  return result.ok() ? json::to_text(result.value->value) : "error: " + result.findings.at(0).rule;
}

/// The first finding as `line:column rule`.
std::string problem(std::string_view text, const Limits& limits = {}) {
  const auto result = parse(text, limits);
  if (result.findings.empty()) return "none";
  const Finding& first = result.findings[0];
  return std::to_string(first.line) + ':' + std::to_string(first.column) + ' ' + first.rule;
}

TEST(YamlCoreSchema, ReadsPlainScalarsByTheCoreSchemaAlone) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"on", R"("on")"},
                                                                  {"yes", R"("yes")"},
                                                                  {"no", R"("no")"},
                                                                  {"off", R"("off")"},
                                                                  {"y", R"("y")"},
                                                                  {"12:30", R"("12:30")"},
                                                                  {"true", "true"},
                                                                  {"True", "true"},
                                                                  {"TRUE", "true"},
                                                                  {"tRUE", R"("tRUE")"},
                                                                  {"false", "false"},
                                                                  {"~", "null"},
                                                                  {"null", "null"},
                                                                  {"NULL", "null"},
                                                                  {"0o17", "15"},
                                                                  {"0x1F", "31"},
                                                                  {"017", "17"},
                                                                  {"0b1", R"("0b1")"},
                                                                  {"1_000", R"("1_000")"},
                                                                  {"-12", "-12"},
                                                                  {"+12", "12"},
                                                                  {"1.5", "1.5"},
                                                                  {"1.", "1"},
                                                                  {".5", "0.5"},
                                                                  {"1e3", "1000"},
                                                                  {"-1.5E-2", "-0.015"},
                                                                  {"0.1.0", R"("0.1.0")"},
                                                                  {"1.0.3", R"("1.0.3")"},
                                                                  {".", R"(".")"},
                                                                  {"-", "[null]"},
                                                                  {"+", R"("+")"},
                                                                  {"e3", R"("e3")"},
                                                                  {"1e", R"("1e")"},
                                                                  {"2026-11-22", R"("2026-11-22")"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(as_json(text), expected) << text;
}

TEST(YamlCoreSchema, KeepsCronTextAndQuotedScalars) {
  EXPECT_EQ(as_json("cron: 0 0 * * *"), R"({"cron":"0 0 * * *"})");
  EXPECT_EQ(as_json("a: \"1\"\nb: 'true'\nc: \"\"\nd:"), R"({"a":"1","b":"true","c":"","d":null})");
  EXPECT_EQ(as_json("1: a\ntrue: b"), R"({"1":"a","true":"b"})");
}

TEST(YamlCoreSchema, ReadsInfinitiesAndNotANumber) {
  EXPECT_TRUE(std::isinf(parse(".inf").value->value.as_double()));
  EXPECT_LT(parse("-.INF").value->value.as_double(), 0);
  EXPECT_TRUE(std::isnan(parse(".NaN").value->value.as_double()));
}

TEST(YamlCoreSchema, KeepsIntegersExactAndTurnsLargerOnesIntoDoubles) {
  EXPECT_EQ(parse("9223372036854775807").value->value.as_integer(), INT64_MAX);
  EXPECT_EQ(parse("-9223372036854775808").value->value.as_integer(), INT64_MIN);
  EXPECT_DOUBLE_EQ(parse("9223372036854775808").value->value.as_double(), 9223372036854775808.0);
  EXPECT_DOUBLE_EQ(parse("0xFFFFFFFFFFFFFFFFFF").value->value.as_double(), 4722366482869645213696.0 - 1);
}

TEST(YamlReading, ReadsBlocksFlowsAndScalarsOfEveryStyle) {
  EXPECT_EQ(as_json("a: |\n  one\n  two\nb: >-\n  folded\n  text\nc: [1, {d: e}]\n"),
            R"({"a":"one\ntwo\n","b":"folded text","c":[1,{"d":"e"}]})");
  EXPECT_EQ(as_json("---\na: 1\n...\n"), R"({"a":1})");
  EXPECT_EQ(as_json("%YAML 1.2\n---\na: 1\n"), R"({"a":1})");
}

TEST(YamlReading, SkipsAByteOrderMarkAndTakesCarriageReturns) {
  EXPECT_EQ(as_json("\xEF\xBB\xBF"
                    "a: 1\r\nb: 2\r\n"),
            R"({"a":1,"b":2})");
  EXPECT_EQ(problem("a: 1\r\na: 2\r\n"), "2:1 yaml-duplicate-key");
}

TEST(YamlReading, KnowsWhereEveryValueAndKeyStands) {
  const auto result = parse("do:\n  - greet:\n      set: {name: \"x\"}\n");
  ASSERT_TRUE(result.ok());
  const Document& document = *result.value;
  EXPECT_EQ(document.position("/do/0/greet/set/name").line, 3U);
  EXPECT_EQ(document.position("/do/0/greet/set/name").column, 19U);
  EXPECT_EQ(document.key_position("/do/0/greet/set/name").column, 13U);
  EXPECT_EQ(document.key_position("/do/0/greet").line, 2U);
  EXPECT_EQ(document.position("/do/0/greet/set/missing/deeper").line, 3U);
  EXPECT_EQ(document.position("").line, 1U);
}

TEST(YamlReading, CountsColumnsInCharacters) {
  const auto result = parse("{\"\u00e4\": 1, \"b\": 2}");
  EXPECT_EQ(result.value->key_position("/b").column, 10U);
}

TEST(YamlReading, ReadsJsonThatLibyamlDoesNot) {
  EXPECT_EQ(as_json(R"({"a":"\ud83d\ude00","b":[1,-2.5e3,true,null,"\/"]})"), "{\"a\":\"\U0001F600\",\"b\":[1,-2500,true,null,\"/\"]}");
  const std::string key(3000, 'k');
  EXPECT_EQ(as_json("{\"" + key + "\":\t1}"), "{\"" + key + "\":1}");
  EXPECT_EQ(problem("{\"a\": 1,\n \"a\": 2}"), "2:2 yaml-duplicate-key");
}

TEST(YamlReading, ReadsFlowTextThatIsNotJson) { EXPECT_EQ(as_json("{a: 1, b: [x, y,]}"), R"({"a":1,"b":["x","y"]})"); }

TEST(YamlAliases, CopiesTheAnchoredValue) {
  EXPECT_EQ(as_json("a: &x {k: [1, 2]}\nb: *x\nc: *x\n"), R"({"a":{"k":[1,2]},"b":{"k":[1,2]},"c":{"k":[1,2]}})");
  EXPECT_EQ(as_json("a: &x 1\nb: &y [*x, *x]\nc: &x 2\nd: *y\ne: *x\n"), R"({"a":1,"b":[1,1],"c":2,"d":[1,1],"e":2})");
}

TEST(YamlAliases, PointsValuesFromAliasesToTheirAnchor) {
  const auto result = parse("a: &x\n  k: 1\nb: *x\n");
  EXPECT_EQ(result.value->position("/b/k").line, 2U);
}

TEST(YamlAliases, RefusesUnknownAndSelfContainingAnchors) {
  EXPECT_EQ(problem("a: *x\n"), "1:4 yaml-anchor");
  EXPECT_EQ(problem("a: &x [*x]\n"), "1:8 yaml-anchor");
}

TEST(YamlLimits, StopsAnAliasBomb) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int n = 0; n < 9; ++n) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_THAT(problem(bomb), ::testing::HasSubstr("yaml-limit"));
}

TEST(YamlLimits, StopsAnAliasBombBeforeItExpandsAnything) {
  // Of what an alias stands for nothing is read: the first value that repeats a key would be a finding.
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\ntwice: &t {k: 1, k: 2}\n";
  for (int i = 1; i < 5; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int n = 0; n < 9; ++n) bomb += ", " + before;
    bomb += "]\n";
  }
  const auto result = parse(bomb);
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].rule, "yaml-limit");
  EXPECT_EQ(result.findings[0].line, 6U);
  EXPECT_FALSE(result.value.has_value());
  // Exactly as many values as are allowed: a key is none, and a list counts as one more.
  EXPECT_TRUE(parse("a: &x [1, {k: 2}]\nb: *x\nc: *x\n", {.max_aliased = 8}).ok());
  EXPECT_EQ(problem("a: &x [1, {k: 2}]\nb: *x\nc: *x\n", {.max_aliased = 7}), "3:4 yaml-limit");
  EXPECT_TRUE(parse("a: &x 1\nb: {*x : *x}\n", {.max_aliased = 1}).ok());
}

TEST(YamlLimits, StopsDepthByNestingAndByAliases) {
  EXPECT_EQ(problem(std::string(100'000, '[')), "1:65 yaml-limit");
  EXPECT_EQ(problem("{a: " + std::string(100'000, '[')), "1:68 yaml-limit");
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  EXPECT_THAT(problem(chain), ::testing::HasSubstr("yaml-limit"));
}

TEST(YamlLimits, StopsBytesAliasesNodesAndLongPointers) {
  EXPECT_EQ(problem("a: 1234", {.max_bytes = 5}), "1:1 yaml-limit");
  EXPECT_EQ(problem("a: &x 1\nb: [*x, *x, *x]", {.max_aliases = 2}), "2:13 yaml-limit");
  EXPECT_THAT(problem("[1, 2, 3, 4, 5]", {.max_nodes = 4}), ::testing::HasSubstr("yaml-limit"));
  std::string wide = "{\"" + std::string(500'000, 'k') + "\": [";
  for (int i = 0; i < 100'000; ++i) wide += "1,";
  wide += "1]}";
  EXPECT_THAT(problem(wide), ::testing::HasSubstr("yaml-limit"));
}

TEST(YamlFindings, NamesEveryDuplicateKeyTagAndMergeKeyAtItsPlace) {
  const auto result = parse("a: 1\nb: !!str 2\na: 3\nc:\n  d: 1\n  <<: {e: 1}\n  d: 2\n");
  ASSERT_EQ(result.findings.size(), 4U);
  EXPECT_TRUE(result.value.has_value());
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.findings[0].rule, "yaml-tag");
  EXPECT_EQ(result.findings[1].line, 3U);
  EXPECT_THAT(result.findings[1].message, ::testing::HasSubstr("the first is on line 1"));
  EXPECT_EQ(result.findings[2].rule, "yaml-merge-key");
  EXPECT_EQ(result.findings[3].pointer, "/c/d");
}

TEST(YamlFindings, PointsAtSyntaxErrors) {
  EXPECT_EQ(problem("a: 1\n\tb: 2\n"), "2:1 yaml-syntax");
  EXPECT_EQ(problem("a: [1, 2\nb: 3\n"), "2:2 yaml-syntax");
  EXPECT_EQ(problem("a: \"open\n"), "2:1 yaml-syntax");
  EXPECT_EQ(problem("? [1]\n: 2\n"), "1:3 yaml-syntax");
  EXPECT_EQ(problem("a: 1\n---\nb: 2\n"), "2:1 yaml-syntax");
  EXPECT_EQ(problem("a: 1\nb: \xFF\n"), "2:4 yaml-syntax");
  EXPECT_EQ(problem(std::string_view("a: \0b", 5)), "1:4 yaml-syntax");
}

TEST(YamlFindings, CallsAnEmptyTextAFinding) {
  EXPECT_THAT(problem(""), ::testing::HasSubstr("yaml-syntax"));
  EXPECT_THAT(problem("# only a comment\n"), ::testing::HasSubstr("yaml-syntax"));
}

}  // namespace
}  // namespace pawl::yaml
