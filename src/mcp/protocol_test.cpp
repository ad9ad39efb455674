#include "mcp/protocol.hpp"

#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::mcp {
namespace {

using json::Value;

const ServerInfo kServer{.name = "pawl", .title = "Pawl", .version = "1", .instructions = "Ask."};
constexpr std::string_view kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";

Value parsed(std::string_view text) { return json::parse(text).value(); }

Fields stateless(std::string_view method, std::string_view name = {}) { return {kNewest, method, name}; }

std::string request(std::string_view method, std::string_view params) {
  return R"({"jsonrpc":"2.0","id":7,"method":")" + std::string(method) + R"(","params":{)" + std::string(params) + "}}";
}

template <class Act>
Act act_of(const std::variant<Request, Fault>& read) {
  const auto* found = std::get_if<Request>(&read);
  if (found == nullptr || !std::holds_alternative<Act>(found->act)) {
    ADD_FAILURE() << (found == nullptr ? std::get<Fault>(read).message : "another act");
    return {};
  }
  return std::get<Act>(found->act);
}

// ---- requests -------------------------------------------------------------------------------------------------------------------

TEST(McpProtocol, A5_AnswersInitializeWithTheRevisionThatWasAskedFor) {
  for (const std::string version : {"2025-11-25", "2025-06-18", "2025-03-26"}) {
    const auto known = act_of<Known>(interpret(request("initialize", R"("protocolVersion":")" + version + "\""), {}, kServer));
    EXPECT_EQ(known.result.get("protocolVersion"), Value(version));
    EXPECT_EQ(known.result.get("serverInfo").get("name"), Value("pawl"));
    EXPECT_TRUE(known.result.get("capabilities").get("tools").is_object());
  }
  const auto known = act_of<Known>(interpret(request("initialize", R"("protocolVersion":"1999-01-01")"), {}, kServer));
  EXPECT_EQ(known.result.get("protocolVersion"), Value("2025-11-25"));
}

TEST(McpProtocol, A5_ReadsWhatIsToBeCompletedAndGivesAPageAtMost) {
  const auto of_prompt = act_of<Complete>(
      interpret(request("completion/complete", R"("ref":{"type":"ref/prompt","name":"letter"},"argument":{"name":"tone","value":"f"})"), {},
                kServer));
  EXPECT_EQ(of_prompt.prompt + of_prompt.argument + of_prompt.value, "lettertonef");
  const auto of_template = act_of<Complete>(
      interpret(request("completion/complete",
                        R"("ref":{"type":"ref/resource","uri":"pawl://runs/{run_id}"},"argument":{"name":"run_id","value":""})"),
                {}, kServer));
  EXPECT_EQ(of_template.uri, "pawl://runs/{run_id}");
  EXPECT_EQ(of_template.prompt, "");
  for (const std::string params :
       {R"("argument":{"name":"a","value":"b"})", R"("ref":{"type":"ref/prompt"},"argument":{"name":"a","value":"b"})",
        R"("ref":{"type":"ref/other","name":"x"},"argument":{"name":"a","value":"b"})", R"("ref":{"type":"ref/prompt","name":"x"})",
        R"("ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":7})"}) {
    const auto read = interpret(request("completion/complete", params), {}, kServer);
    const auto* fault = std::get_if<Fault>(&read);
    ASSERT_NE(fault, nullptr) << params;
    EXPECT_EQ(fault->code, Code::invalid_params);
  }
  const auto completion = completion_result(Request{}, std::vector<std::string>(120, "x")).get("completion");
  EXPECT_EQ(completion.get("values").size(), 100U);
  EXPECT_EQ(completion.get("total"), Value(120));
  EXPECT_EQ(completion.get("hasMore"), Value(true));
}

TEST(McpProtocol, A5_DescribesItselfToClientsWithoutSessions) {
  const auto known = act_of<Known>(interpret(request("server/discover", kMeta), stateless("server/discover"), kServer));
  EXPECT_EQ(known.result.get("resultType"), Value("complete"));
  EXPECT_EQ(known.result.get("supportedVersions").at(0), Value(kNewest));
  EXPECT_TRUE(known.result.get("ttlMs").is_integer());
}

TEST(McpProtocol, A5_ReadsCallsOfBothEras) {
  const auto call =
      act_of<CallTool>(interpret(request("tools/call", R"("name":"greet","arguments":{"who":"Ada"})"), {"2025-11-25", {}, {}}, kServer));
  EXPECT_EQ(call.name, "greet");
  EXPECT_EQ(call.arguments.get("who"), Value("Ada"));
  EXPECT_TRUE(call.progress_token.is_null());
  const auto bare = act_of<CallTool>(
      interpret(request("tools/call", std::string(R"("name":"greet",)") + std::string(kMeta)), stateless("tools/call", "greet"), kServer));
  EXPECT_TRUE(bare.arguments.is_object()) << "`arguments` may be left out";
  const auto encoded = interpret(request("tools/call", std::string(R"("name":"grüß",)") + std::string(kMeta)),
                                 stateless("tools/call", "=?base64?Z3LDvMOf?="), kServer);
  EXPECT_EQ(act_of<CallTool>(encoded).name, "grüß");
}

TEST(McpProtocol, A5_WritesNamesIntoFieldsAsItReadsThem) {
  EXPECT_EQ(field_of("greet"), "greet");
  for (const std::string name : {"greet", "gr\u00fc\u00df", "a b", "=?base64?x?=", ""}) {
    const auto body = R"({"jsonrpc":"2.0","id":7,"method":"tasks/get","params":{"taskId":")" + name +
                      R"(","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                      R"("io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}})";
    EXPECT_EQ(act_of<GetTask>(interpret(body, stateless("tasks/get", field_of(name)), kServer)).task, name);
  }
}

TEST(McpProtocol, A5_TakesNotificationsAndAnswersOfNobody) {
  for (const auto* text :
       {R"({"jsonrpc":"2.0","method":"notifications/initialized"})", R"({"jsonrpc":"2.0","method":"notifications/x","params":{}})",
        R"({"jsonrpc":"2.0","id":1,"result":{}})", R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}})"}) {
    act_of<Nothing>(interpret(text, {}, kServer));
  }
}

