#include "models/trace_content.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::models {
namespace {

using json::Value;
using testing::HasSubstr;
using testing::Not;

Value value(std::string_view text) { return json::parse(text).value(); }
Value as_it_is(const Value& given) { return given; }

/// The attribute of this name, read; null: there is none.
Value told(const Attributes& attributes, std::string_view name) {
  for (const auto& [key, text] : attributes) {
    if (key == name) return text.is_string() ? value(text.as_string()) : text;
  }
  return {};
}

TEST(TraceContent, A2_AConversationIsWrittenAsTheConventionsHaveIt) {
  const auto request = content_of_request(value(R"({
    "model": "openai/gpt-4o", "instructions": "Be brief.", "prompt": "And now?",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
                                              {"type": "image", "media_type": "image/png", "data": "AAAAAAAA"},
                                              {"type": "file", "url": "https://x.example/a.pdf?signature=s3cr3t"}]},
                 {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "name": "look", "arguments": {"at": "it"}}],
                  "raw": {"wire": "chat"}},
                 {"role": "tool", "tool_call_id": "c1", "name": "look", "content": "a cat"}],
    "tools": [{"name": "look", "description": "Looks.", "parameters": {"type": "object"}}]})"),
                                          as_it_is);
  EXPECT_EQ(told(request, "gen_ai.system_instructions"), value(R"([{"type": "text", "content": "Be brief."}])"));
  EXPECT_EQ(told(request, "gen_ai.input.messages"), value(R"([
    {"role": "user", "parts": [{"type": "text", "content": "What is this?"}, {"type": "image", "mime_type": "image/png", "size": 6},
                               {"type": "file", "uri": "https://x.example/a.pdf"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": "it"}}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}]},
    {"role": "user", "parts": [{"type": "text", "content": "And now?"}]}])"));
  EXPECT_EQ(told(request, "gen_ai.tool.definitions"),
            value(R"([{"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}])"));
  EXPECT_TRUE(told(request, "pawl.content.left_out").is_null());

  const auto reply = content_of_reply(
      value(R"({"content": "A cat.", "finish_reason": "tool_calls", "tool_calls": [{"id": "c2", "name": "pet", "arguments": {}}]})"),
      as_it_is);
  EXPECT_EQ(told(reply, "gen_ai.output.messages"), value(R"([{"role": "assistant", "finish_reason": "tool_call", "parts": [
    {"type": "text", "content": "A cat."}, {"type": "tool_call", "id": "c2", "name": "pet", "arguments": {}}]}])"));

  const auto tool = content_of_tool(value(R"({"at": "it"})"), Value("a cat"), as_it_is);
  EXPECT_EQ(told(tool, "gen_ai.tool.call.arguments"), value(R"({"at": "it"})"));
  EXPECT_EQ(told(tool, "gen_ai.tool.call.result"), Value("a cat"));
}

TEST(TraceContent, A2_WhatAToolAnsweredIsDataWhereItIsData) {
  for (const auto& [text, response] : {std::pair("{\"password\": 1}", R"({"password": 1})"), std::pair("[1]", "[1]"),
                                       std::pair("{cut", "\"{cut\""), std::pair("7", "\"7\"")}) {
    const auto request = content_of_request(
        Value::object({{"messages", Value::array({Value::object({{"role", "tool"}, {"tool_call_id", "c"}, {"content", text}})})}}),
        as_it_is);
    EXPECT_EQ(told(request, "gen_ai.input.messages").at(0).get("parts").at(0).get("response"), value(response)) << text;
  }
}

TEST(TraceContent, A2_ReasonsToFinishAreTheConventionsWords) {
  for (const auto& [ours, theirs] : {std::pair("stop", "stop"), std::pair("tool_calls", "tool_call"), std::pair("length", "length"),
                                     std::pair("filtered", "content_filter"), std::pair("context_full", "length")}) {
    const auto reply = content_of_reply(Value::object({{"content", "x"}, {"finish_reason", ours}}), as_it_is);
    EXPECT_EQ(told(reply, "gen_ai.output.messages").at(0).get("finish_reason"), Value(theirs));
  }
}

TEST(TraceContent, A2_LongConversationsAreToldByTheirNewestMessages) {
  auto messages = Value::array();
  for (int i = 0; i < 1'000; ++i) {
    messages.push_back(Value::object({{"role", "user"}, {"content", std::to_string(i) + std::string(1'000, 'x')}}));
  }
  std::size_t cleaned = 0;
  const auto request = content_of_request(Value::object({{"messages", messages}}), [&](const Value& given) {
    ++cleaned;
    return given;
  });
  const auto shown = told(request, "gen_ai.input.messages");
  ASSERT_GT(shown.size(), 10U);
  EXPECT_THAT(json::to_text(shown.at(shown.size() - 1)), HasSubstr("999x"));
  EXPECT_EQ(told(request, "pawl.content.left_out"), Value(1'000 - shown.size()));
  EXPECT_EQ(cleaned, shown.size() + 1) << "what is left out costs nothing";
  for (const auto& [name, text] : request) EXPECT_LE(text.is_string() ? text.as_string().size() : 0, kMostContent) << name;
  const auto tool = content_of_tool(Value(std::string(kMostContent, 'x')), {}, as_it_is);
  EXPECT_THAT(told(tool, "gen_ai.tool.call.arguments").as_string(), HasSubstr("too large: 65538 bytes"));
}

TEST(TraceContent, A2_WhatIsToldIsCleanWhereverItStands) {
  const auto clean = [](const Value& given) {
    auto text = json::to_text(given);
    for (auto at = text.find("canary"); at != std::string::npos; at = text.find("canary")) text.replace(at, 6, "hidden");
    return value(text);
  };
  auto all = content_of_request(value(R"({"instructions": "canary", "prompt": "canary",
    "messages": [{"role": "assistant", "content": "canary", "tool_calls": [{"id": "canary", "name": "canary",
                     "arguments": {"a": "canary"}}]},
                 {"role": "tool", "tool_call_id": "canary", "content": "canary"},
                 {"role": "user", "content": [{"type": "file", "name": "canary", "path": "canary"}]}],
    "tools": [{"name": "canary", "description": "canary"}]})"),
                                clean);
  for (const auto& more :
       {content_of_reply(value(R"({"content": "canary", "tool_calls": [{"name": "canary", "arguments": {"canary": 1}}]})"), clean),
        content_of_tool(Value("canary"), value(R"({"a": ["canary"]})"), clean)}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  EXPECT_GE(all.size(), 6U);
  for (const auto& [name, text] : all) EXPECT_THAT(std::string(text.as_string()), Not(HasSubstr("canary"))) << name;
}

/// Whatever somebody writes, or a provider says.
TEST(TraceContent, A2_WhatIsNoCallTellsNothingAndBreaksNothing) {
  for (const auto* const arguments : {"null", "[]", "{}", R"({"prompt": 7})", R"({"messages": {}})", R"({"messages": [7]})",
                                      R"({"prompt": "x", "output": {"schema": {"type": 7}}})"}) {
    EXPECT_TRUE(content_of_request(value(arguments), as_it_is).empty()) << arguments;
  }
  for (const auto* const output : {"null", "7", R"({"content": 7, "tool_calls": {}, "finish_reason": []})",
                                   R"({"tool_calls": [7, {"id": 1, "arguments_error": "cut"}]})"}) {
    EXPECT_EQ(told(content_of_reply(value(output), as_it_is), "gen_ai.output.messages").at(0).get("role"), Value("assistant")) << output;
  }
}

}  // namespace
}  // namespace pawl::models
