#include "models/ledger.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <map>

#include "json/write.hpp"
#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

constexpr std::string_view kChat = "http://openai.test/v1/chat/completions";

/// Answers at once, or when it is told to, and remembers.
class TestLedger final : public Ledger {
 public:
  void reserve(const Claim& claim, Done done) override {
    claims.push_back(claim);
    if (refuses) return done(Error(ErrorClass::limited, "llm.budget", "nothing is left"));
    const Grant grant{.id = ReservationId{Uuid{{static_cast<std::uint8_t>(claims.size())}}}, .is_limited = is_limited};
    if (waits) {
      waiting = [done = std::move(done), grant] { done(grant); };
      return;
    }
    done(grant);
  }
  void settle(const Grant& grant, std::optional<Amount> used) override {
    EXPECT_TRUE(settled.emplace(grant.id.uuid.bytes[0], used).second) << "settled once";
  }

  bool refuses = false;
  bool is_limited = false;
  bool waits = false;
  std::function<void()> waiting;
  std::vector<Claim> claims;
  std::map<int, std::optional<Amount>> settled;
};

net::OutboundResponse said(std::string_view content, bool tells_usage = true) {
  const auto message = json::Value::object({{"role", "assistant"}, {"content", content}});
  auto body =
      json::Value::object({{"id", "c1"},
                           {"model", "gpt-4o-mini"},
                           {"choices", json::Value::array({json::Value::object({{"message", message}, {"finish_reason", "stop"}})})}});
  if (tells_usage) body.set("usage", json::Value::object({{"prompt_tokens", 1000}, {"completion_tokens", 100}}));
  return {.status = 200, .body = json::to_text(body)};
}

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() { bench_.ledger = &ledger_; }

  [[nodiscard]] Call question() const {
    Call call;
    call.organization = organization_;
    call.model = "openai/gpt-4o-mini";
    call.request.messages.push_back(Message::of(Role::user, "hello"));
    call.max_retries = 1;
    return call;
  }
  using Answers = std::vector<Result<net::OutboundResponse>>;
  void answer_with(Answers answers) {
    bench_.outbound.on("POST", std::string(kChat), [this, left = std::make_shared<Answers>(std::move(answers))](const auto& request) {
      bodies_.push_back(request.body);
      auto answer = left->front();
      if (left->size() > 1) left->erase(left->begin());
      return answer;
    });
  }
  [[nodiscard]] bool is_whole(int number) const { return ledger_.settled.contains(number) && !ledger_.settled.at(number); }
  [[nodiscard]] std::int64_t tokens(int number) const { return ledger_.settled.at(number).value().tokens; }

  OrganizationId organization_{Uuid{{7}}};
  TestLedger ledger_;
  ModelBench bench_;
  std::vector<std::string> bodies_;
};

TEST_F(LedgerTest, A2_EachRequestReservesItsMostAndIsSettledWithWhatItTook) {
  answer_with({said("hi")});
  auto call = question();
  call.request.max_tokens = 500;
  ASSERT_TRUE(bench_.ask(std::move(call)).reply.has_value());
  ASSERT_EQ(ledger_.claims.size(), 1U);
  const auto& claim = ledger_.claims[0];
  EXPECT_EQ(claim.organization, organization_);
  EXPECT_GE(claim.most.tokens, static_cast<std::int64_t>(bodies_[0].size()) + 500);
  EXPECT_TRUE(claim.is_priced);
  EXPECT_GT(claim.most.cost, 500 * 600) << "0.6 dollars for a million tokens of the answer, in billionths";
  EXPECT_EQ(tokens(1), 1100);
  EXPECT_EQ(ledger_.settled.at(1)->cost, 1000 * 150 + 100 * 600);
}

TEST_F(LedgerTest, A2_WhatDoesNotFitIsNotAskedAndNoOtherModelEither) {
  answer_with({said("hi")});
  ledger_.refuses = true;
  auto call = question();
  call.fallback = {"openai/gpt-4o"};
  const auto answer = bench_.ask(std::move(call));
  ASSERT_TRUE(answer.reply.has_error());
  EXPECT_EQ(answer.reply.error().code, "llm.budget");
  EXPECT_TRUE(bodies_.empty());
  EXPECT_EQ(ledger_.claims.size(), 1U);
}

TEST_F(LedgerTest, A2_WhereALimitHoldsTheAnswerIsCutAtWhatWasReserved) {
  answer_with({said("hi")});
  ASSERT_TRUE(bench_.ask(question()).reply.has_value());
  EXPECT_EQ(bodies_[0].find("8192"), std::string::npos);
  ledger_.is_limited = true;
  ASSERT_TRUE(bench_.ask(question()).reply.has_value());
  EXPECT_NE(bodies_[1].find("8192"), std::string::npos);
}