TEST(McpProtocol, A5_ReadsPromptsResourcesAndAnswers) {
  const auto prompt = act_of<GetPrompt>(interpret(request("prompts/get", R"("name":"p","arguments":{"a":"b"})"), {}, kServer));
  EXPECT_EQ(prompt.arguments.get("a"), Value("b"));
  EXPECT_EQ(act_of<ReadResource>(interpret(request("resources/read", R"("uri":"pawl://x")"), {}, kServer)).uri, "pawl://x");
  act_of<ListPrompts>(interpret(request("prompts/list", ""), {}, kServer));
  act_of<ListResources>(interpret(request("resources/list", ""), {}, kServer));
  act_of<ListTemplates>(interpret(request("resources/templates/list", ""), {}, kServer));
  const auto answer = act_of<Answer>(interpret(R"({"jsonrpc":"2.0","id":"q","result":{"action":"accept"}})", {}, kServer));
  EXPECT_EQ(answer.question, "q");
  EXPECT_EQ(answer.result.get("action"), Value("accept"));
  const auto again = act_of<CallTool>(
      interpret(request("tools/call", std::string(R"("name":"a","requestState":"s","inputResponses":{"q":{}},)") + std::string(kMeta)),
                stateless("tools/call", "a"), kServer));
  EXPECT_EQ(again.state, "s");
  EXPECT_TRUE(again.responses.is_object());
}

TEST(McpProtocol, A5_RemembersOfASessionThatItElicits) {
  const auto begun = interpret(request("initialize", R"("protocolVersion":"2025-11-25","capabilities":{"elicitation":{}})"), {}, kServer);
  EXPECT_TRUE(std::get<Request>(begun).elicits);
  const auto session = eliciting_session("abc");
  EXPECT_TRUE(std::get<Request>(interpret(request("tools/list", ""), {"2025-11-25", {}, {}, session}, kServer)).elicits);
  EXPECT_FALSE(std::get<Request>(interpret(request("tools/list", ""), {"2025-11-25", {}, {}, "abc"}, kServer)).elicits);
  const auto only_links =
      interpret(request("initialize", R"("protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}})"), {}, kServer);
  EXPECT_FALSE(std::get<Request>(only_links).elicits);
}

TEST(McpProtocol, A5_AsksWithFormsThatClientsCanShow) {
  const auto form =
      parsed(R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"enum":["x"]}}},"required":["a"]})");
  EXPECT_TRUE(is_plain_form(form));
  EXPECT_TRUE(is_plain_form({}));
  for (const auto* other : {R"({"type":"object","properties":{"a":{"type":"object"}}})", R"({"type":"array"})", R"({"type":"object"})",
                            R"({"type":"object","properties":{"a":{"$ref":"#"}}})", R"({"type":"object","properties":{},"anyOf":[]})"}) {
    EXPECT_FALSE(is_plain_form(parsed(other))) << other;
  }
  const auto required = input_required({{"k", "Sure?", form}}, "state");
  EXPECT_EQ(required.get("resultType"), Value("input_required"));
  EXPECT_EQ(required.get("inputRequests").get("k").get("params").get("requestedSchema").get("required").at(0), Value("a"));
  const auto message = parsed(question_text({"k", "Sure?", {}}));
  EXPECT_EQ(message.get("id"), Value("k"));
  EXPECT_EQ(message.get("method"), Value("elicitation/create"));
}

