#include "models/codec.hpp"

#include <gmock/gmock.h>

#include <random>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/event_stream.hpp"

namespace pawl::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Wire kAll[] = {Wire::chat, Wire::responses, Wire::anthropic, Wire::gemini, Wire::ollama};

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

/// What came, in one line: chunks and the reply.
std::string told(Wire wire, const std::vector<std::string_view>& pieces) {
  const auto decoder = codec_of(wire).stream();
  std::string text;
  std::string calls;
  for (const auto piece : pieces) {
    decoder->feed(piece, [&](const Chunk& chunk) {
      if (chunk.kind == Chunk::Kind::text) text += chunk.text;
      if (chunk.kind == Chunk::Kind::tool_call) calls += " " + chunk.id + ":" + chunk.name;
      if (chunk.kind == Chunk::Kind::arguments) calls += chunk.text;
    });
  }
  const auto reply = decoder->finish();
  if (reply.has_error()) return std::string(to_text(reply.error().kind)) + " " + reply.error().code + " after " + text + calls;
  std::string line = text + calls + " | " + reply->content + " [" + reply->reasoning + "]";
  for (const auto& call : reply->tool_calls) {
    line += " " + call.id + ":" + call.name + (call.arguments_error.empty() ? json::to_text(call.arguments) : "!" + call.arguments_error);
  }
  return line + " " + std::string(to_text(reply->finish)) + " " + json::to_text(to_json(reply->usage)) + " " + json::to_text(reply->raw);
}

// Golden streams, written by hand from the providers' documentation: text with a character of four bytes, reasoning, two calls.
const std::string kChatStream =
    ": keep-alive\r\n\r\n"
    "data: "
    "{\"id\":\"c1\",\"model\":\"m1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
    "\"content\":\"\"}}],\"obfuscation\":\"x\"}\r\n\r\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi \xf0\x9f\x98\x80\"}}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"look\","
    "\"arguments\":\"\"}}]}}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"q\\\":\"}},{\"index\":1,\"id\":"
    "\"b\",\"function\":{\"name\":\"go\",\"arguments\":\"{}\"}}]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
    "data: "
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_"
    "tokens_details\":{\"reasoning_tokens\":2}}}\n\n"
    "data: [DONE]\n\n";
const std::string kChatTold =
    "Hi \xf0\x9f\x98\x80 a:look{\"q\": b:go{}1} | Hi \xf0\x9f\x98\x80 [hm] a:look{\"q\":1} b:go{} tool_calls "
    R"({"input_tokens":10,"output_tokens":5,"cached_tokens":4,"reasoning_tokens":2} {"wire":"chat","model":"m1","message":{"role":"assistant","content":"Hi )"
    "\xf0\x9f\x98\x80"
    R"(","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"look","arguments":"{\"q\":1}"}},{"id":"b","type":"function","function":{"name":"go","arguments":"{}"}}]}})";

const std::string kAnthropicStream =
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":"
    "5,\"cache_creation_input_tokens\":2,\"output_tokens\":1}}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi "
    "\xf0\x9f\x98\x80\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"look\",\"input\":{}}}"
    "\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"q\\\"\"}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\":1}\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"go\",\"input\":{}}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":3}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":7}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const std::string kAnthropicTold =
    "Hi \xf0\x9f\x98\x80 a:look{\"q\":1} b:go | Hi \xf0\x9f\x98\x80 [hm] a:look{\"q\":1} b:go{} tool_calls "
    R"({"input_tokens":10,"output_tokens":7,"cached_tokens":5,"reasoning_tokens":0} {"wire":"anthropic","model":"claude","message":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"Hi )"
    "\xf0\x9f\x98\x80"
    R"("},{"type":"tool_use","id":"a","name":"look","input":{"q":1}},{"type":"tool_use","id":"b","name":"go","input":{}}]})";

