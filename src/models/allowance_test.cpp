// proves: A2
//
// What one call may take: each request is cut to it or not made, and what nobody told counts in full.
#include <gmock/gmock.h>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

constexpr std::string_view kChat = "http://openai.test/v1/chat/completions";
constexpr std::string_view kModel = "openai/gpt-4o-mini";  // 0.15 and 0.6 dollars for a million tokens

net::OutboundResponse said(std::string_view usage) {
  const auto message = json::Value::object({{"role", "assistant"}, {"content", "hi"}});
  auto body =
      json::Value::object({{"id", "c1"},
                           {"model", "gpt-4o-mini"},
                           {"choices", json::Value::array({json::Value::object({{"message", message}, {"finish_reason", "stop"}})})}});
  if (!usage.empty()) body.set("usage", json::parse(usage).value());
  return {.status = 200, .body = json::to_text(body)};
}

class AllowanceTest : public testing::Test {
 protected:
  [[nodiscard]] static Call question(Allowance allowance) {
    Call call;
    call.model = std::string(kModel);
    call.request.messages.push_back(Message::of(Role::user, "hello"));
    call.allowance = allowance;
    return call;
  }
  using Answers = std::vector<Result<net::OutboundResponse>>;
  void answer_with(Answers answers) {
    bench_.outbound.on("POST", std::string(kChat), [this, left = std::make_shared<Answers>(std::move(answers))](const auto& request) {
      asked_.push_back(json::parse(request.body).value());
      auto answer = left->front();
      if (left->size() > 1) left->erase(left->begin());
      return answer;
    });
  }
  [[nodiscard]] std::int64_t most(std::size_t number) const { return asked_.at(number).get("max_completion_tokens").as_integer(); }

  ModelBench bench_;
  std::vector<json::Value> asked_;
};

TEST_F(AllowanceTest, A2_TheAnswerIsCutToTokensAndToMoney) {
  answer_with({said(R"({"prompt_tokens": 10, "completion_tokens": 5})")});
  const auto tokens = bench_.ask(question({.tokens = 1'000, .prompt = 500}));
  ASSERT_TRUE(tokens.reply.has_value()) << tokens.reply.error().message;
  EXPECT_EQ(most(0), 500);
  EXPECT_EQ(tokens.charged.tokens, 15);
  EXPECT_EQ(tokens.charged.cost, 10 * 150 + 5 * 600);
  const auto money = bench_.ask(question({.cost = 500 * 150 + 100 * 600, .prompt = 500}));
  ASSERT_TRUE(money.reply.has_value()) << money.reply.error().message;
  EXPECT_EQ(most(1), 100) << "to the token";
  EXPECT_DOUBLE_EQ(money.price->output, 0.6);
}

TEST_F(AllowanceTest, A2_WhatDoesNotFitIsNotMadeAndAnUnknownPriceIsSaid) {
  answer_with({said("")});
  EXPECT_EQ(bench_.ask(question({.tokens = 515, .prompt = 500})).reply.error().code, "llm.allowance_tokens");
  EXPECT_EQ(bench_.ask(question({.cost = 1'000, .prompt = 500})).reply.error().code, "llm.allowance_cost");
  auto unknown = question({.cost = 1'000'000'000});
  unknown.model = "openai/unheard-of";
  EXPECT_EQ(bench_.ask(unknown).reply.error().code, "llm.unpriced");
  EXPECT_TRUE(asked_.empty());
  auto free = question({.tokens = 1'000'000});
  free.model = "openai/unheard-of";
  EXPECT_TRUE(bench_.ask(free).reply.has_value()) << "its tokens can be counted";
}

TEST_F(AllowanceTest, A2_WhatNobodyToldCountsInFullAndIsNotAskedForAgain) {
  answer_with({Error(ErrorClass::unavailable, "net.protocol", "the peer broke off")});
  const auto broken = bench_.ask(question({.tokens = 1'000, .prompt = 500}));
  EXPECT_EQ(broken.charged.tokens, 1'000);
  EXPECT_TRUE(broken.unanswered);
  EXPECT_EQ(asked_.size(), 1U);
  // What the provider refused was free, and is tried again.
  answer_with({net::OutboundResponse{.status = 503, .body = "{}"}, said("")});
  const auto silent = bench_.ask(question({.tokens = 1'000, .prompt = 500}));
  EXPECT_TRUE(silent.reply.has_value());
  EXPECT_EQ(silent.charged.tokens, 1'000) << "an answer that does not say what it took";
}

TEST_F(AllowanceTest, A2_AFallbackKeepsToItAsWell) {
  answer_with({net::OutboundResponse{.status = 400, .body = "{}"}, said("")});
  auto dear = question({.cost = 500 * 150 + 100 * 600, .prompt = 500});
  dear.fallback = {"openai/o3"};
  const auto answer = bench_.ask(dear);
  EXPECT_EQ(answer.reply.error().code, "llm.invalid_request") << "why the first one gave no answer";
  ASSERT_EQ(answer.attempts.size(), 2U);
  EXPECT_THAT(answer.attempts[1].error, testing::HasSubstr("llm.allowance_cost"));
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(AllowanceTest, A2_AfterACrashTheRequestThatWasUnderWayCounts) {
  answer_with({said(R"({"prompt_tokens": 10, "completion_tokens": 5})")});
  auto call = question({.tokens = 1'000, .prompt = 500});
  call.is_again = true;
  const auto tight = bench_.ask(call);
  EXPECT_EQ(tight.reply.error().code, "llm.allowance_tokens");
  EXPECT_TRUE(tight.unanswered);
  EXPECT_EQ(tight.charged.tokens, 1'000);
  call.allowance->tokens = 5'000;
  call.request.max_tokens = 100;
  const auto wide = bench_.ask(call);
  ASSERT_TRUE(wide.reply.has_value());
  EXPECT_EQ(wide.charged.tokens, 600 + 15);
}

TEST_F(AllowanceTest, A2_WhatAProviderClaimsIsBoundedAndNeverNegative) {
  for (const auto* usage :
       {R"({"prompt_tokens": -10, "completion_tokens": -5})", R"({"prompt_tokens": 1e300, "completion_tokens": 5})",
        R"({"prompt_tokens": "many"})", R"({"prompt_tokens": 9223372036854775807, "completion_tokens": 9223372036854775807})"}) {
    answer_with({said(usage)});
    const auto answer = bench_.ask(question({.tokens = 1'000, .cost = 1'000'000'000, .prompt = 500}));
    EXPECT_GE(answer.charged.tokens, 0) << usage;
    EXPECT_LE(answer.charged.tokens, 4'000'000'000) << usage;
    EXPECT_GE(answer.charged.cost, 0) << usage;
  }
}

TEST_F(AllowanceTest, A2_AnErrorInABodyThatSays200IsAnErrorAndCounts) {
  answer_with({net::OutboundResponse{.status = 200, .body = R"({"error": {"message": "overloaded", "type": "server_error"}})"}});
  const auto answer = bench_.ask(question({.tokens = 1'000, .prompt = 500}));
  ASSERT_TRUE(answer.reply.has_error());
  EXPECT_GE(answer.charged.tokens, 0);
  EXPECT_LE(answer.charged.tokens, 1'000);
}

}  // namespace
}  // namespace pawl::models
