/// Whatever anybody says in the Model Context Protocol: a client of ours gets an answer that is JSON in one line, a server that we speak to
/// gets nothing but what the protocol has, and soon an end. The first line is the HTTP fields of a request, with tabs in between; every
/// further line is a message.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "json/parse.hpp"
#include "mcp/client.hpp"
#include "mcp/definition.hpp"
#include "mcp/protocol.hpp"

namespace {

using namespace pawl;

std::vector<std::string_view> split(std::string_view text, char at, std::size_t most) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < most) {
    const auto cut = text.find(at);
    if (cut == std::string_view::npos) break;
    parts.push_back(text.substr(0, cut));
    text.remove_prefix(cut + 1);
  }
  parts.push_back(text);
  return parts;
}

void check_message(const std::string& text) {
  PAWL_ASSERT(text.find_first_of("\r\n") == std::string::npos, "a message is one line");
  const auto parsed = json::parse(text);
  PAWL_ASSERT(parsed.has_value() && parsed->get("jsonrpc") == json::Value("2.0"), "and a message");
}

void check_server(std::string_view message, const mcp::Fields& fields) {
  static const mcp::ServerInfo kServer{.name = "pawl", .title = "Pawl", .version = "1", .instructions = "Ask."};
  const auto read = mcp::interpret(message, fields, kServer);
  if (const auto* fault = std::get_if<mcp::Fault>(&read)) {
    PAWL_ASSERT(!fault->message.empty() && fault->http_status >= 200 && fault->http_status < 600, "a refusal has a reason");
    check_message(mcp::fault_text(*fault));
    return;
  }
  const auto& request = std::get<mcp::Request>(read);
  PAWL_ASSERT(request.id.is_null() || request.id.is_string() || request.id.is_integer(), "an id is a text or a number");
  if (const auto* known = std::get_if<mcp::Known>(&request.act)) check_message(mcp::reply_text(request, known->result));
  if (const auto* call = std::get_if<mcp::CallTool>(&request.act)) {
    PAWL_ASSERT(call->arguments.is_object(), "arguments are an object");
    const auto name = mcp::tool_name(call->name);
    PAWL_ASSERT(!name.empty() && name.size() <= 64, "a tool has a name");
    check_message(mcp::reply_text(request, mcp::call_result(request, {.output = call->arguments})));
    if (!call->progress_token.is_null()) check_message(mcp::progress_text(call->progress_token, 1, call->name));
  }
  if (const auto* read_resource = std::get_if<mcp::ReadResource>(&request.act))
    check_message(mcp::fault_text(mcp::no_resource(request, read_resource->uri)));
  if (const auto* update = std::get_if<mcp::UpdateTask>(&request.act)) PAWL_ASSERT(update->responses.is_object(), "so are answers");
}

void check_definition(const json::Value& tool) {
  const auto pin = mcp::pin_of(tool);
  PAWL_ASSERT(mcp::is_pin(pin) && mcp::changes_since(pin, tool).empty(), "what is pinned is not changed");
  for (const char c : mcp::changes_since(mcp::pin_of(json::Value::object()), tool))
    PAWL_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "nothing in it controls a terminal");
  if (mcp::check_definition(tool).has_error()) return;
  for (const auto& [name, value] : mcp::mirrored_arguments(tool, tool)) {
    for (const char c : name + value) PAWL_ASSERT(c >= 0x20 && c < 0x7f, "HTTP fields are visible ASCII");
  }
}

void check_client(const std::vector<std::string_view>& messages, bool initialize_first, const char* method) {
  mcp::Ask ask{.method = method, .params = json::Value::object({{"name", "t"}, {"arguments", json::Value::object()}})};
  mcp::ClientOptions options;
  options.initialize_first = initialize_first;
  options.limits.max_messages = 20;
  mcp::Conversation talk(std::move(ask), options);
  const auto check_all = [](const std::vector<mcp::Outgoing>& all) {
    for (const auto& each : all) {
      check_message(each.text);
      for (const auto& [name, value] : each.fields) {
        for (const char c : name + value) PAWL_ASSERT(c >= 0x20 && c < 0x7f, "HTTP fields are visible ASCII");
      }
    }
  };
  check_all(talk.begin());
  for (const auto message : messages) {
    if (talk.ended()) break;
    check_all(talk.take(message));
  }
  check_all(talk.cancel());
  for (const auto& note : talk.notes()) PAWL_ASSERT(is_utf8(note.text), "what is noted is text");
  if (!talk.ended()) return;
  if (talk.result().has_error()) PAWL_ASSERT(talk.result().error().code.starts_with("mcp."), "an error of the protocol");
  check_definition(talk.definition());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = split(text, '\n', 12);
  auto given = split(lines[0], '\t', 4);
  given.resize(4);
  const std::vector<std::string_view> messages(lines.begin() + 1, lines.end());
  for (const auto message : messages) {
    check_server(message, {given[0], given[1], given[2], given[3]});
    check_server(message, {});
    if (auto parsed = json::parse(message); parsed.has_value()) check_definition(*parsed);
  }
  for (const auto* method : {"tools/call", "tools/list", "resources/read"}) {
    check_client(messages, true, method);
    check_client(messages, false, method);
  }
  return 0;
}