const std::string kGeminiStream =
    "data: "
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}],\"modelVersion\":\"gem\","
    "\"responseId\":\"r\"}\r\n\r\n"
    "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Hi \xf0\x9f\x98\x80\"}]}}]}\r\n\r\n"
    "data: "
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"look\",\"args\":{\"q\":1}},"
    "\"thoughtSignature\":\"sig\"},{\"functionCall\":{\"id\":\"b\",\"name\":\"go\"}}]},\"finishReason\":\"STOP\"}],"
    "\"usageMetadata\":{\"promptTokenCount\":10,\"cachedContentTokenCount\":4,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2}}"
    "\r\n\r\n";
const std::string kGeminiTold =
    "Hi \xf0\x9f\x98\x80 call_0:look{\"q\":1} b:go{} | Hi \xf0\x9f\x98\x80 [hm] call_0:look{\"q\":1} b:go{} tool_calls "
    R"({"input_tokens":10,"output_tokens":7,"cached_tokens":4,"reasoning_tokens":2} {"wire":"gemini","model":"gem","message":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"Hi )"
    "\xf0\x9f\x98\x80"
    R"("},{"functionCall":{"name":"look","args":{"q":1}},"thoughtSignature":"sig"},{"functionCall":{"id":"b","name":"go"}}]}})";

const std::string kOllamaStream =
    "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n"
    "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi \xf0\x9f\x98\x80\"},\"done\":false}\n"
    "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"look\",\"arguments\":{"
    "\"q\":1}}},{\"function\":{\"name\":\"go\",\"arguments\":{}}}]},\"done\":false}\n"
    "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":"
    "10,\"eval_count\":7}\n";
const std::string kOllamaTold =
    "Hi \xf0\x9f\x98\x80 call_0:look{\"q\":1} call_1:go{} | Hi \xf0\x9f\x98\x80 [hm] call_0:look{\"q\":1} call_1:go{} tool_calls "
    R"({"input_tokens":10,"output_tokens":7,"cached_tokens":0,"reasoning_tokens":0} {"wire":"ollama","model":"l","message":{"role":"assistant","content":"Hi )"
    "\xf0\x9f\x98\x80"
    R"(","thinking":"hm","tool_calls":[{"function":{"name":"look","arguments":{"q":1}}},{"function":{"name":"go","arguments":{}}}]}})";

const std::string kOutput =
    R"([{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"enc"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi )"
    "\xf0\x9f\x98\x80"
    R"("}]},{"type":"function_call","id":"fc1","call_id":"a","name":"look","arguments":"{\"q\":1}","status":"completed"},{"type":"function_call","id":"fc2","call_id":"b","name":"go","arguments":"","status":"completed"}])";
const std::string kResponsesStream =
    "event: response.created\ndata: "
    "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\"}}\n\n"
    "event: response.reasoning_summary_text.delta\ndata: "
    "{\"type\":\"response.reasoning_summary_text.delta\",\"output_index\":0,\"delta\":\"hm\"}\n\n"
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":1,\"delta\":\"Hi "
    "\xf0\x9f\x98\x80\"}\n\n"
    "event: response.output_item.added\ndata: "
    "{\"type\":\"response.output_item.added\",\"output_index\":2,\"item\":{\"type\":\"function_call\",\"id\":\"fc1\",\"call_id\":\"a\","
    "\"name\":\"look\",\"arguments\":\"\"}}\n\n"
    "event: response.function_call_arguments.delta\ndata: "
    "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":2,\"delta\":\"{\\\"q\\\":1}\"}\n\n"
    "event: response.output_item.added\ndata: "
    "{\"type\":\"response.output_item.added\",\"output_index\":3,\"item\":{\"type\":\"function_call\",\"id\":\"fc2\",\"call_id\":\"b\","
    "\"name\":\"go\",\"arguments\":\"\"}}\n\n"
    "event: response.completed\ndata: "
    "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"model\":\"gpt\",\"status\":\"completed\",\"output\":" +
    kOutput +
    ",\"usage\":{\"input_tokens\":10,\"output_tokens\":7,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens_details\":{"
    "\"reasoning_tokens\":2}}}}\n\n";
