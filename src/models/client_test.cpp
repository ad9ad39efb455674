#include "models/client.hpp"

#include <gmock/gmock.h>

#include "json/write.hpp"
#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kChat = "http://openai.test/v1/chat/completions";
constexpr std::string_view kMessages = "http://anthropic.test/v1/messages";

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

Call question(std::string model) {
  Call call;
  call.model = std::move(model);
  call.request.messages.push_back(Message::of(Role::user, "hello"));
  return call;
}

net::OutboundResponse said(std::string_view content) {
  const auto body = json::Value::object(
      {{"id", "c1"},
       {"model", "gpt-4o-mini-2024"},
       {"choices", json::Value::array({json::Value::object(
                       {{"message", json::Value::object({{"role", "assistant"}, {"content", content}})}, {"finish_reason", "stop"}})})},
       {"usage", json::Value::object({{"prompt_tokens", 1000}, {"completion_tokens", 100}})}});
  return {.status = 200, .body = json::to_text(body)};
}

/// Answers in turn, the last one for ever.
net::ScriptedOutbound::Answer in_turn(std::vector<net::OutboundResponse> answers) {
  auto left = std::make_shared<std::vector<net::OutboundResponse>>(std::move(answers));
  return [left](const net::OutboundRequest&) -> Result<net::OutboundResponse> {
    auto answer = left->front();
    if (left->size() > 1) left->erase(left->begin());
    return answer;
  };
}

std::vector<std::string> attempts(const Answer& answer) {
  std::vector<std::string> texts;
  for (const auto& attempt : answer.attempts) texts.push_back(attempt.model + (attempt.error.empty() ? " ok" : " " + attempt.error));
  return texts;
}

class Models : public testing::Test {
 protected:
  void answer_with(std::vector<net::OutboundResponse> answers) {
    bench_.outbound.on("POST", std::string(kChat), in_turn(std::move(answers)));
  }
  [[nodiscard]] json::Value sent(std::size_t index) const { return parsed(bench_.outbound.requests().at(index).body); }
  void script(const std::string& name, std::string_view text) {
    const auto added = bench_.scripts.add(name, parsed(text));
    ASSERT_TRUE(added.has_value()) << added.error().message;
  }
  ModelBench bench_;
};

TEST_F(Models, A1AnswersWithUsageAndCost) {
  answer_with({said("hi")});
  const auto answer = bench_.ask(question("openai/gpt-4o-mini"));
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_EQ(answer.reply->content, "hi");
  EXPECT_EQ(answer.model, "gpt-4o-mini");
  EXPECT_EQ(answer.provider, "openai");
  EXPECT_EQ(answer.usage.input, 1000);
  EXPECT_DOUBLE_EQ(answer.cost.value(), (1000 * 0.15 + 100 * 0.6) / 1e6);
  EXPECT_FALSE(answer.scripted);
  EXPECT_THAT(attempts(answer), ElementsAre("openai/gpt-4o-mini ok"));
}

TEST_F(Models, AnUnknownPriceIsNoCost) {
  answer_with({said("hi")});
  EXPECT_FALSE(bench_.ask(question("openai/something-new")).cost.has_value());
}

TEST_F(Models, A1WaitsAsLongAsTheServerAsks) {
  answer_with(
      {{.status = 429, .headers = {{"Retry-After", "3"}}, .body = R"({"error":{"message":"slow down","code":"rate_limit_exceeded"}})"},
       {.status = 503, .body = "busy"},
       said("hi")});
  const auto before = bench_.clock.now();
  const auto answer = bench_.ask(question("openai/gpt-4o"));
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_EQ(bench_.outbound.requests().size(), 3U);
  EXPECT_GE(bench_.clock.now() - before, Millis(3'000) + Millis(1'000));
  EXPECT_THAT(attempts(answer), ElementsAre(HasSubstr("llm.rate_limited"), HasSubstr("llm.unavailable"), "openai/gpt-4o ok"));
}

TEST_F(Models, AWaitBeyondTheCallsTimeFailsAtOnce) {
  answer_with({{.status = 429, .headers = {{"retry-after", "3600"}}, .body = "{}"}});
  const auto answer = bench_.ask(question("openai/gpt-4o"));
  EXPECT_EQ(answer.reply.error().code, "llm.rate_limited");
  EXPECT_EQ(bench_.outbound.requests().size(), 1U);
}

