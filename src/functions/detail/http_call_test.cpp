#include "functions/detail/http_call.hpp"

#include <gtest/gtest.h>

namespace pawl::functions {
namespace {

net::OutboundRequest carried(const std::string& method, engine::EffectClass effect) {
  engine::Invocation call;
  call.effect = effect;
  if (effect >= engine::EffectClass::idempotent) call.idempotency_key = "key-1";
  net::OutboundRequest request;
  request.method = method;
  carry_effect(request, call);
  return request;
}

TEST(CarryEffect, AWritingCallCarriesTheKeyOfItsStep) {
  EXPECT_EQ(net::find_header(carried("POST", engine::EffectClass::idempotent).headers, "idempotency-key"), "key-1");
  EXPECT_FALSE(net::find_header(carried("GET", engine::EffectClass::read).headers, "idempotency-key"));
}

TEST(CarryEffect, AnAtMostOnceCallIsNeverSentAgainByTheClient) {
  EXPECT_TRUE(carried("POST", engine::EffectClass::once).at_most_once);
  EXPECT_TRUE(carried("GET", engine::EffectClass::once).at_most_once);
  EXPECT_FALSE(carried("POST", engine::EffectClass::idempotent).at_most_once);
}

TEST(CarryEffect, TheWorkflowsOwnKeyStays) {
  engine::Invocation call;
  call.effect = engine::EffectClass::idempotent;
  call.idempotency_key = "ours";
  net::OutboundRequest request;
  request.method = "PUT";
  request.headers.emplace_back("Idempotency-Key", "theirs");
  carry_effect(request, call);
  ASSERT_EQ(request.headers.size(), 1U);
  EXPECT_EQ(request.headers[0].second, "theirs");
}

}  // namespace
}  // namespace pawl::functions
