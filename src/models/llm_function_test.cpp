#include "models/llm_function.hpp"

#include <gmock/gmock.h>

#include "dsl/schema.hpp"
#include "json/write.hpp"
#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

using testing::HasSubstr;

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

class LlmFunction : public testing::Test {
 protected:
  void SetUp() override {
    const auto added = bench_.scripts.add(
        "echo", parsed(R"({"replies": [{"match": {"contains": "JSON"}, "content": {"n": 1}}, {"content": "You said {{user}}"}]})"));
    ASSERT_TRUE(added.has_value());
    function_ = make_llm_function({bench_.client(), registry_});
  }
  engine::Outcome call(std::string_view arguments, std::string_view secrets = "{}", bool dry_run = false, bool restarted = false) {
    engine::Invocation invocation;
    invocation.arguments = parsed(arguments);
    invocation.secrets = parsed(secrets);
    invocation.dry_run = dry_run;
    invocation.restarted = restarted;
    invocation.effect = function_->effect_class(invocation.arguments);
    engine::Outcome result;
    static_cast<void>(function_->start(std::move(invocation), [&](engine::Outcome outcome) { result = std::move(outcome); }));
    bench_.run();
    return result;
  }
  ModelBench bench_;
  engine::FunctionRegistry registry_;
  std::unique_ptr<engine::Function> function_;
};

TEST_F(LlmFunction, A2DescribesItself) {
  const auto& info = function_->info();
  const auto parameters = dsl::Schema::compile(info.parameters).value();
  for (const auto& example : info.examples.items()) EXPECT_TRUE(parameters.validate(example).empty()) << json::to_text(example);
  ASSERT_EQ(info.reach.size(), 1U);
  EXPECT_EQ(info.reach[0].kind, engine::Access::Kind::model);
  EXPECT_EQ(function_->effect_class(parsed(R"({"model": "openai/x"})")), engine::EffectClass::idempotent);
  EXPECT_EQ(function_->effect_class(parsed(R"({"model": "scripted/x"})")), engine::EffectClass::read);
}

TEST_F(LlmFunction, A2_WhoFollowsTheRunHearsTheAnswerAndTheResultIsTheSame) {
  bool is_followed = false;
  std::vector<std::string> told;
  function_ =
      make_llm_function({bench_.client(), registry_,
                         Followers{.clock = bench_.clock,
                                   .wants = [&](const OrganizationId&) { return is_followed; },
                                   .tell = [&](const engine::Invocation&, const Piece& piece) { told.emplace_back(to_text(piece)); }}});
  constexpr std::string_view kCall = R"({"model": "scripted/echo", "prompt": "hi"})";
  const auto alone = call(kCall);
  EXPECT_TRUE(told.empty());
  is_followed = true;
  const auto followed = call(kCall);
  EXPECT_EQ(json::to_text(followed.output), json::to_text(alone.output));
  ASSERT_GE(told.size(), 2U);
  EXPECT_EQ(told.front(), "text");
  EXPECT_EQ(told.back(), "end");
  is_followed = false;
  told.clear();
  static_cast<void>(call(R"({"model": "scripted/echo", "prompt": "hi", "stream": true})"));
  EXPECT_FALSE(told.empty()) << "somebody may come while it runs";
}

TEST_F(LlmFunction, A2AnswersAsTheContractSays) {
  const auto outcome = call(R"({"model": "scripted/echo", "prompt": "hi"})");
  ASSERT_TRUE(outcome.ok()) << json::to_text(outcome.error);
  EXPECT_EQ(json::to_text(outcome.output),
            R"({"content":"You said hi","tool_calls":[],"finish_reason":"stop","model":"echo","provider":"scripted",)"
            R"("usage":{"input_tokens":1,"output_tokens":3,"cached_tokens":0,"reasoning_tokens":0},"cost":0,"raw":null,)"
            R"("attempts":[{"model":"scripted/echo"}],"scripted":true})");
  EXPECT_TRUE(dsl::Schema::compile(function_->info().output)->validate(outcome.output).empty());
}

TEST_F(LlmFunction, A2GivesDataThatIsValid) {
  const auto outcome = call(
      R"({"model": "scripted/echo", "prompt": "JSON", "output": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}})");
  ASSERT_TRUE(outcome.ok()) << json::to_text(outcome.error);
  EXPECT_EQ(outcome.output.get("output").get("n"), json::Value(1));
  const auto wrong = call(
      R"({"model": "scripted/echo", "prompt": "JSON", "output": {"max_repairs": 1, "schema": {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}}})");
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(json::to_text(wrong.error), HasSubstr("llm.output_invalid"));
  EXPECT_THAT(json::to_text(wrong.error), HasSubstr("/n"));
}

TEST_F(LlmFunction, RefusesWhatIsNotACall) {
  for (const auto* arguments : {"{}", "[]", R"({"prompt": 1})", R"({"model": "scripted/echo"})",
                                R"({"prompt": "x", "messages": [{"role": "tool", "content": "x"}]})",
                                R"({"prompt": "x", "temperature": 7})", R"({"prompt": "x", "output": {"schema": {"type": 7}}})",
                                R"({"prompt": "x", "timeout": "soon"})", R"({"prompt": "x", "nonsense": 1})"}) {
    const auto outcome = call(arguments);
    ASSERT_FALSE(outcome.ok()) << arguments;
    EXPECT_THAT(json::to_text(outcome.error), HasSubstr("validation")) << arguments;
  }
}

TEST_F(LlmFunction, ADryRunAsksNobody) {
  const auto outcome = call(R"({"model": "openai/gpt-4o", "prompt": "hi"})", "{}", true);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.output.get("plan").at(0).get("action"), json::Value("ask_model"));
  EXPECT_TRUE(bench_.outbound.requests().empty());
}

TEST_F(LlmFunction, A5SecretsOfTheRunDoNotReachTheModel) {
  const auto outcome =
      call(R"({"model": "scripted/echo", "prompt": "the key is canary-4711, use it"})",
           R"({"api": {"access_token": "canary-4711", "base_url": "https://x.example", "secret_fields": ["access_token"]}})");
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(json::to_text(outcome.error), HasSubstr("llm.secret"));
  EXPECT_TRUE(call(R"({"model": "scripted/echo", "prompt": "see https://x.example"})",
                   R"({"api": {"access_token": "canary-4711", "base_url": "https://x.example", "secret_fields": ["access_token"]}})")
                  .ok());
}

TEST_F(LlmFunction, ACallThatACrashInterruptedSaysThatItMayBePaidTwice) {
  bench_.outbound.on("POST", "http://openai.test/v1/chat/completions", [](const net::OutboundRequest&) -> Result<net::OutboundResponse> {
    return net::OutboundResponse{.status = 200, .body = R"({"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]})"};
  });
  EXPECT_EQ(call(R"({"model": "openai/gpt-4o", "prompt": "hi"})").output.find("possible_double_bill"), nullptr);
  EXPECT_TRUE(call(R"({"model": "openai/gpt-4o", "prompt": "hi"})", "{}", false, true).output.get("possible_double_bill").truthy());
}

}  // namespace
}  // namespace pawl::models