const std::string kResponsesTold =
    "Hi \xf0\x9f\x98\x80 a:look{\"q\":1} b:go | Hi \xf0\x9f\x98\x80 [hm] a:look{\"q\":1} b:go{} tool_calls "
    R"({"input_tokens":10,"output_tokens":7,"cached_tokens":4,"reasoning_tokens":2} {"wire":"responses","model":"gpt","message":)" +
    kOutput + "}";

struct Golden {
  Wire wire;
  const std::string& stream;
  const std::string& told;
};
const Golden kGolden[] = {{Wire::chat, kChatStream, kChatTold},
                          {Wire::responses, kResponsesStream, kResponsesTold},
                          {Wire::anthropic, kAnthropicStream, kAnthropicTold},
                          {Wire::gemini, kGeminiStream, kGeminiTold},
                          {Wire::ollama, kOllamaStream, kOllamaTold}};

TEST(Codecs, A1ReadStreamsWhereverTheyAreSplit) {
  for (const auto& golden : kGolden) {
    const std::string_view all = golden.stream;
    ASSERT_EQ(told(golden.wire, {all}), golden.told) << to_text(golden.wire);
    for (std::size_t at = 0; at <= all.size(); ++at) {
      ASSERT_EQ(told(golden.wire, {all.substr(0, at), all.substr(at)}), golden.told) << to_text(golden.wire) << " split at " << at;
    }
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < all.size(); ++i) bytes.push_back(all.substr(i, 1));
    EXPECT_EQ(told(golden.wire, bytes), golden.told) << to_text(golden.wire) << " byte by byte";
  }
}

TEST(Codecs, A1AStreamWithoutItsEndIsAnErrorAndNeverAnAnswer) {
  for (const auto& golden : kGolden) {
    const std::string_view all = golden.stream;
    // Where the answer is complete without the rest: a reason to finish has come, only usage or a mark are missing.
    std::size_t enough = all.size();
    if (golden.wire == Wire::chat) enough = all.find("data: {\"choices\":[],");
    for (std::size_t at = 0; at < enough; ++at) {
      const auto line = told(golden.wire, {all.substr(0, at)});
      // The last event may lack nothing but line ends.
      if (line.find(" | ") != std::string::npos && at + 4 >= enough) continue;
      ASSERT_EQ(line.find(" | "), std::string::npos) << to_text(golden.wire) << " cut at " << at << ": " << line;
    }
  }
}

// Whatever a server sends ends in a reply or a failure.
TEST(Codecs, TakeAnything) {
  std::minstd_rand random(4711);
  for (int round = 0; round < 1000; ++round) {
    const auto& golden = kGolden[random() % std::size(kGolden)];
    auto bytes = golden.stream;
    for (auto changes = random() % 8; changes > 0; --changes) {
      const auto at = random() % bytes.size();
      switch (random() % 4) {
        case 0: bytes[at] = static_cast<char>(random() % 256); break;
        case 1: bytes.erase(at, random() % 40); break;
        case 2: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 60)); break;
        default: bytes.insert(at, 1, "{}[]\":,0"[random() % 8]); break;
      }
      if (bytes.empty()) bytes = " ";
    }
    for (const auto wire : kAll) {
      const auto line = told(wire, {bytes});
      ASSERT_FALSE(line.empty());
      const auto body = codec_of(wire).decode(bytes);
      static_cast<void>(body);
      static_cast<void>(failure_of(wire, 400 + static_cast<int>(random() % 200), {}, bytes, {}));
    }
  }
}

TEST(Codecs, A1CallsThatAreCutOffAreNeverComplete) {
  const auto cut = told(Wire::chat, {"data: "
                                     "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{"
                                     "\"name\":\"pay\",\"arguments\":\"{}\"}}]},"
                                     "\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"});
  EXPECT_THAT(cut, HasSubstr("a:pay!the call was cut off by the limit of tokens length"));
  const auto anthropic =
      told(Wire::anthropic,
           {"data: {\"type\":\"message_start\",\"message\":{}}\n\n"
            "data: "
            "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"pay\","
            "\"input\":{}}}\n\n"
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"});
  EXPECT_THAT(anthropic, HasSubstr("a:pay!the call was cut off"));
  const auto body =
      codec_of(Wire::responses)
          .decode(
              R"({"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"function_call","call_id":"a","name":"pay","arguments":"{}"}]})");
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->finish, FinishReason::length);
  EXPECT_NE(body->tool_calls.at(0).arguments_error, "");
}

