#include "models/client.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "json/write.hpp"
#include "models/detail/gate.hpp"
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
  const auto answer = bench_.ask(question("openai/something-new"));
  ASSERT_TRUE(answer.reply.has_value()) << answer.reply.error().message;
  EXPECT_FALSE(answer.cost.has_value()) << "not zero: unknown";
  EXPECT_EQ(answer.usage.input + answer.usage.output, 1100) << "its tokens are known all the same";
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

TEST_F(Models, A2_TemperatureZeroIsSentOnEveryWireWithEachRequest) {
  struct Case {
    std::string provider;
    Wire wire;
    std::string pointer;  ///< where the provider has it; empty: beside the messages
  };
  const std::vector<Case> cases = {{"openai", Wire::chat, ""},
                                   {"openai-responses", Wire::responses, ""},
                                   {"anthropic", Wire::anthropic, ""},
                                   {"gemini", Wire::gemini, "generationConfig"},
                                   {"ollama", Wire::ollama, "options"}};
  bench_.outbound.on("", "*", [](const net::OutboundRequest&) -> Result<net::OutboundResponse> {
    return net::OutboundResponse{.status = 503, .body = "busy"};
  });
  for (const auto& item : cases) {
    bench_.providers.endpoints[item.provider] = {.wire = item.wire, .base_url = "http://" + item.provider + ".test"};
  }
  std::size_t asked = 0;
  for (const auto& item : cases) {
    for (const bool streamed : {false, true}) {
      for (const auto temperature : {std::optional<double>(0), std::optional<double>(0.25), std::optional<double>()}) {
        SCOPED_TRACE(item.provider + (streamed ? " streamed " : " whole ") + (temperature ? std::to_string(*temperature) : "unset"));
        auto call = question(item.provider + "/" + item.provider + std::to_string(asked));  // a model whose circuit is closed
        call.fallback = {item.provider + "/other" + std::to_string(asked)};
        call.request.temperature = temperature;
        if (streamed) call.on_chunk = [](const Chunk&) {};
        ASSERT_FALSE(bench_.ask(call).reply.has_value());
        ASSERT_EQ(bench_.outbound.requests().size(), asked + 6) << "two models, each asked three times";
        for (; asked < bench_.outbound.requests().size(); ++asked) {
          const auto body = sent(asked);
          const auto* place = item.pointer.empty() ? &body : body.find(item.pointer);
          const auto* found = place == nullptr ? nullptr : place->find("temperature");
          ASSERT_EQ(found != nullptr, temperature.has_value()) << bench_.outbound.requests()[asked].body;
          if (found != nullptr) {
            EXPECT_EQ(found->as_double(), *temperature);
          }
        }
      }
    }
  }
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

TEST_F(Models, A1_ARateLimitThatIsToldWithinAStreamIsOneToo) {
  answer_with({{.status = 200, .body = "data: {\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}\n\n"}});
  auto call = question("openai/gpt-4o");
  call.max_retries = 0;
  call.on_chunk = [](const Chunk&) {};
  const auto limited = bench_.ask(call);
  EXPECT_EQ(limited.reply.error().code, "llm.rate_limited");
  EXPECT_EQ(limited.reply.error().kind, ErrorClass::limited);
  answer_with({{.status = 200, .body = "data: {\"error\":{\"message\":\"down\",\"code\":\"server_error\"}}\n\n"}});
  EXPECT_EQ(bench_.ask(call).reply.error().code, "llm.unavailable");
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

TEST_F(Models, WhoGivesUpWaitingLeavesTheLine) {
  bench_.options.max_concurrent = 1;
  bench_.options.max_waiting = 1;
  answer_with({said("hi")});
  std::vector<std::string> ends;
  const auto ask = [&](Millis timeout) {
    auto call = question("openai/gpt-4o");
    call.timeout = timeout;
    return bench_.client().ask(
        std::move(call), [&ends](const Answer& answer) { ends.push_back(answer.reply.has_value() ? "ok" : answer.reply.error().code); });
  };
  ask(std::chrono::minutes(1));
  const auto cancel = ask(std::chrono::minutes(1));
  cancel();
  ask(std::chrono::minutes(1));
  EXPECT_THAT(ends, ElementsAre("llm.cancelled"));
  bench_.run();
  EXPECT_THAT(ends, ElementsAre("llm.cancelled", "ok", "ok"));
}

TEST(Gate, ALongLineIsNoDeepStack) {
  constexpr int kWaiting = 10'000;
  detail::Gate gate(1, kWaiting);
  ASSERT_TRUE(gate.enter(gate.ticket(), [] {}));
  int depth = 0;
  int deepest = 0;
  std::vector<int> entered;
  for (int i = 0; i < kWaiting; ++i) {
    ASSERT_TRUE(gate.enter(gate.ticket(), [&, i] {
      deepest = std::max(deepest, ++depth);
      entered.push_back(i);
      gate.leave();
      --depth;
    }));
  }
  EXPECT_FALSE(gate.enter(gate.ticket(), [] {}));
  gate.leave();
  EXPECT_EQ(entered.size(), static_cast<std::size_t>(kWaiting));
  EXPECT_TRUE(std::is_sorted(entered.begin(), entered.end()));
  EXPECT_EQ(deepest, 1);
  bool again = false;
  EXPECT_TRUE(gate.enter(gate.ticket(), [&again] { again = true; }));
  EXPECT_TRUE(again) << "the place is free";
}

TEST_F(Models, WhatSaysNothingAboutTheServerDoesNotCloseTheModel) {
  struct Case {
    std::string what;
    std::function<Result<net::OutboundResponse>(ModelBench&)> answer;
    bool stream = false;
  };
  const auto error = [](ErrorClass kind, std::string code) {
    return [kind, code](ModelBench&) -> Result<net::OutboundResponse> { return Error(kind, code, "no"); };
  };
  const auto in_stream = [](const std::string& code) {
    return [code](ModelBench&) -> Result<net::OutboundResponse> {
      return net::OutboundResponse{.status = 200, .body = "data: {\"error\":{\"message\":\"m\",\"code\":\"" + code + "\"}}\n\n"};
    };
  };
  const std::vector<Case> cases = {
      {"a queue of ours", error(ErrorClass::limited, "net.overloaded")},
      {"a breaker of ours", error(ErrorClass::unavailable, "net.circuit_open")},
      {"too little time",
       [](ModelBench& bench) -> Result<net::OutboundResponse> {
         bench.clock.advance(Millis(100));
         return Error(ErrorClass::timeout, "net.timeout", "no");
       }},
      {"tokens", in_stream("context_length_exceeded"), true},
      {"an image", in_stream("invalid_image_format"), true},
      {"a name", in_stream("model_not_found"), true},
      {"policy", in_stream("content_policy_violation"), true},
  };
  for (const auto& item : cases) {
    ModelBench bench;
    bench.options.breaker.failures_to_open = 1;
    auto call = question("openai/gpt-4o");
    call.max_retries = 0;
    call.timeout = Millis(100);
    if (item.stream) call.on_chunk = [](const Chunk&) {};
    bench.outbound.on("POST", std::string(kChat), [&](const net::OutboundRequest&) { return item.answer(bench); });
    EXPECT_TRUE(bench.ask(call).reply.has_error()) << item.what;
    bench.outbound.on("POST", std::string(kChat), in_turn({said("hi")}));
    call.on_chunk = {};
    EXPECT_TRUE(bench.ask(call).reply.has_value()) << item.what;
  }
}

TEST_F(Models, ABrokenKeyOfOneOrganizationClosesNoModelForOthers) {
  bench_.options.breaker.failures_to_open = 1;
  for (const auto* const source : {"configuration", "openai"}) {
    bench_.providers.endpoints["openai"].source = source;
    answer_with({{.status = 500, .body = {}}});
    auto call = question("openai/gpt-4o");
    call.max_retries = 0;
    EXPECT_TRUE(bench_.ask(call).reply.has_error());
    answer_with({said("hi")});
    call.organization = OrganizationId{Uuid{{1}}};
    EXPECT_EQ(bench_.ask(call).reply.has_value(), source == std::string_view("openai")) << source;
  }
}

TEST_F(Models, WhatAProviderCannotCarryIsRefusedAndNotLeftOut) {
  struct Case {
    std::string provider;
    Wire wire;
    Role role;
    Part part;
    bool carried;
  };
  const Part image{.kind = Part::Kind::image, .media_type = "image/png", .data = "QUJD"};
  const Part image_url{.kind = Part::Kind::image, .url = "http://a.test/x.png"};
  const Part file{.kind = Part::Kind::file, .media_type = "application/pdf", .data = "QUJD"};
  const Part file_url{.kind = Part::Kind::file, .url = "http://a.test/x.pdf"};
  const Part path{.kind = Part::Kind::image, .path = "x.png"};
  const Case cases[] = {
      {"ollama", Wire::ollama, Role::user, image, true},
      {"ollama", Wire::ollama, Role::user, image_url, false},
      {"ollama", Wire::ollama, Role::user, file, false},
      {"ollama", Wire::ollama, Role::system, image, false},
      {"openai", Wire::chat, Role::user, image_url, true},
      {"openai", Wire::chat, Role::user, file, true},
      {"openai", Wire::chat, Role::user, file_url, false},
      {"openai", Wire::chat, Role::user, path, false},
      {"openai", Wire::chat, Role::tool, image, false},
      {"openai", Wire::chat, Role::assistant, image, false},
      {"openai-responses", Wire::responses, Role::user, file_url, true},
      {"openai-responses", Wire::responses, Role::tool, file, false},
      {"anthropic", Wire::anthropic, Role::user, file_url, true},
      {"anthropic", Wire::anthropic, Role::system, image, false},
      {"gemini", Wire::gemini, Role::user, file_url, true},
      {"gemini", Wire::gemini, Role::tool, image, false},
      {"gemini", Wire::gemini, Role::user, path, false},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const auto& item = cases[i];
    ModelBench bench;
    bench.providers.endpoints[item.provider] = {.wire = item.wire, .base_url = "http://any.test"};
    auto call = question(item.provider + "/m");
    call.max_retries = 0;
    Message message;
    message.role = item.role;
    message.tool_call_id = item.role == Role::tool ? "a" : "";
    message.parts = {{.text = "see"}, item.part};
    call.request.messages.push_back(std::move(message));
    const auto answer = bench.ask(call);
    EXPECT_EQ(bench.outbound.requests().size(), item.carried ? 1U : 0U) << i;
    EXPECT_EQ(answer.reply.error().code == "llm.arguments", !item.carried) << i;
  }
}

TEST_F(Models, ASecretIsTakenOutBeforeASentenceIsCut) {
  const auto padding = std::string(390, 'x');
  answer_with({{.status = 400, .body = R"({"error":{"message":")" + padding + R"(sk-test-key-123456 is what you sent"}})"}});
  const auto answer = bench_.ask(question("openai/gpt-4o"));
  EXPECT_THAT(answer.reply.error().message, HasSubstr(padding));
  EXPECT_THAT(answer.reply.error().message, Not(HasSubstr("sk-test")));
  EXPECT_LT(answer.reply.error().message.size(), 450U);
}

TEST_F(Models, TheCostOfAnAnswerThatBrokeOffIsUnknown) {
  const std::string broken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
  const std::string whole =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
  auto call = question("openai/gpt-4o");
  call.on_chunk = [](const Chunk&) {};
  answer_with({{.status = 200, .body = whole}});
  EXPECT_TRUE(bench_.ask(call).cost.has_value());
  answer_with({{.status = 200, .body = broken}, {.status = 200, .body = whole}});
  EXPECT_FALSE(bench_.ask(call).cost.has_value());
  for (const auto& request : bench_.outbound.requests()) EXPECT_TRUE(request.at_most_once) << "nothing is made and paid twice unseen";
}

/// Decoding, checking and what callers do then is not for the network's only thread.
TEST_F(Models, AnswersAreWorkedOnElsewhereWhereThatIsPossible) {
  answer_with({said("hi")});
  std::vector<std::function<void()>> jobs;
  bool takes = true;
  TestRandom random;
  Client client({.outbound = bench_.outbound,
                 .providers = bench_.providers,
                 .clock = bench_.clock,
                 .random = random,
                 .after = [](Millis, const std::function<void()>&) {},
                 .work =
                     [&](std::function<void()> job) {
                       if (takes) jobs.push_back(std::move(job));
                       return takes;
                     }});
  std::vector<std::string> ends;
  const auto ask = [&] {
    return client.ask(question("openai/gpt-4o"), [&ends](const Answer& answer) {
      ends.push_back(answer.reply.has_value() ? answer.reply->content : answer.reply.error().code);
    });
  };
  ask();
  bench_.outbound.deliver();
  EXPECT_TRUE(ends.empty());
  ASSERT_EQ(jobs.size(), 1U);
  jobs[0]();
  EXPECT_THAT(ends, ElementsAre("hi"));
  const auto cancel = ask();
  bench_.outbound.deliver();
  cancel();
  jobs[1]();
  EXPECT_EQ(ends.size(), 2U) << "one end, whoever is first";
  takes = false;
  ask();
  bench_.outbound.deliver();
  EXPECT_EQ(ends.size(), 3U) << "a pool that takes nothing loses no answer";
}

TEST_F(Models, AChangeOfTheWallClockDoesNotMoveTheBreaker) {
  auto steady = CircuitBreaker::Time(std::chrono::hours(1));
  TestRandom random;
  ClientOptions options;
  options.breaker.failures_to_open = 1;
  Client client({.outbound = bench_.outbound,
                 .providers = bench_.providers,
                 .clock = bench_.clock,
                 .random = random,
                 .after = [](Millis, const std::function<void()>&) {},
                 .steady = [&steady] { return steady; }},
                options);
  answer_with({{.status = 500, .body = {}}, said("hi")});
  const auto ask = [&] {
    auto call = question("openai/gpt-4o");
    call.max_retries = 0;
    bool answered = false;
    client.ask(std::move(call), [&answered](const Answer& answer) { answered = answer.reply.has_value(); });
    bench_.outbound.deliver();
    return answered;
  };
  EXPECT_FALSE(ask());
  bench_.clock.advance(std::chrono::hours(1));
  EXPECT_FALSE(ask());
  steady += std::chrono::minutes(1);
  EXPECT_TRUE(ask());
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
