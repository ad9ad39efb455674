#include "api/api.hpp"

#include <gmock/gmock.h>

#include <set>

namespace pawl::api {
namespace {

TEST(Routes, EachNamesItsPermissionAndOnlyHealthStartPageAndWebhooksAreOpen) {
  for (const auto& route : Api::routes()) {
    EXPECT_FALSE(route.summary.empty()) << route.path;
    if (route.permission != Permission::open) continue;
    const bool expected = route.path == "/" || route.path.starts_with("/health") || route.path.starts_with("/hooks/") ||
                          route.path == "/api/health" || route.path == "/api/ready" || route.path == "/api/live";
    EXPECT_TRUE(expected) << route.path << " must not be open";
  }
}

TEST(Routes, AreDeclaredOnce) {
  std::set<std::pair<http::Method, std::string_view>> seen;
  for (const auto& route : Api::routes()) EXPECT_TRUE(seen.emplace(route.method, route.path).second) << route.path;
}

TEST(Routes, WhatChangesSomethingIsNotAGet) {
  for (const auto& route : Api::routes()) {
    if (route.permission == Permission::write || route.permission == Permission::execute) {
      EXPECT_NE(route.method, http::Method::get) << route.path;
    }
  }
}

}  // namespace
}  // namespace pawl::api