TEST(Codecs, A1FiguresOfTokensStayWithinReasonWhateverAProviderSays) {
  const std::pair<Wire, std::string> bodies[] = {
      {Wire::chat, R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":-5,"completion_tokens":9223372036854775807,"prompt_tokens_details":{"cached_tokens":1e300}}})"},
      {Wire::responses, R"({"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}],
        "usage":{"input_tokens":-5,"output_tokens":9223372036854775807,"input_tokens_details":{"cached_tokens":1e300}}})"},
      {Wire::anthropic, R"({"type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn",
        "usage":{"input_tokens":-5,"output_tokens":9223372036854775807,"cache_read_input_tokens":1e300}})"},
      {Wire::gemini, R"({"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":-5,"candidatesTokenCount":9223372036854775807,"cachedContentTokenCount":1e300}})"},
      {Wire::ollama, R"({"message":{"role":"assistant","content":"a"},"done":true,"done_reason":"stop","prompt_eval_count":-5,
        "eval_count":9223372036854775807})"},
  };
  for (const auto& [wire, body] : bodies) {
    const auto reply = codec_of(wire).decode(body);
    ASSERT_TRUE(reply.has_value()) << body << reply.error().message;
    const auto& usage = reply->usage;
    EXPECT_EQ(usage.output, 1'000'000'000) << body;
    EXPECT_EQ(usage.input, wire == Wire::anthropic ? 1'000'000'000 : 0) << body;  // there it includes what was cached
    EXPECT_EQ(usage.cached, wire == Wire::ollama ? 0 : 1'000'000'000) << body;
  }
}

TEST(Codecs, CompatibleServersMayDeviate) {
  // No index, the whole arguments at once or as an object, no [DONE], "stop" with calls.
  const auto line = told(
      Wire::chat,
      {"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"look\",\"arguments\":{\"q\":1}}}]}}]}\n\n"
       "data: "
       "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"b\",\"function\":{\"name\":\"go\",\"arguments\":\"{}\"}}]},\"finish_reason\":"
       "\"stop\"}]}"});
  EXPECT_THAT(line, HasSubstr("a:look{\"q\":1} b:go{} tool_calls"));
}

TEST(Codecs, ErrorsInTheMiddleOfAStreamAreToldApart) {
  EXPECT_THAT(told(Wire::chat, {"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: "
                                "{\"error\":{\"message\":\"m\",\"code\":\"rate_limit_exceeded\"}}\n\n"}),
              HasSubstr("transient rate_limit_exceeded"));
  EXPECT_THAT(
      told(Wire::anthropic, {"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n"}),
      HasSubstr("transient overloaded_error"));
  EXPECT_THAT(told(Wire::responses, {"data: {\"type\":\"error\",\"code\":\"invalid_prompt\",\"message\":\"m\"}\n\n"}),
              HasSubstr("invalid invalid_prompt"));
  EXPECT_THAT(told(Wire::gemini, {"data: {\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n"}),
              HasSubstr("transient RESOURCE_EXHAUSTED"));
  EXPECT_THAT(told(Wire::ollama, {"{\"error\":\"no such model\"}\n"}), HasSubstr("transient"));
}

TEST(Codecs, A1KnowWhichFailuresMayPass) {
  struct Case {
    Wire wire;
    int status;
    std::string body;
    FailureClass kind;
  };
  const Case cases[] = {
      {Wire::chat, 429, R"({"error":{"code":"rate_limit_exceeded","message":"m"}})", FailureClass::transient},
      {Wire::chat, 429, R"({"error":{"code":"insufficient_quota","message":"m"}})", FailureClass::quota},
      {Wire::chat, 400, R"({"error":{"code":"context_length_exceeded","message":"m"}})", FailureClass::context_full},
      {Wire::chat, 401, "", FailureClass::auth},
      {Wire::chat, 408, "", FailureClass::transient},
      {Wire::chat, 500, "<html>", FailureClass::transient},
      {Wire::chat, 413, "{}", FailureClass::too_large},
      {Wire::anthropic, 529, R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})", FailureClass::transient},
      {Wire::anthropic, 402, R"({"type":"error","error":{"type":"billing_error","message":"m"}})", FailureClass::quota},
      {Wire::anthropic, 400, R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}})",
       FailureClass::quota},
      {Wire::anthropic, 400, R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens"}})",
       FailureClass::context_full},
      {Wire::gemini, 503, R"([{"error":{"code":503,"status":"UNAVAILABLE","message":"m"}}])", FailureClass::transient},
      {Wire::gemini, 400, R"({"error":{"code":400,"status":"INVALID_ARGUMENT","message":"m"}})", FailureClass::invalid},
      {Wire::ollama, 404, R"({"error":"model not found"})", FailureClass::invalid},
  };
  for (const auto& item : cases) {
    EXPECT_EQ(to_text(failure_of(item.wire, item.status, {}, item.body, {}).kind), to_text(item.kind)) << item.status << item.body;
  }
}