TEST_F(Models, WhatCannotBecomeBetterIsNotTriedAgain) {
  struct Case {
    int status;
    std::string body;
    std::string code;
  };
  const std::vector<Case> cases = {
      {429, R"({"error":{"message":"pay","code":"insufficient_quota"}})", "llm.quota"},
      {401, R"({"error":{"message":"Incorrect API key provided: sk-test-key-123456"}})", "llm.auth"},
      {400, R"({"error":{"message":"no such parameter"}})", "llm.invalid_request"},
      {400, R"({"error":{"message":"too long","code":"context_length_exceeded"}})", "llm.context_full"},
      {413, "{}", "llm.too_large"},
  };
  for (const auto& item : cases) {
    ModelBench bench;
    bench.outbound.on("POST", std::string(kChat), in_turn({{.status = item.status, .body = item.body}}));
    const auto answer = bench.ask(question("openai/gpt-4o"));
    ASSERT_TRUE(answer.reply.has_error());
    EXPECT_EQ(answer.reply.error().code, item.code) << item.body;
    EXPECT_EQ(bench.outbound.requests().size(), 1U) << item.body;
    EXPECT_THAT(answer.reply.error().message, Not(HasSubstr("sk-test-key")));
  }
}

TEST_F(Models, A1FallsBackOnlyWhereTheCallSaysSoAndShowsIt) {
  bench_.outbound.on("POST", std::string(kMessages),
                     in_turn({{.status = 529, .body = R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})"}}));
  answer_with({said("from the other one")});
  auto call = question("anthropic/claude-sonnet-4-5");
  call.max_retries = 0;
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.unavailable");
  call.fallback = {"gemini/gemini-2.5-flash", "openai/gpt-4o"};
  const auto answer = bench_.ask(call);
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_EQ(answer.provider, "openai");
  EXPECT_THAT(attempts(answer), ElementsAre(HasSubstr("529 overloaded_error"), HasSubstr("llm.not_configured"), "openai/gpt-4o ok"));
}

TEST_F(Models, NothingIsAnsweredWithoutAProvider) {
  bench_.providers.endpoints.clear();
  EXPECT_EQ(bench_.ask(question("openai/gpt-4o")).reply.error().code, "llm.not_configured");
  EXPECT_EQ(bench_.ask(question("gpt-4o")).reply.error().code, "llm.not_configured");
  EXPECT_EQ(bench_.ask(question("scripted/nobody")).reply.error().code, "llm.invalid_request");
  auto call = question("m");
  call.provider = "dummy";
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.unknown_provider");
  EXPECT_TRUE(bench_.outbound.requests().empty());
}

TEST_F(Models, A2RepairsAnAnswerUntilItFitsTheSchema) {
  answer_with({said("it is urgent"), said(R"({"urgent": "very"})"), said("```json\n{\"urgent\": true}\n```")});
  auto call = question("openai/gpt-4o-mini");
  call.output_schema =
      parsed(R"({"type": "object", "properties": {"urgent": {"type": "boolean"}, "why": {"type": "string"}}, "required": ["urgent"]})");
  const auto answer = bench_.ask(call);
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_EQ(answer.output, parsed(R"({"urgent": true})"));
  EXPECT_EQ(answer.repairs, 2U);
  EXPECT_EQ(answer.usage.input, 3000) << "repairs are paid for too";
  EXPECT_EQ(json::to_text(sent(0).get("response_format").get("json_schema").get("schema")),
            R"({"type":"object","properties":{"urgent":{"type":"boolean"},"why":{"anyOf":[{"type":"string"},{"type":"null"}]}},)"
            R"("required":["urgent","why"],"additionalProperties":false})");
  EXPECT_EQ(sent(2).get("messages").size(), 5U);
  EXPECT_THAT(json::to_text(sent(2).get("messages").at(4)), HasSubstr("/urgent"));
  call.max_repairs = 0;
  answer_with({said("no")});
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.output_invalid");
}

TEST_F(Models, TemperatureZeroIsSent) {
  answer_with({said("hi")});
  auto call = question("openai/gpt-4o");
  call.request.temperature = 0;
  ASSERT_TRUE(bench_.ask(call).reply.has_value());
  ASSERT_NE(sent(0).find("temperature"), nullptr);
  EXPECT_EQ(sent(0).get("temperature"), json::Value(0));
}

TEST_F(Models, ASecretOfTheRunNeverLeaves) {
  answer_with({said("hi")});
  auto call = question("openai/gpt-4o");
  call.request.messages.push_back(Message::of(Role::user, "my key is canary-\"4711\""));
  call.forbidden = {"canary-\"4711\""};
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.secret");
  EXPECT_TRUE(bench_.outbound.requests().empty());
}

TEST_F(Models, TheSameRequestIsAnsweredFromTheCacheForAWhile) {
  answer_with({said("first"), said("second"), said("third")});
  auto call = question("openai/gpt-4o");
  call.cache = std::chrono::minutes(5);
  EXPECT_EQ(bench_.ask(call).reply->content, "first");
  const auto again = bench_.ask(call);
  EXPECT_EQ(again.reply->content, "first");
  EXPECT_TRUE(again.cached);
  EXPECT_EQ(again.usage.input, 0);
  auto other = call;
  other.organization = OrganizationId{Uuid{{1}}};
  EXPECT_EQ(bench_.ask(other).reply->content, "second") << "another organization";
  bench_.clock.advance(std::chrono::minutes(6));
  EXPECT_EQ(bench_.ask(call).reply->content, "third");
}

TEST_F(Models, AStreamThatBreaksOffIsVoidAndTriedAgain) {
  const std::string broken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
  const std::string whole =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  answer_with({{.status = 200, .body = broken}, {.status = 200, .body = whole}});
  auto call = question("openai/gpt-4o");
  std::string seen;
  call.on_chunk = [&seen](const Chunk& chunk) { seen += chunk.kind == Chunk::Kind::reset ? "|" : chunk.text; };
  const auto answer = bench_.ask(call);
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_EQ(answer.reply->content, "Hello");
  EXPECT_EQ(seen, "Hel|Hello");
}

TEST_F(Models, ACallEndsInTimeAndWhenItIsCancelled) {
  auto call = question("openai/gpt-4o");
  call.timeout = std::chrono::seconds(10);
  call.max_retries = 10;
  answer_with({{.status = 503, .headers = {{"retry-after", "4"}}, .body = {}}});
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.unavailable") << "the third wait would be too long";
  std::string code;
  const auto cancel = bench_.client().ask(question("openai/gpt-4o"), [&code](const Answer& answer) { code = answer.reply.error().code; });
  cancel();
  bench_.run();
  EXPECT_EQ(code, "llm.cancelled");
  code.clear();
  const auto later = bench_.client().ask(question("openai/gpt-4o"), [&code](const Answer& answer) { code = answer.reply.error().code; });
  bench_.outbound.deliver();
  later();
  EXPECT_EQ(code, "llm.cancelled") << "while it waits for the next attempt";
}

TEST_F(Models, PlacesAreBounded) {
  bench_.options.max_concurrent = 2;
  bench_.options.max_waiting = 1;
  answer_with({said("hi")});
  std::vector<std::string> ends;
  for (int i = 0; i < 4; ++i) {
    bench_.client().ask(question("openai/gpt-4o"),
                        [&ends](const Answer& answer) { ends.push_back(answer.reply.has_value() ? "ok" : answer.reply.error().code); });
  }
  EXPECT_THAT(ends, ElementsAre("llm.overloaded"));
  EXPECT_EQ(bench_.outbound.waiting(), 2U);
  bench_.run();
  EXPECT_THAT(ends, ElementsAre("llm.overloaded", "ok", "ok", "ok"));
}

TEST_F(Models, ABrokenModelIsLeftAlone) {
  bench_.options.breaker.failures_to_open = 2;
  answer_with({{.status = 500, .body = {}}, {.status = 500, .body = {}}, said("hi")});
  auto call = question("openai/gpt-4o");
  call.max_retries = 1;
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.unavailable");
  EXPECT_THAT(bench_.ask(call).reply.error().message, HasSubstr("circuit_open"));
  EXPECT_EQ(bench_.outbound.requests().size(), 2U);
  bench_.clock.advance(std::chrono::minutes(1));
  EXPECT_TRUE(bench_.ask(call).reply.has_value());
}

TEST_F(Models, A1ScriptsAnswerTheSameAlwaysAndSayThatTheyAreScripts) {
  script("triage", R"({"replies": [
    {"match": {"contains": "refund", "turn": 1}, "tool_calls": [{"name": "lookup", "arguments": {"order": 7, "text": "{{user}}"}}]},
    {"match": {"tool": "lookup"}, "content": "It says: {{tool}}", "usage": {"input_tokens": 40, "output_tokens": 12}},
    {"match": {"contains": "busy"}, "error": {"status": 429, "retry_after": 2, "attempts": 1}, "content": {"answer": 42}}
  ]})");
  auto call = question("scripted/triage");
  call.request.messages = {Message::of(Role::user, "a refund, please")};
  auto answer = bench_.ask(call);
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_TRUE(answer.scripted);
  EXPECT_EQ(answer.cost, 0.0);
  ASSERT_EQ(answer.reply->tool_calls.size(), 1U);
  EXPECT_EQ(answer.reply->finish, FinishReason::tool_calls);
  EXPECT_EQ(json::to_text(answer.reply->tool_calls[0].arguments), R"({"order":7,"text":"a refund, please"})");
  call.request.messages.push_back(to_message(*answer.reply));
  auto result = Message::of(Role::tool, "shipped");
  result.tool_call_id = answer.reply->tool_calls[0].id;
  call.request.messages.push_back(std::move(result));
  answer = bench_.ask(call);
  EXPECT_EQ(answer.reply->content, "It says: shipped");
  EXPECT_EQ(answer.usage.output, 12);
  call.request.messages = {Message::of(Role::user, "busy")};
  EXPECT_EQ(bench_.ask(call).reply->content, R"({"answer":42})");
  call.request.messages = {Message::of(Role::user, "else")};
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.invalid_request");
  EXPECT_TRUE(bench_.outbound.requests().empty());
}

}  // namespace
}  // namespace pawl::models
