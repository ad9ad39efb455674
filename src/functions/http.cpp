// `http`: one HTTP request (DSL, "HTTP call").

#include <algorithm>
#include <cctype>

#include "functions/detail/builtins.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

Error bad(std::string message) { return {ErrorClass::invalid, "http.arguments", std::move(message)}; }

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

Result<HttpCall> read_call(const engine::Invocation& invocation, std::size_t max_response) {
  const json::Value& arguments = invocation.arguments;
  if (!arguments.get("method").is_string() || arguments.get("method").empty()) return bad("`method` is missing");
  HttpCall call;
  call.request.method = upper(arguments.get("method").as_string());
  PAWL_TRY(endpoint, read_endpoint(arguments.get("endpoint"), invocation.input));
  PAWL_TRY(query, read_pairs(arguments.get("query"), "query"));
  PAWL_TRY(headers, read_pairs(arguments.get("headers"), "headers"));
  call.request.url = query.empty() ? std::move(endpoint.uri) : net::with_query(endpoint.uri, query);
  call.request.headers = std::move(headers);
  set_body(call.request, arguments.get("body"));
  carry_effect(call.request, invocation);
  call.request.follow_redirects = flag_or(arguments, "redirect", false);
  call.request.max_response_bytes = max_response;
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  if (timeout) call.request.timeout = *timeout;
  call.authentication = std::move(endpoint.authentication);
  call.output = output_form(arguments);
  return call;
}

class Http final : public Builtin {
 public:
  explicit Http(const Parts& parts)
      : Builtin(
            {.name = "http",
             .summary = "Makes an HTTP request",
             .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "method": {"type": "string", "minLength": 1},
                     "endpoint": {
                       "description": "URI, a template over the task's input",
                       "oneOf": [
                         {"type": "string", "minLength": 1},
                         {"type": "object", "properties": {"uri": {"type": "string", "minLength": 1}, "authentication": {"type": "object"}}, "required": ["uri"]}
                       ]
                     },
                     "headers": {"type": "object"},
                     "query": {"type": "object"},
                     "body": {"description": "text is sent as it is, other values as JSON, or as a form where Content-Type says so"},
                     "output": {"type": "string", "enum": ["raw", "content", "response"], "default": "content"},
                     "redirect": {"type": "boolean", "default": false, "description": "follow redirects; otherwise they are errors"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s"}
                   },
                   "required": ["method", "endpoint"],
                   "additionalProperties": false
                 })"),
             .output = literal(
                 R"({"description": "content: the decoded body; raw: base64 text; response: {request, statusCode, headers, content}"})"),
             .examples = literal(R"([
                   {"method": "get", "endpoint": "https://petstore.example/pet/{petId}"},
                   {"method": "post", "endpoint": {"uri": "https://api.example/orders", "authentication": {"bearer": {"use": "apiToken"}}},
                    "body": {"item": 1}, "output": "response"}
                 ])"),
             .reach = {{engine::Access::Kind::host, "/endpoint", ""}, {engine::Access::Kind::host, "/endpoint/uri", ""}}}),
        parts_(parts) {
    trust_arguments();
  }

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return only_reads(text_or(arguments, "method", "post")) ? engine::EffectClass::read : engine::EffectClass::idempotent;
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
    return parts_.http->perform(std::move(request).value(), std::move(call.secrets), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_http(const Parts& parts) { return std::make_unique<Http>(parts); }

}  // namespace pawl::functions