TEST(Codecs, A1ReadEveryWayToSayWhenToComeBack) {
  const auto wait = [](const Fields& fields, std::string_view body = "{}") {
    const auto now = parse_rfc3339("2026-11-26T08:00:00Z").value();
    const auto failure = failure_of(Wire::gemini, 429, fields, body, now);
    return failure.retry_after ? failure.retry_after->count() : -1;
  };
  EXPECT_EQ(wait({{"Retry-After", "3"}}), 3000);
  EXPECT_EQ(wait({{"retry-after-ms", "250"}, {"Retry-After", "3"}}), 250);
  EXPECT_EQ(wait({{"retry-after", "Thu, 26 Nov 2026 08:00:07 GMT"}}), 7000);
  EXPECT_EQ(wait({{"retry-after", "Thu, 26 Nov 2026 07:00:00 GMT"}}), 0);
  EXPECT_EQ(wait({{"retry-after", "soon"}}), -1);
  EXPECT_EQ(wait({{"retry-after", "-1"}}), -1);
  EXPECT_EQ(wait({}, R"({"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17s"}]}})"), 17'000);
  EXPECT_EQ(failure_of(Wire::chat, 500, {{"X-Should-Retry", "false"}}, "", {}).should_retry, false);
}

Request conversation() {
  Request request;
  request.model = "m";
  request.instructions = "be brief";
  request.messages.push_back(Message::of(Role::user, "order 7?"));
  Message assistant;
  assistant.role = Role::assistant;
  assistant.tool_calls.push_back({.id = "a", .name = "look", .arguments = parsed(R"({"q":1})"), .arguments_error = {}});
  assistant.tool_calls.push_back({.id = "b", .name = "go", .arguments = parsed("{}"), .arguments_error = {}});
  request.messages.push_back(assistant);
  for (const auto* id : {"a", "b"}) {
    auto result = Message::of(Role::tool, "{\"ok\":true}");
    result.tool_call_id = id;
    request.messages.push_back(std::move(result));
  }
  request.tools.push_back({.name = "look", .description = "looks", .parameters = parsed(R"({"type":"object"})")});
  request.temperature = 0;
  request.max_tokens = 50;
  return request;
}

TEST(Codecs, WriteConversationsAsEachProviderWantsThem) {
  const auto body = [](Wire wire) { return codec_of(wire).encode(conversation(), false).body; };
  EXPECT_EQ(
      body(Wire::chat),
      R"({"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"order 7?"},{"role":"assistant","content":null,"tool_calls":[)"
      R"({"id":"a","type":"function","function":{"name":"look","arguments":"{\"q\":1}"}},{"id":"b","type":"function","function":{"name":"go","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"a","content":"{\"ok\":true}"},{"role":"tool","tool_call_id":"b","content":"{\"ok\":true}"}],)"
      R"("tools":[{"type":"function","function":{"name":"look","description":"looks","parameters":{"type":"object"}}}],"tool_choice":"auto",)"
      R"("temperature":0,"max_completion_tokens":50})");
  // All results of a turn in one message.
  EXPECT_EQ(
      body(Wire::anthropic),
      R"({"model":"m","max_tokens":50,"system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":"order 7?"}]},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"look","input":{"q":1}},{"type":"tool_use","id":"b","name":"go","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"{\"ok\":true}"},{"type":"tool_result","tool_use_id":"b","content":"{\"ok\":true}"}]}],)"
      R"("tools":[{"name":"look","description":"looks","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto"},"temperature":0})");
  EXPECT_EQ(
      body(Wire::gemini),
      R"({"contents":[{"role":"user","parts":[{"text":"order 7?"}]},{"role":"model","parts":[{"functionCall":{"name":"look","args":{"q":1}}},{"functionCall":{"name":"go","args":{}}}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"name":"look","response":{"ok":true}}},{"functionResponse":{"name":"go","response":{"ok":true}}}]}],)"
      R"("systemInstruction":{"parts":[{"text":"be brief"}]},"tools":[{"functionDeclarations":[{"name":"look","description":"looks","parametersJsonSchema":{"type":"object"}}]}],)"
      R"("toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"generationConfig":{"temperature":0,"maxOutputTokens":50}})");
  EXPECT_EQ(
      body(Wire::responses),
      R"({"model":"m","store":false,"instructions":"be brief","input":[{"role":"user","content":[{"type":"input_text","text":"order 7?"}]},)"
      R"({"type":"function_call","call_id":"a","name":"look","arguments":"{\"q\":1}"},{"type":"function_call","call_id":"b","name":"go","arguments":"{}"},)"
      R"({"type":"function_call_output","call_id":"a","output":"{\"ok\":true}"},{"type":"function_call_output","call_id":"b","output":"{\"ok\":true}"}],)"
      R"("tools":[{"type":"function","name":"look","description":"looks","parameters":{"type":"object"},"strict":false}],"tool_choice":"auto","temperature":0,"max_output_tokens":50})");
  EXPECT_EQ(
      body(Wire::ollama),
      R"({"model":"m","stream":false,"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"order 7?"},)"
      R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"look","arguments":{"q":1}}},{"function":{"name":"go","arguments":{}}}]},)"
      R"({"role":"tool","tool_name":"look","content":"{\"ok\":true}"},{"role":"tool","tool_name":"go","content":"{\"ok\":true}"}],)"
      R"("tools":[{"type":"function","function":{"name":"look","description":"looks","parameters":{"type":"object"}}}],"options":{"num_ctx":4096,"temperature":0,"num_predict":50}})");
}

