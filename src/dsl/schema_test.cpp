#include "dsl/schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/parse.hpp"

namespace pawl::dsl {
namespace {

json::Value read(std::string_view text) { return json::parse(text).value(); }

/// `pointer rule` of each finding, one a line.
std::string problems(std::string_view schema, std::string_view value) {
  const auto compiled = Schema::compile(read(schema));
  if (compiled.has_error()) return compiled.error().code + ' ' + compiled.error().findings.at(0).pointer;
  std::string out;
  for (const Finding& finding : compiled.value().validate(read(value)))
    out += (out.empty() ? "" : "\n") + finding.pointer + ' ' + finding.rule;
  return out;
}

TEST(Schema, ChecksTypesBoundsAndTexts) {
  EXPECT_EQ(problems(R"({"type": "integer"})", "1.0"), "");
  EXPECT_EQ(problems(R"({"type": "integer"})", "1.5"), " wrong-type");
  EXPECT_EQ(problems(R"({"type": ["string", "null"]})", "null"), "");
  EXPECT_EQ(problems(R"({"minimum": 1, "maximum": 3})", "4"), " invalid-value");
  EXPECT_EQ(problems(R"({"minimum": 1, "exclusiveMinimum": true})", "1"), " invalid-value");
  EXPECT_EQ(problems(R"({"exclusiveMinimum": 1})", "1"), " invalid-value");
  EXPECT_EQ(problems(R"({"multipleOf": 0.1})", "0.3"), "");
  EXPECT_EQ(problems(R"({"minLength": 2, "maxLength": 3})", "\"\u00e4\u00f6\""), "");
  EXPECT_EQ(problems(R"({"pattern": "^a+$"})", R"("aab")"), " invalid-value");
  EXPECT_EQ(problems(R"({"enum": [1, "a", null]})", R"("b")"), " invalid-value");
  EXPECT_EQ(problems(R"({"const": {"a": [1]}})", R"({"a": [1.0]})"), "");
  EXPECT_EQ(problems(R"({"format": "date-time"})", R"("2026-11-22")"), " invalid-value");
  EXPECT_EQ(problems("false", "1"), " invalid-value");
}

TEST(Schema, ReportsEveryProblemOfAnObjectAtItsPlace) {
  const auto* schema = R"({"type": "object", "required": ["a", "b"], "additionalProperties": false,
    "properties": {"a": {"type": "string"}, "b": {}, "c": {"items": {"type": "number"}}}})";
  EXPECT_EQ(problems(schema, R"({"a": 1, "c": [1, "x"], "d": 2})"),
            " missing-property\n/a wrong-type\n/c/1 wrong-type\n/d unknown-property");
}

TEST(Schema, CombinesSchemas) {
  const auto* one_of = R"({"oneOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]})";
  EXPECT_EQ(problems(one_of, R"("a")"), "");
  EXPECT_EQ(problems(one_of, "{}"), " missing-property");
  EXPECT_EQ(problems(one_of, "1"), " wrong-type");
  EXPECT_EQ(problems(R"({"oneOf": [{"minimum": 1}, {"maximum": 5}]})", "3"), " invalid-value");
  EXPECT_EQ(problems(R"({"anyOf": [{"minimum": 1}, {"maximum": 5}]})", "3"), "");
  EXPECT_EQ(problems(R"({"not": {"type": "null"}})", "null"), " invalid-value");
  EXPECT_EQ(problems(R"({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}})", R"({"a": 1})"),
            " missing-property");
}

TEST(Schema, KnowsTheKeywordsOfLaterDrafts) {
  EXPECT_EQ(problems(
                R"({"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"n": {"type": "number"}},
                        "prefixItems": [{"$ref": "#/$defs/n"}],
                        "items": false})",
                R"([1, 2])"),
            "/1 invalid-value");
  EXPECT_EQ(problems(R"({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": false})", R"({"a": 1, "b": 2})"),
            "/b unknown-property");
  EXPECT_EQ(problems(R"({"dependentRequired": {"a": ["b"]}})", R"({"a": 1})"), " missing-property");
  EXPECT_EQ(problems(R"({"contains": {"const": 1}, "minContains": 2})", "[1, 2]"), " invalid-value");
  EXPECT_EQ(problems(R"({"uniqueItems": true})", "[1, 2, 1.0]"), " invalid-value");
  EXPECT_EQ(problems(R"({"propertyNames": {"pattern": "^[a-z]+$"}})", R"({"A": 1})"), "/A invalid-value");
  EXPECT_EQ(problems(R"({"patternProperties": {"^x-": {"type": "string"}}})", R"({"x-a": 1})"), "/x-a wrong-type");
}

TEST(Schema, FollowsReferencesThatComeBackToAListOfThemselves) {
  const auto* tree =
      R"({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "name": {"type": "string"}}})";
  EXPECT_EQ(problems(tree, R"({"children": [{"children": [{"name": 1}]}]})"), "/children/0/children/0/name wrong-type");
}

TEST(Schema, RefusesWhatItCannotCheck) {
  EXPECT_EQ(problems(R"({"$ref": "https://example.org/x.json"})", "1"), "dsl.schema /$ref");
  EXPECT_EQ(problems(R"({"$ref": "other.json#/a"})", "1"), "dsl.schema /$ref");
  EXPECT_EQ(problems(R"({"properties": {"a": {"$ref": "#/$defs/missing"}}})", "1"), "dsl.schema /properties/a/$ref");
  EXPECT_EQ(problems(R"({"type": "text"})", "1"), "dsl.schema /type");
  EXPECT_EQ(problems(R"({"pattern": "("})", "1"), "dsl.schema /pattern");
  EXPECT_EQ(problems(R"({"properties": {"a": 1}})", "1"), "dsl.schema /properties/a");
  EXPECT_EQ(problems("[]", "1"), "dsl.schema ");
  EXPECT_EQ(problems(R"({"$dynamicRef": "#a"})", "1"), "dsl.schema /$dynamicRef");
}

TEST(Schema, RefusesReferencesWithoutEnd) {
  EXPECT_EQ(problems(R"({"$ref": "#"})", "1"), "dsl.schema ");
  EXPECT_EQ(problems(R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})", "1"),
            "dsl.schema /$defs/a");
}

TEST(Schema, DoesBoundedWorkOnCostlySchemasAndDeepValues) {
  std::string doubling = R"({"$defs": {"s0": {"type": "string"})";
  for (int i = 1; i < 40; ++i) {
    const std::string before = R"({"$ref": "#/$defs/s)" + std::to_string(i - 1) + "\"}";
    doubling += ", \"s" + std::to_string(i) + R"(": {"allOf": [)" + before + ", " + before + "]}";
  }
  doubling += R"(}, "$ref": "#/$defs/s39"})";
  EXPECT_EQ(problems(doubling, R"("x")"), " invalid-value");
  std::string deep(400, '[');
  deep += std::string(400, ']');
  EXPECT_THAT(problems(R"({"items": {"$ref": "#"}})", deep), ::testing::HasSubstr("invalid-value"));
}

TEST(Schema, MatchesPatternsOfLongTextsWithoutOverflow) {
  const std::string text = '"' + std::string(100'000, 'a') + '"';
  EXPECT_EQ(problems(R"({"pattern": "^[ab]*$"})", text), "");
  // Beyond the matcher's limits a text counts as not matching.
  EXPECT_EQ(problems(R"({"pattern": "^(a|b)*$"})", text), " invalid-value");
}

}  // namespace
}  // namespace pawl::dsl
