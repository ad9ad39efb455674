#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/pointer.hpp"
#include "json/size.hpp"
#include "json/value.hpp"
#include "json/write.hpp"

namespace pawl::json {
namespace {

Value parsed(std::string_view text) {
  auto result = parse(text);
  EXPECT_TRUE(result.has_value()) << (result.has_error() ? result.error().message : "");
  return result.has_value() ? result.value() : Value();
}

TEST(Json, KeepsSixtyFourBitIntegersExactly) {
  for (const auto* text : {"9223372036854775807", "-9223372036854775808", "9007199254740993", "0", "-1"}) {
    EXPECT_EQ(to_text(parsed(text)), text);
  }
}

TEST(Json, ReadsDoublesExactly) {
  for (const auto* text : {"0.1", "1.7976931348623157e+308", "5e-324", "123456789.12345679", "2.2250738585072014e-308"}) {
    EXPECT_EQ(to_text(parsed(text)), text);
  }
}

TEST(Json, WritesJsonAlsoForBytesThatAreNoText) {
  EXPECT_EQ(to_text(Value("a\xff\xfe"
                          "b")),
            "\"a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(to_text(Value("M\xfcnchen")), "\"M\xEF\xBF\xBDnchen\"");
  EXPECT_EQ(to_text(Value("\xc3\xbc \xf0\x9f\x90\xbe \xe2\x82")), "\"\xc3\xbc \xf0\x9f\x90\xbe \xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(Json, WritesDigitsWhereFewZerosFollow) {
  EXPECT_EQ(to_text(parsed("12345678909876543212345")), "12345678909876543000000");
  EXPECT_EQ(to_text(parsed("1e300")), "1e+300");
  EXPECT_EQ(parsed("12345678909876543000000"), parsed("12345678909876543212345"));
}

TEST(Json, RoundTripsStructure) {
  const auto* text = R"({"b":[1,2.5,"x\n\u0001",null,true,{}],"a":{"deep":[[[]]]}})";
  EXPECT_EQ(to_text(parsed(text)), text);
  EXPECT_EQ(to_text(parsed(text), {.indent = 0, .sort_keys = true}), R"({"a":{"deep":[[[]]]},"b":[1,2.5,"x\n\u0001",null,true,{}]})");
}

TEST(Json, NamesTheLineAndColumnOfASyntaxError) {
  const auto result = parse("{\n  \"a\": 1,\n  oops\n}");
  ASSERT_TRUE(result.has_error());
  ASSERT_EQ(result.error().findings.size(), 1U);
  EXPECT_EQ(result.error().findings[0].line, 3U);
}

TEST(Json, RefusesWhatIsNotOneJsonText) {
  for (const auto* text : {"", "{", "1 2", "[1,]", "{\"a\"}", "nan", "'a'", "\"\xff\"", "01", "[1]]"}) {
    EXPECT_TRUE(parse(text).has_error()) << text;
  }
}

TEST(Json, RefusesDepthBeyondTheLimit) {
  const std::string deep(600, '[');
  EXPECT_EQ(parse(deep).error().code, "json.too_deep");
}

TEST(Value, CopiesOnWriteOnlyWhenShared) {
  Value first = Value::array({1, 2});
  const Value second = first;
  first.push_back(3);
  EXPECT_EQ(second.size(), 2U);
  EXPECT_EQ(first.size(), 3U);
  const auto* storage = first.items().data();
  first.set(0, 9);
  EXPECT_EQ(first.items().data(), storage);
}

TEST(Value, LargeObjectsFindKeepOrderAndErase) {
  Value object = Value::object();
  for (int i = 0; i < 1000; ++i) object.set("key" + std::to_string(i), i);
  for (int i = 0; i < 1000; i += 2) EXPECT_TRUE(object.erase("key" + std::to_string(i)));
  EXPECT_EQ(object.size(), 500U);
  EXPECT_EQ(object.get("key999").as_integer(), 999);
  EXPECT_EQ(object.find("key998"), nullptr);
  EXPECT_EQ(object.members()[0].name(), "key1");
}

TEST(Value, DeepValuesDieWithoutRecursion) {
  Value deep = Value::array();
  for (int i = 0; i < 2'000'000; ++i) {
    Value outer = Value::array();
    outer.push_back(std::move(deep));
    deep = std::move(outer);
  }
  EXPECT_GT(deep.depth(), 1'000'000U);
}

/// Dies after this thread's variables, at the end of the program; AddressSanitizer watches.
const Value& outlives_the_thread() {
  static const Value value = Value::array({Value::array({Value::object({{"deep", Value::array({1})}})})});
  return value;
}

TEST(Value, OfStaticStorageMayOutliveTheThreadsVariables) { EXPECT_EQ(outlives_the_thread().depth(), 4U); }

TEST(Value, GivesBackEveryByteItCounted) {
  const auto before = live_bytes();
  {
    Value value = parsed(R"({"a":[1,2,{"b":"text"}],"c":"more"})");
    EXPECT_GT(live_bytes(), before);
  }
  EXPECT_EQ(live_bytes(), before);
}

TEST(Value, OrdersLikeJq) {
  const char* const ordered[] = {"null",  "false", "true", "-1", "0.5",        "1",          "\"\"",
                                 "\"a\"", "[]",    "[0]",  "{}", R"({"a":1})", R"({"a":2})", R"({"b":1})"};
  for (std::size_t i = 0; i + 1 < std::size(ordered); ++i) {
    EXPECT_LT(compare(parsed(ordered[i]), parsed(ordered[i + 1])), 0) << ordered[i];
  }
  EXPECT_EQ(parsed("1"), parsed("1.0"));
}

TEST(Size, SeesThroughSharingWithoutWalkingAllOfIt) {
  Value value("x");
  for (int i = 0; i < 60; ++i) value = Value::array({value, value});
  EXPECT_TRUE(larger_than(value, 1'000'000));
  EXPECT_FALSE(larger_than(parsed(R"({"a":[1,2,{"b":"text"}]})"), 100));
  EXPECT_TRUE(larger_than(Value(std::string(101, 'x')), 100));
  EXPECT_FALSE(larger_than(Value(), 100));
}

TEST(Pointer, ResolvesEscapedTokens) {
  const auto root = parsed(R"({"a/b":[10,{"~":5}]})");
  const auto pointer = pointer_child(pointer_child(pointer_child("", "a/b"), 1), "~");
  EXPECT_EQ(pointer, "/a~1b/1/~0");
  ASSERT_NE(resolve(root, pointer), nullptr);
  EXPECT_EQ(*resolve(root, pointer), Value(5));
  EXPECT_EQ(resolve(root, "/a~1b/2"), nullptr);
  EXPECT_EQ(resolve(root, "/x/y"), nullptr);
}

}  // namespace
}  // namespace pawl::json