TEST(Codecs, A1WhatAProviderSaidGoesBackUnchangedToItAndInNeutralFormToOthers) {
  for (const auto& golden : kGolden) {
    const auto decoder = codec_of(golden.wire).stream();
    decoder->feed(golden.stream, {});
    const auto reply = decoder->finish();
    ASSERT_TRUE(reply.has_value());
    Request request;
    request.model = "m";
    request.messages = {Message::of(Role::user, "x"), to_message(*reply)};
    const auto message = json::to_text(reply->raw.get("message"));
    const auto inner = golden.wire == Wire::responses ? message.substr(1, message.size() - 2) : message;
    for (const auto wire : kAll) {
      const auto body = codec_of(wire).encode(request, false).body;
      EXPECT_EQ(body.find(inner) != std::string::npos, wire == golden.wire) << to_text(golden.wire) << " to " << to_text(wire) << body;
      EXPECT_THAT(body, HasSubstr("look"));
    }
  }
}

TEST(Codecs, OllamaIsToldHowLongTheConversationIs) {
  struct Case {
    std::size_t bytes;
    std::string expected;
  };
  for (const auto& [bytes, expected] : {Case{10, "4096"}, Case{30'000, "16384"}, Case{10'000'000, "131072"}}) {
    Request request;
    request.model = "m";
    request.messages = {Message::of(Role::user, std::string(bytes, 'x'))};
    EXPECT_THAT(codec_of(Wire::ollama).encode(request, false).body, HasSubstr("\"num_ctx\":" + expected + "}")) << bytes;
  }
}

/// A copy of all that came before for each piece would take minutes here.
TEST(Codecs, ALongAnswerInManyPiecesCostsNoMoreThanItsLength) {
  constexpr std::size_t kPieces = 100'000;
  const auto decoder = codec_of(Wire::anthropic).stream();
  decoder->feed(R"(data: {"type":"message_start","message":{"id":"a","model":"m"}})"
                "\n\n"
                R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"so: "}})"
                "\n\n",
                {});
  for (std::size_t i = 0; i < kPieces; ++i) {
    decoder->feed(R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"0123456789"}})"
                  "\n\n",
                  {});
  }
  decoder->feed("data: {\"type\":\"message_stop\"}\n\n", {});
  const auto reply = decoder->finish();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->content.size(), 4 + 10 * kPieces);
  EXPECT_EQ(reply->raw.get("message").at(0).get("text"), json::Value(reply->content));
}