struct Bad {
  const char* name;
  std::string message;
  Fields fields;
  Code code;
  int status;
};

TEST(McpProtocol, A5_RefusesWhatIsNoMessageOfTheProtocol) {
  const auto meta = std::string(kMeta);
  const std::vector<Bad> cases = {
      {"not JSON", "{", {}, Code::parse_error, 400},
      {"a batch", "[]", {}, Code::invalid_request, 400},
      {"another JSON-RPC", R"({"jsonrpc":"1.0","id":1,"method":"ping"})", {}, Code::invalid_request, 400},
      {"no method", R"({"jsonrpc":"2.0","id":1})", {}, Code::invalid_request, 400},
      {"an id of another kind", R"({"jsonrpc":"2.0","id":{},"method":"ping"})", {}, Code::invalid_request, 400},
      {"params that are a list", R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})", {}, Code::invalid_params, 400},
      {"an unknown method", request("tools/delete", ""), {}, Code::method_not_found, 200},
      {"an unknown method, stateless", request("tools/delete", meta), stateless("tools/delete"), Code::method_not_found, 404},
      {"a session's method, stateless", request("ping", meta), stateless("ping"), Code::method_not_found, 404},
      {"an unknown version in the field", request("ping", ""), {"2020-01-01", {}, {}}, Code::unsupported_version, 400},
      {"an unknown version in the body",
       request("tools/list", R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2030-01-01"})"),
       {"2030-01-01", "tools/list", {}},
       Code::unsupported_version,
       400},
      {"an unknown version in the body, another in the field",
       request("tools/list", R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2030-01-01"})"), stateless("tools/list"),
       Code::header_mismatch, 400},
      {"a session's beginning, stateless", request("initialize", meta), stateless("initialize"), Code::method_not_found, 404},
      {"no version", request("tools/list", ""), stateless("tools/list"), Code::invalid_params, 400},
      {"no capabilities", request("tools/list", R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"})"),
       stateless("tools/list"), Code::invalid_params, 400},
      {"another method in the field", request("tools/list", meta), stateless("tools/call"), Code::header_mismatch, 400},
      {"no method in the field", request("tools/list", meta), {kNewest, {}, {}}, Code::header_mismatch, 400},
      {"another name in the field", request("tools/call", R"("name":"a",)" + meta), stateless("tools/call", "b"), Code::header_mismatch,
       400},
      {"a name that is no base64", request("tools/call", R"("name":"a",)" + meta), stateless("tools/call", "=?base64?*?="),
       Code::header_mismatch, 400},
      {"no tool", request("tools/call", ""), {}, Code::invalid_params, 200},
      {"a prompt's argument that is no text", request("prompts/get", R"("name":"a","arguments":{"x":1})"), {}, Code::invalid_params, 200},
      {"no address", request("resources/read", ""), {}, Code::invalid_params, 200},
      {"answers without the state", request("tools/call", R"("name":"a","inputResponses":{},)" + meta), stateless("tools/call", "a"),
       Code::invalid_params, 400},
      {"arguments that are a list", request("tools/call", R"("name":"a","arguments":[])"), {}, Code::invalid_params, 200},
      {"tasks that were not declared", request("tasks/get", R"("taskId":"a",)" + meta), stateless("tasks/get", "a"),
       Code::missing_capability, 400},
  };
  for (const auto& bad : cases) {
    const auto read = interpret(bad.message, bad.fields, kServer);
    const auto* fault = std::get_if<Fault>(&read);
    ASSERT_NE(fault, nullptr) << bad.name;
    EXPECT_EQ(fault->code, bad.code) << bad.name << ": " << fault->message;
    EXPECT_EQ(fault->http_status, bad.status) << bad.name;
    EXPECT_TRUE(json::parse(fault_text(*fault)).has_value()) << bad.name;
    if (bad.code != Code::missing_capability) continue;
    EXPECT_EQ(json::to_text(fault->data), R"({"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}})");
  }
}