TEST_F(LedgerTest, A2_ARefusedRequestIsFreeAndOneThatMayHaveBeenServedCountsInFull) {
  // A provider that says no has not worked; a connection that broke off may have cost everything.
  answer_with({net::OutboundResponse{.status = 503, .body = "{}"}, said("hi")});
  ASSERT_TRUE(bench_.ask(question()).reply.has_value());
  EXPECT_EQ(tokens(1), 0);
  EXPECT_EQ(tokens(2), 1100);
  answer_with({Error(ErrorClass::unavailable, "net.protocol", "the peer broke off"), said("hi", false)});
  ASSERT_TRUE(bench_.ask(question()).reply.has_value());
  EXPECT_TRUE(is_whole(3));
  EXPECT_TRUE(is_whole(4)) << "an answer that does not say what it took";
  answer_with({Error(ErrorClass::unavailable, "net.connect", "no connection")});
  ASSERT_TRUE(bench_.ask(question()).reply.has_error());
  EXPECT_EQ(tokens(5), 0);
  EXPECT_EQ(tokens(6), 0);
}

TEST_F(LedgerTest, A2_ACallThatEndsWhileItWaitsForItsReservationGivesItBack) {
  answer_with({said("hi")});
  ledger_.waits = true;
  std::string code;
  const auto cancel = bench_.client().ask(question(), [&](const Answer& answer) { code = answer.reply.error().code; });
  cancel();
  EXPECT_EQ(code, "llm.cancelled");
  ledger_.waiting();
  bench_.run();
  EXPECT_EQ(tokens(1), 0);
  EXPECT_TRUE(bodies_.empty());
}

TEST_F(LedgerTest, A2_RepairsAreRequestsOfTheirOwnAndKeptAnswersAreFree) {
  answer_with({said("no json"), said("{\"ok\":true}")});
  auto call = question();
  call.output_schema = json::parse(R"({"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]})").value();
  call.cache = std::chrono::hours(1);
  ASSERT_TRUE(bench_.ask(call).reply.has_value());
  EXPECT_EQ(ledger_.settled.size(), 2U);
  auto other = question();
  other.cache = std::chrono::hours(1);
  ASSERT_TRUE(bench_.ask(other).reply.has_value());
  ASSERT_TRUE(bench_.ask(other).cached);
  EXPECT_EQ(ledger_.claims.size(), 3U);
}

TEST_F(LedgerTest, A2_NoNumberOfADocumentOrAProviderLeavesTheRange) {
  constexpr auto kHuge = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kSum = 4'000'000'000'000;  // of a million of them nothing overflows
  Request request;
  for (const std::int64_t wanted : {kHuge, -kHuge}) {
    request.max_tokens = wanted;
    const auto tokens = most_tokens(request, 100);
    EXPECT_GE(tokens, 100);
    EXPECT_LT(tokens, kSum);
    EXPECT_GE(most_cost(Prices::built_in(), "openai/gpt-4o-mini", request, tokens), 0);
    for (const auto& usage : {Usage{.input = wanted, .output = wanted}, Usage{.input = wanted, .output = 1, .cached = -wanted}}) {
      const auto took = amount_of(Prices::built_in(), "openai/gpt-4o-mini", usage);
      EXPECT_GE(took.tokens, 0);
      EXPECT_LT(took.tokens, kSum);
      EXPECT_GE(took.cost, 0);
    }
  }
}

TEST_F(LedgerTest, A2_AnUnknownPriceIsSaidAndMediaCountAsWhatProvidersCount) {
  Request request;
  request.max_tokens = 10;
  const auto text = most_tokens(request, 100);
  request.messages.push_back(Message::of(Role::user, "look"));
  request.messages[0].parts.push_back({.kind = Part::Kind::image, .url = "http://a.example/i.png"});
  EXPECT_GE(most_tokens(request, 100), text + 10'000);
  request.messages[0].parts.push_back({.kind = Part::Kind::file, .url = "http://a.example/f.pdf"});
  EXPECT_GE(most_tokens(request, 100), text + 300'000);
  EXPECT_FALSE(most_cost(Prices::built_in(), "openai/unheard-of", request, 100));
  EXPECT_EQ(most_cost(Prices::built_in(), "scripted/any", request, 100), 0);
}

}  // namespace
}  // namespace pawl::models
