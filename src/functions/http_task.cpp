// `http-task`: an HTTP request with the parameter names and the output of the earlier product's task lists.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kPreview = 500;

Result<HttpCall> read_call(const engine::Invocation& invocation, std::size_t max_response) {
  const json::Value& arguments = invocation.arguments;
  HttpCall call;
  call.request.method = text_or(arguments, "method", "GET");
  std::transform(call.request.method.begin(), call.request.method.end(), call.request.method.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  PAWL_TRY(query, read_pairs(arguments.get("query"), "query"));
  PAWL_TRY(headers, read_pairs(arguments.get("headers"), "headers"));
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  call.request.url = query.empty() ? text_or(arguments, "url", "") : net::with_query(text_or(arguments, "url", ""), query);
  call.request.headers = std::move(headers);
  set_body(call.request, arguments.find("payload") != nullptr ? arguments.get("payload") : arguments.get("body"));
  carry_effect(call.request, invocation);
  call.request.follow_redirects = flag_or(arguments, "redirect", true);
  call.request.max_response_bytes = max_response;
  call.request.timeout = timeout.value_or(Millis(10'000));
  call.authentication = arguments.get("authentication");
  return call;
}

engine::Outcome report(const HttpCall& call, const net::OutboundResponse& response, const json::Value& secrets) {
  HttpCall full = call;
  full.output = OutputForm::response;
  engine::Outcome outcome = to_outcome(full, response, secrets);
  if (!outcome.ok()) return outcome;
  const json::Value& content = outcome.output.get("content");
  const std::string text = as_text(content);
  json::Value output = json::Value::object({{"status_code", response.status},
                                            {"method", call.request.method},
                                            {"url", outcome.output.get("request").get("uri")},
                                            {"response_headers", outcome.output.get("headers")},
                                            {"response_size_bytes", response.body.size()},
                                            {"elapsed_seconds", static_cast<double>(response.elapsed.count()) / 1000.0},
                                            {"content", content},
                                            {"response_preview", to_utf8(text.substr(0, kPreview))},
                                            {"response_full_length", text.size()}});
  if (!content.is_string()) output.set("response_json", content);
  return engine::Outcome::success(std::move(output));
}

class HttpTask final : public Builtin {
 public:
  explicit HttpTask(const Parts& parts)
      : Builtin({.name = "http-task",
                 .summary = "Makes an HTTP request and describes the answer",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "url": {"type": "string", "minLength": 1},
                     "method": {"type": "string", "minLength": 1, "default": "GET"},
                     "headers": {"type": "object"},
                     "query": {"type": "object"},
                     "payload": {"description": "the body: text as it is, other values as JSON"},
                     "body": {"description": "the same as payload"},
                     "authentication": {"type": "object", "description": "as in the DSL"},
                     "redirect": {"type": "boolean", "default": true},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 10 s"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["url"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "status_code": {"type": "integer"}, "url": {"type": "string"}, "method": {"type": "string"}, "response_headers": {"type": "object"},
                     "response_size_bytes": {"type": "integer"}, "elapsed_seconds": {"type": "number"}, "content": {}, "response_json": {},
                     "response_preview": {"type": "string"}, "response_full_length": {"type": "integer"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"url": "https://example.org/status"},
                   {"url": "https://example.org/hook", "method": "POST", "payload": {"done": true}, "timeout": 5}
                 ])"),
                 .reach = {{engine::Access::Kind::host, "/url", ""}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return only_reads(text_or(arguments, "method", "GET")) ? engine::EffectClass::read : engine::EffectClass::idempotent;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(request, read_call(call, parts_.options.max_response));
    return json::Value::array({json::Value::object({{"action", "request"},
                                                    {"method", request.request.method},
                                                    {"uri", without_userinfo(request.request.url)},
                                                    {"body_bytes", request.request.body.size()}})});
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto request = read_call(call, parts_.options.max_response);
    if (request.has_error()) {
      done(failed(request.error()));
      return {};
    }
    const auto shown = std::make_shared<const HttpCall>(shown_part(*request));
    auto received = [shown, secrets = call.secrets, done = std::move(done)](Result<net::OutboundResponse> answer) {
      done(answer.has_value() ? report(*shown, *answer, secrets) : unanswered(*shown, answer.error(), secrets));
    };
    return parts_.http->send(std::move(request).value(), call.secrets, std::move(received));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_http_task(const Parts& parts) { return std::make_unique<HttpTask>(parts); }

}  // namespace pawl::functions