TEST(McpProtocol, A5_EndsCleanlyWhereverAMessageIsCutOff) {
  const auto whole = request("tools/call", R"("name":"a","arguments":{"x":[1,2,{"y":"z"}]},)" + std::string(kMeta));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto read = interpret(std::string_view(whole).substr(0, length), stateless("tools/call", "a"), kServer);
    EXPECT_TRUE(std::holds_alternative<Fault>(read)) << length;
  }
}

// ---- answers --------------------------------------------------------------------------------------------------------------------

TEST(McpProtocol, A5_GivesValuesAsTextAndAsStructure) {
  Request legacy;
  Request modern;
  modern.stateless = true;
  const auto object = call_result(legacy, {parsed(R"({"sum": 3})"), {}, {}});
  EXPECT_EQ(object, parsed(R"({"content":[{"type":"text","text":"{\"sum\":3}"}],"structuredContent":{"sum":3},"isError":false})"));
  const auto text = call_result(legacy, {Value("hello"), {}, {}});
  EXPECT_EQ(text, parsed(R"({"content":[{"type":"text","text":"hello"}],"isError":false})"));
  EXPECT_EQ(call_result(legacy, {parsed("[1]"), {}, {}}).find("structuredContent"), nullptr) << "objects only, in that era";
  EXPECT_EQ(call_result(modern, {parsed("[1]"), {}, {}}).get("structuredContent"), parsed("[1]"));
  EXPECT_EQ(call_result(modern, {Value(1), {}, {}}).get("resultType"), Value("complete"));
  const auto failed = call_result(legacy, {{}, "It broke.", {}});
  EXPECT_EQ(failed, parsed(R"({"content":[{"type":"text","text":"It broke."}],"isError":true})"));
}

TEST(McpProtocol, A5_TellsTheHintsOfAToolWhereThereAreSome) {
  Tool plain;
  plain.name = "plain";
  Tool hinted = plain;
  hinted.hints = Tool::Hints{.read_only = true, .destructive = false, .idempotent = true, .open_world = false};
  const auto list = tools_result({}, {plain, hinted}, {}).get("tools");
  EXPECT_EQ(list.items()[0].find("annotations"), nullptr);
  EXPECT_EQ(json::to_text(list.items()[1].get("annotations")),
            R"({"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false})");
  hinted.hints = Tool::Hints{};
  EXPECT_EQ(tools_result({}, {hinted}, {}).get("tools").items()[0].get("annotations").get("destructiveHint"), json::Value(true))
      << "unless somebody says otherwise the worst is thought of it";
}

TEST(McpProtocol, A5_PassesContentBlocksOnAsTheyAre) {
  const auto blocks = parsed(R"({"content":[{"type":"image","data":"AA==","mimeType":"image/png"}]})");
  EXPECT_EQ(call_result({}, {blocks, {}, {}}).get("content"), blocks.get("content"));
  const auto own = parsed(R"({"content":[{"kind":"chapter"}]})");
  EXPECT_EQ(call_result({}, {own, {}, {}}).get("structuredContent"), own) << "a value that only looks like it";
  EXPECT_EQ(call_result({}, {blocks, {}, {}}).find("structuredContent"), nullptr);
  EXPECT_EQ(call_result({}, {blocks, {}, {}, true}).get("structuredContent"), blocks) << "a tool that declares its output gives it whole";
  const auto both = parsed(R"({"content":[{"type":"text","text":"a"}],"structuredContent":5})");
  EXPECT_EQ(call_result({}, {both, {}, {}}).get("structuredContent"), Value(5));
  EXPECT_EQ(call_result({}, {both, {}, {}, true}).get("structuredContent"), both);
}

TEST(McpProtocol, A5_TellsTheStateOfATask) {
  Request modern;
  modern.stateless = true;
  TaskState task{"t", TaskStatus::working, "waits", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"};
  EXPECT_EQ(task_created(task).get("resultType"), Value("task"));
  EXPECT_EQ(task_result(modern, task, {}).get("status"), Value("working"));
  EXPECT_EQ(task_result(modern, task, {}).find("result"), nullptr);
  task.status = TaskStatus::completed;
  EXPECT_EQ(task_result(modern, task, {Value("x"), {}, {}}).get("result").get("isError"), Value(false));
}

TEST(McpProtocol, A5_NamesToolsInLettersThatEveryClientTakes) {
  EXPECT_EQ(tool_name("order-saga_2"), "order-saga_2");
  EXPECT_EQ(tool_name("päck it!"), "p__ck_it_");
  EXPECT_EQ(tool_name(std::string(100, 'x')).size(), 64U);
  EXPECT_EQ(tool_name(""), "workflow");
}

}  // namespace
}  // namespace pawl::mcp
