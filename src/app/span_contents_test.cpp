#include "app/span_contents.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

using json::Value;
using testing::HasSubstr;
using testing::Not;

Value value(std::string_view text) { return json::parse(text).value(); }

audit::Redactor redactor() {
  audit::Needles needles;
  needles.add("installation-4711");
  return audit::Redactor(std::move(needles));
}

std::string text_of(const models::Attributes& attributes) {
  std::string all;
  for (const auto& [name, told] : attributes)
    all += name + "=" + (told.is_string() ? std::string(told.as_string()) : json::to_text(told)) + "\n";
  return all;
}

struct SpanContentsTest : testing::Test {
  /// What is kept of a call that has answered.
  std::string told(std::string_view function, Value arguments, engine::Outcome outcome,
                   std::string reference = "/do/0/a/agent/turn/0/tool/0") {
    engine::Invocation call;
    call.arguments = std::move(arguments);
    call.reference = std::move(reference);
    call.secrets = value(R"({"key": "of-the-run-4712"})");
    EXPECT_TRUE(SpanContents::is_told(call, function));
    bool answered = false;
    contents.keeping(1, call, function, [&](const engine::Outcome&) { answered = true; })(std::move(outcome));
    EXPECT_TRUE(answered);
    auto all = text_of(contents.take(1));
    EXPECT_TRUE(contents.take(1).empty()) << "once";
    return all;
  }
  audit::Redactor redact = redactor();
  SpanContents contents{redact, 4'000};
};

TEST_F(SpanContentsTest, A2_NoKnownSecretIsAmongWhatIsTold) {
  const auto said = value(R"({"content": "installation-4711 and of-the-run-4712", "finish_reason": "stop"})");
  const auto model = told("llm", value(R"({"prompt": "installation-4711, of-the-run-4712, and a cat"})"), engine::Outcome::success(said));
  EXPECT_THAT(model, testing::AllOf(HasSubstr("[redacted], [redacted], and a cat"), HasSubstr("gen_ai.output.messages"),
                                    Not(HasSubstr("4711")), Not(HasSubstr("4712"))));
  const auto tool = told("http", value(R"({"password": "unknown-4713", "body": "of-the-run-4712"})"),
                         engine::Outcome::success(value(R"({"token": "unknown-4714", "seen": "b2YtdGhlLXJ1bi00NzEy"})")));
  EXPECT_THAT(tool, testing::AllOf(HasSubstr("gen_ai.tool.call.arguments"), HasSubstr("gen_ai.tool.call.result"), Not(HasSubstr("471")),
                                   Not(HasSubstr("b2YtdGhlLXJ1bi00NzEy"))));
}

TEST_F(SpanContentsTest, A2_AFailureTellsWhatWasAskedAndNoAnswer) {
  const auto failure = engine::Outcome::failure(value(R"({"status": 500, "detail": "of-the-run-4712 broke"})"));
  const auto model = told("llm", value(R"({"prompt": "a cat"})"), failure);
  EXPECT_THAT(model, testing::AllOf(HasSubstr("a cat"), Not(HasSubstr("output"))));
  EXPECT_THAT(told("http", value("{}"), failure), testing::AllOf(HasSubstr("[redacted] broke"), Not(HasSubstr("4712"))));
}

TEST_F(SpanContentsTest, A2_OnlyModelsAndTheirToolsAreTold) {
  engine::Invocation call;
  for (const auto* const reference : {"/do/0/tool", "/do/0/tool/do/0/x", "/do/0/a/agent/turn/0", "/do/0/a/agent/turn/0/tool/0/do/0/x",
                                      "/do/tool/0", "/do/0/a/call/f:1.0.0/agent/turn/0/tool/0", ""}) {
    call.reference = reference;
    EXPECT_FALSE(SpanContents::is_told(call, "http")) << reference;
    EXPECT_TRUE(SpanContents::is_told(call, "llm")) << reference;
  }
  call.reference = "/do/0/a/agent/turn/0/tool/12";
  EXPECT_TRUE(SpanContents::is_told(call, "http"));
  call.dry_run = true;
  EXPECT_FALSE(SpanContents::is_told(call, "http"));
  EXPECT_FALSE(SpanContents::is_told(call, "llm"));
}

TEST_F(SpanContentsTest, A2_WhatNobodyTakesIsBounded) {
  engine::Invocation call;
  const auto keep = [&](observe::SpanId span, std::size_t bytes) {
    call.arguments = Value::object({{"x", std::string(bytes, 'x')}});
    contents.keeping(span, call, "http", [](const engine::Outcome&) {})(engine::Outcome::success({}));
  };
  for (observe::SpanId span = 1; span <= 100; ++span) keep(span, 900);
  keep(101, 5'000);
  EXPECT_TRUE(contents.take(1).empty());
  EXPECT_TRUE(contents.take(96).empty());
  EXPECT_TRUE(contents.take(101).empty()) << "more than there is room for at all";
  for (observe::SpanId span = 98; span <= 100; ++span) EXPECT_FALSE(contents.take(span).empty()) << span;
  for (observe::SpanId span = 200; span <= 203; ++span) keep(span, 900);
  for (observe::SpanId span = 200; span <= 203; ++span) EXPECT_FALSE(contents.take(span).empty()) << "the room is free again: " << span;
}

}  // namespace
}  // namespace pawl::app
