#include "api/route.hpp"

#include <gmock/gmock.h>

#include <set>

namespace pawl::api {
namespace {

using testing::IsEmpty;

TEST(Routes, S4_O1_OnlyWhatMustBeOpenIsOpen) {
  for (const auto& route : route_table()) {
    EXPECT_FALSE(route.summary.empty()) << route.path;
    if (route.permission != Permission::open) continue;
    const bool expected = route.path == "/" || route.path.starts_with("/health") || route.path.starts_with("/hooks/") ||
                          route.tag == "health" || route.tag == "documentation" || route.rate == RateClass::auth ||
                          route.id == "listSignInProviders" || route.id == "refresh";
    EXPECT_TRUE(expected) << route.path << " must not be open";
  }
}

// proves: S4-C4, P3
TEST(Routes, S4_C4_WhateverTakesAPasswordACodeOrALinkIsCountedAsStrictlyAsALogIn) {
  const std::set<std::string_view> secrets{"password", "old_password", "new_password", "otp", "code", "token"};
  std::set<std::string_view> counted;
  for (const auto& route : route_table()) {
    if (route.rate == RateClass::auth) counted.insert(route.id);
    if (!route.request) continue;
    const auto body = route.request->example();
    if (!body.is_object()) continue;
    for (const auto& member : body.members()) {
      if (secrets.contains(member.name())) {
        EXPECT_EQ(route.rate, RateClass::auth) << route.path << " takes " << member.name();
      }
    }
  }
  EXPECT_THAT(counted, testing::IsSupersetOf<std::string_view>({"register", "login", "forgotPassword", "resetPassword", "verifyEmail",
                                                                "setup", "changePassword", "setupTotp", "enableTotp", "disableTotp"}));
}

TEST(Routes, AreDeclaredOnceAndHaveNamesOfTheirOwn) {
  std::set<std::pair<http::Method, std::string_view>> seen;
  std::set<std::string_view> ids;
  for (const auto& route : route_table()) {
    EXPECT_TRUE(seen.emplace(route.method, route.path).second) << route.path;
    EXPECT_TRUE(ids.insert(route.id).second) << route.id;
    EXPECT_FALSE(route.tag.empty()) << route.path;
  }
}

TEST(Routes, WhatChangesSomethingIsNotAGet) {
  for (const auto& route : route_table()) {
    if (route.permission != Permission::write && route.permission != Permission::execute) continue;
    EXPECT_NE(route.method, http::Method::get) << route.path;
  }
}

TEST(Routes, ABodyHasAShapeAndOnlyABody) {
  for (const auto& route : route_table()) {
    const bool takes_json = route.body == Body::json || route.body == Body::optional;
    EXPECT_EQ(takes_json || route.body == Body::raw, route.request.has_value() || route.body == Body::raw) << route.path;
    if (takes_json || route.body == Body::none) {
      EXPECT_EQ(route.request.has_value(), takes_json) << route.path;
    }
  }
}

// proves: AI-M10
TEST(Routes, P8_S4_L4_EveryExampleFitsItsShape) {
  for (const auto& route : route_table()) {
    for (const auto& shape : {route.request, route.reply}) {
      if (shape) {
        EXPECT_THAT(shape->check(shape->example()), IsEmpty()) << route.path;
      }
    }
    for (const auto& parameter : route.query) {
      EXPECT_THAT(parameter.shape.check(parameter.shape.example()), IsEmpty()) << route.path << " " << parameter.name;
    }
  }
}

// proves: AI-M10
TEST(OpenApi, P8_S4_L4_DescribesEveryRouteWithExamples) {
  const auto document = openapi_document(route_table(), "1.2.3");
  EXPECT_EQ(document.get("openapi"), "3.1.0");
  for (const auto& route : route_table()) {
    const auto& item = document.get("paths").get(route.path);
    ASSERT_TRUE(item.is_object()) << route.path;
    bool found = false;
    for (const auto& member : item.members()) found |= member.value.get("operationId") == json::Value(route.id);
    EXPECT_TRUE(found) << route.id;
  }
}

TEST(OpenApi, NamesTheParametersOfAPath) {
  EXPECT_THAT(path_parameters("/a/{one}/b/{two...}"), testing::ElementsAre("one", "two"));
  EXPECT_THAT(path_parameters("/plain"), IsEmpty());
}

TEST(Shape, ReportsEverythingAtOnceWithPointers) {
  const auto shape = Shape::object("", {{"name", Shape::text("a", 3).at_least(1)},
                                        {"kind", Shape::choice({"x", "y"})},
                                        {"count", Shape::integer(1, 1, 9)},
                                        {"tags", Shape::array(Shape::text("t", 2), 2)},
                                        {"note", Shape::text("n"), Shape::kOptional}});
  const auto bad = json::Value::object(
      {{"name", ""}, {"kind", "z"}, {"count", 10}, {"tags", json::Value::array({"ok", "long"})}, {"note", nullptr}, {"id", 1}});
  std::vector<std::string> pointers;
  for (const auto& finding : shape.check(bad)) pointers.push_back(finding.pointer + " " + finding.rule);
  EXPECT_THAT(pointers, testing::ElementsAre("/name length", "/kind choice", "/count range", "/tags/1 length", "/id unknown-property"));
  EXPECT_THAT(shape.check(shape.example()), IsEmpty());
  EXPECT_EQ(shape.check(json::Value::array()).front().rule, "type");
  EXPECT_EQ(shape.check(json::Value::object()).size(), 4U);
}

TEST(Shape, KnowsFormats) {
  EXPECT_THAT(Shape::email("a@example.org").check("ada@example.org"), IsEmpty());
  for (const auto* bad : {"", "ada", "@x.org", "a@b@c.org", "a b@x.org", "a@x..org", "a@.org", "<a@x.org>", "a@x.org\r\nBcc: b@x.org"}) {
    EXPECT_EQ(Shape::email("a@example.org").check(bad).size(), 1U) << bad;
  }
  EXPECT_EQ(Shape::id().check("not-an-id").size(), 1U);
  EXPECT_EQ(Shape::time().check("yesterday").size(), 1U);
}

TEST(Shape, WritesSchemasWithReferences) {
  std::vector<std::string> names;
  const auto inner = Shape::object("Inner", {{"a", Shape::secret()}});
  const auto outer = Shape::object("Outer", {{"inner", Shape(inner).or_null()}, {"more", Shape::array(inner), Shape::kOptional}});
  const auto schema = outer.schema([&](std::string_view name, const json::Value& defined) {
    names.emplace_back(name);
    EXPECT_EQ(defined.get("additionalProperties"), json::Value(false));
  });
  EXPECT_EQ(schema.get("$ref"), "#/components/schemas/Outer");
  EXPECT_THAT(names, testing::IsSupersetOf({"Inner", "Outer"}));
}

}  // namespace
}  // namespace pawl::api
