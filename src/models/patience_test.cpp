// proves: A1, A2
//
// How a call deals with a provider that is busy, slow or broken: which answers are asked for again and when, whose line is whose, what goes
// to the next model, and which requests are one to the cache.
#include <gmock/gmock.h>

#include "json/write.hpp"
#include "models/client.hpp"
#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kChat = "http://openai.test/v1/chat/completions";
constexpr std::string_view kMessages = "http://anthropic.test/v1/messages";

Call question(std::string model) {
  Call call;
  call.model = std::move(model);
  call.request.messages.push_back(Message::of(Role::user, "hello"));
  return call;
}

net::OutboundResponse chat(std::string_view content) {
  return {.status = 200,
          .body = R"({"id": "c1", "model": "m", "choices": [{"message": {"role": "assistant", "content": ")" + std::string(content) +
                  R"("}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 10, "completion_tokens": 1}})"};
}

net::OutboundResponse messages(std::string_view content) {
  return {.status = 200,
          .body = R"({"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                      "content": [{"type": "text", "text": ")" +
                  std::string(content) + R"("}], "usage": {"input_tokens": 10, "output_tokens": 1}})"};
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

TEST(Patience, A1_EveryAnswerThatMayPassIsAskedForAgainWhenTheProviderSays) {
  for (const int status : {408, 429, 500, 502, 503, 504, 529}) {
    for (const bool of_anthropic : {false, true}) {
      SCOPED_TRACE(std::to_string(status) + (of_anthropic ? " anthropic" : " chat"));
      ModelBench bench;
      const net::OutboundResponse busy{.status = status, .headers = {{"Retry-After", "7"}}, .body = "{}"};
      bench.outbound.on("POST", std::string(of_anthropic ? kMessages : kChat), in_turn({busy, of_anthropic ? messages("hi") : chat("hi")}));
      const auto before = bench.clock.now();
      const auto answer = bench.ask(question(of_anthropic ? "anthropic/claude-sonnet-4-5" : "openai/gpt-4o"));
      ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
      EXPECT_EQ(answer.reply->content, "hi");
      EXPECT_EQ(bench.outbound.requests().size(), 2U);
      EXPECT_GE(bench.clock.now() - before, std::chrono::seconds(7)) << "not before it said";
      EXPECT_LT(bench.clock.now() - before, std::chrono::seconds(20));
      ASSERT_EQ(answer.attempts.size(), 2U);
      EXPECT_THAT(answer.attempts[0].error, HasSubstr(std::to_string(status)));
    }
  }
}

TEST(Patience, A1_AsOftenAsTheCallSaysAndThenItFails) {
  ModelBench bench;
  bench.outbound.on("POST", std::string(kChat), in_turn({{.status = 503, .headers = {{"Retry-After", "1"}}, .body = "{}"}}));
  auto call = question("openai/gpt-4o");
  call.max_retries = 2;
  EXPECT_EQ(bench.ask(call).reply.error().code, "llm.unavailable");
  EXPECT_EQ(bench.outbound.requests().size(), 3U);
}

TEST(Patience, A1_TheLineOfOneProviderIsNobodyElses) {
  ModelBench bench;
  bench.options.max_concurrent = 1;
  bench.options.max_waiting = 1;
  bench.outbound.on("POST", std::string(kChat), in_turn({chat("hi")}));
  bench.outbound.on("POST", std::string(kMessages), in_turn({messages("hi")}));
  std::vector<std::string> ends;
  const auto ask = [&](std::string model) {
    bench.client().ask(question(std::move(model)), [&ends](const Answer& answer) {
      ends.push_back(answer.provider + (answer.reply.has_value() ? " ok" : " " + answer.reply.error().code));
    });
  };
  ask("openai/gpt-4o");
  ask("openai/gpt-4o-mini");  // another model of the same provider waits
  ask("anthropic/claude-sonnet-4-5");
  EXPECT_EQ(bench.outbound.waiting(), 2U) << "one of each";
  ask("openai/gpt-4o");
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_THAT(ends[0], HasSubstr("llm.overloaded"));
  bench.run();
  EXPECT_THAT(ends, testing::UnorderedElementsAre(HasSubstr("llm.overloaded"), "openai ok", "openai ok", "anthropic ok"));
}