TEST(Codecs, ACallIsNotExecutedWhereTheAnswerEndedInTheMiddleForWhateverReason) {
  const auto decoded = [](std::string_view reason) {
    return codec_of(Wire::chat)
        .decode(R"({"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"pay","arguments":"{}"}}]},"finish_reason":")" +
                std::string(reason) + R"("}]})")
        .value();
  };
  for (const auto* const reason : {"length", "content_filter"}) {
    EXPECT_NE(decoded(reason).tool_calls.at(0).arguments_error, "") << reason;
  }
  for (const auto* const reason : {"stop", "tool_calls"}) EXPECT_EQ(decoded(reason).tool_calls.at(0).arguments_error, "") << reason;
  const auto full = codec_of(Wire::anthropic)
                        .decode(R"({"content":[{"type":"tool_use","id":"a","name":"pay","input":{}}],)"
                                R"("stop_reason":"model_context_window_exceeded"})");
  EXPECT_NE(full->tool_calls.at(0).arguments_error, "");
}

TEST(Codecs, ImagesAndFilesGoAsEachProviderWantsThem) {
  Request request;
  request.model = "m";
  Message message;
  message.parts = {{.text = "see"}, {.kind = Part::Kind::image, .media_type = "image/png", .data = "QUJD"}};
  request.messages = {message};
  const auto body = [&](Wire wire) { return codec_of(wire).encode(request, false).body; };
  EXPECT_THAT(body(Wire::chat), HasSubstr(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}})"));
  EXPECT_THAT(body(Wire::responses), HasSubstr(R"({"type":"input_image","image_url":"data:image/png;base64,QUJD","detail":"auto"})"));
  EXPECT_THAT(body(Wire::anthropic), HasSubstr(R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}})"));
  EXPECT_THAT(body(Wire::gemini), HasSubstr(R"({"inlineData":{"mimeType":"image/png","data":"QUJD"}})"));
  EXPECT_THAT(body(Wire::ollama), HasSubstr(R"("images":["QUJD"])"));
}

TEST(EventStream, ReadsWhatTheStandardAllows) {
  const std::string text =
      "\xef\xbb\xbf"
      "event: a\rdata: one\rdata:two\r\r: comment\n\ndata\n\nid: 7\nretry: 3\ndata:  x \n\ndata: lost";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    net::EventStream stream;
    std::vector<std::string> events;
    const auto on_event = [&](std::string_view event, std::string_view data) {
      events.push_back(std::string(event) + "=" + std::string(data));
    };
    stream.feed(std::string_view(text).substr(0, at), on_event);
    stream.feed(std::string_view(text).substr(at), on_event);
    EXPECT_THAT(events, ElementsAre("a=one\ntwo", "=", "= x ")) << at;
  }
}

}  // namespace
}  // namespace pawl::models