TEST(Patience, A1_AModelWhoseCircuitIsOpenIsPassedOverAndTheResultShowsIt) {
  ModelBench bench;
  bench.options.breaker.failures_to_open = 1;
  bench.outbound.on("POST", std::string(kChat), in_turn({{.status = 500, .body = "{}"}}));
  bench.outbound.on("POST", std::string(kMessages), in_turn({messages("from the other one")}));
  auto call = question("openai/gpt-4o");
  call.max_retries = 0;
  EXPECT_EQ(bench.ask(call).reply.error().code, "llm.unavailable");
  call.fallback = {"anthropic/claude-sonnet-4-5"};
  const auto answer = bench.ask(call);
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_EQ(answer.provider, "anthropic");
  ASSERT_EQ(answer.attempts.size(), 2U);
  EXPECT_THAT(answer.attempts[0].error, HasSubstr("circuit_open"));
  EXPECT_EQ(answer.attempts[0].model, "openai/gpt-4o");
  EXPECT_TRUE(answer.attempts[1].error.empty());
  EXPECT_EQ(bench.outbound.requests().size(), 2U) << "the open one is not asked";
}

TEST(Patience, A2_TheCacheTellsRequestsApartByTheirContent) {
  ModelBench bench;
  int number = 0;
  bench.outbound.on("POST", std::string(kChat),
                    [&number](const net::OutboundRequest&) -> Result<net::OutboundResponse> { return chat(std::to_string(++number)); });
  const auto cached = [] {
    auto call = question("openai/gpt-4o");
    call.cache = std::chrono::minutes(5);
    return call;
  };
  const auto content = [&](const Call& call) { return bench.ask(call).reply->content; };
  ASSERT_EQ(content(cached()), "1");
  std::vector<Call> others;
  others.push_back(cached());
  others.back().request.messages[0] = Message::of(Role::user, "hello?");
  others.push_back(cached());
  others.back().request.messages.push_back(Message::of(Role::user, "hello"));
  others.push_back(cached());
  others.back().request.instructions = "Be brief.";
  others.push_back(cached());
  others.back().request.temperature = 0;
  others.push_back(cached());
  others.back().request.temperature = 1;
  others.push_back(cached());
  others.back().request.max_tokens = 5;
  others.push_back(cached());
  others.back().request.stop = {"x"};
  others.push_back(cached());
  others.back().model = "openai/gpt-4o-mini";
  std::vector<std::string> first;
  for (const auto& call : others) first.push_back(content(call));
  EXPECT_THAT(first, ElementsAre("2", "3", "4", "5", "6", "7", "8", "9")) << "each is another one";
  for (std::size_t i = 0; i < others.size(); ++i) EXPECT_EQ(content(others[i]), first[i]);
  EXPECT_EQ(content(cached()), "1");
  EXPECT_EQ(content(question("openai/gpt-4o")), "10") << "nobody asked for the cache";
}

TEST(Patience, A2_WhatFailedIsNotKept) {
  ModelBench bench;
  bench.outbound.on("POST", std::string(kChat), in_turn({{.status = 400, .body = "{}"}, chat("hi")}));
  auto call = question("openai/gpt-4o");
  call.cache = std::chrono::minutes(5);
  EXPECT_TRUE(bench.ask(call).reply.has_error());
  const auto answer = bench.ask(call);
  ASSERT_TRUE(answer.reply.has_value());
  EXPECT_FALSE(answer.cached);
  EXPECT_TRUE(bench.ask(call).cached);
}

}  // namespace
}  // namespace pawl::models
