#include "functions/detail/http_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kPreview = 500;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// `application/json; charset=utf-8` -> `application/json`
std::string media_type(const net::HeaderList& headers) {
  const auto header = net::find_header(headers, "content-type");
  if (!header) return "";
  std::string type = lower(header->substr(0, header->find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

bool is_json(const std::string& type) { return type == "application/json" || type == "text/json" || type.ends_with("+json"); }

bool is_text(const std::string& type) {
  static constexpr std::array kTexts = {
      "application/xml",      "application/yaml", "application/x-yaml", "application/javascript", "application/ecmascript",
      "application/x-ndjson", "application/toml", "application/sql",    "application/graphql",    "application/x-www-form-urlencoded"};
  return type.empty() || type.starts_with("text/") || type.ends_with("+xml") || type.ends_with("+yaml") ||
         std::find(kTexts.begin(), kTexts.end(), type) != kTexts.end();
}

bool is_credential(std::string_view header) {
  const std::string name = lower(header);
  return name == "authorization" || name == "proxy-authorization" || name == "cookie" || name == "x-api-key" ||
         name.find("token") != std::string::npos || name.find("secret") != std::string::npos || name.find("password") != std::string::npos;
}

// Values of the same name are joined as HTTP allows; `Set-Cookie` is the exception and becomes a list.
json::Value headers_to_json(const net::HeaderList& headers) {
  json::Value object = json::Value::object();
  for (const auto& [name, value] : headers) {
    const std::string text = to_utf8(value);
    const json::Value* before = object.find(name);
    if (before == nullptr) {
      object.set(name, text);
    } else if (lower(name) == "set-cookie") {
      json::Value list = before->is_array() ? *before : json::Value::array({*before});
      list.push_back(text);
      object.set(name, std::move(list));
    } else {
      object.set(name, fmt::format("{}, {}", before->as_string(), text));
    }
  }
  return object;
}

json::Value request_to_json(const net::OutboundRequest& request, const json::Value& secrets) {
  json::Value headers = json::Value::object();
  for (const auto& [name, value] : request.headers) {
    if (!is_credential(name)) headers.set(name, redact(to_utf8(value), secrets));
  }
  return json::Value::object(
      {{"method", request.method}, {"uri", redact(without_userinfo(request.url), secrets)}, {"headers", std::move(headers)}});
}

// Names in `{a,b}` without an operator must have a value: a URL with a hole in it may name something else entirely.
Result<void> check_template(std::string_view text, const json::Value& input) {
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    std::string_view names = text.substr(open + 1, close - open - 1);
    if (names.empty() || std::string_view("+#./;?&").find(names.front()) != std::string_view::npos) continue;
    while (!names.empty()) {
      const std::size_t comma = std::min(names.find(','), names.size());
      const std::string_view name = names.substr(0, comma);
      if (input.get(name).is_null()) {
        return Error(ErrorClass::invalid, "http.template",
                     fmt::format("the URI template {} needs '{}', which the task's input does not have", text, name));
      }
      names.remove_prefix(std::min(comma + 1, names.size()));
    }
  }
  return boost::system::in_place_value;
}

}  // namespace

OutputForm output_form(const json::Value& arguments) {
  const std::string form = text_or(arguments, "output", "content");
  return form == "raw" ? OutputForm::raw : form == "response" ? OutputForm::response : OutputForm::content;
}

bool only_reads(std::string_view method) {
  const std::string name = lower(method);
  return name == "get" || name == "head" || name == "options";
}

void carry_effect(net::OutboundRequest& request, const engine::Invocation& call) {
  request.at_most_once = call.effect == engine::EffectClass::once;
  if (only_reads(request.method) || call.idempotency_key.empty() || net::find_header(request.headers, "Idempotency-Key")) return;
  request.headers.emplace_back("Idempotency-Key", call.idempotency_key);
}

std::string without_userinfo(std::string_view uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos) return std::string(uri);
  const std::size_t authority = scheme + 3;
  const std::size_t end = std::min(uri.find_first_of("/?#", authority), uri.size());
  const std::size_t at = uri.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < authority) return std::string(uri);
  return std::string(uri.substr(0, authority)) + std::string(uri.substr(at + 1));
}

Result<Endpoint> read_endpoint(const json::Value& endpoint, const json::Value& input) {
  const json::Value& uri = endpoint.is_object() ? endpoint.get("uri") : endpoint;
  if (!uri.is_string() || uri.empty())
    return Error(ErrorClass::invalid, "http.endpoint", "the endpoint is no URI (a text, or an object with `uri`)");
  Endpoint result;
  result.authentication = endpoint.get("authentication");
  result.uri = uri.as_string();
  if (result.uri.find('{') == std::string::npos) return result;
  PAWL_TRY_VOID(check_template(result.uri, input));
  const auto lookup = [&input](std::string_view name) -> std::optional<std::string> {
    const json::Value& value = input.get(name);
    if (value.is_null()) return std::nullopt;
    return as_text(value);
  };
  auto expanded = net::expand_template(result.uri, lookup);
  if (expanded.has_error()) return Error(ErrorClass::invalid, "http.template", std::move(expanded).error().message);
  result.uri = std::move(expanded).value();
  return result;
}

Result<std::vector<std::pair<std::string, std::string>>> read_pairs(const json::Value& object, std::string_view what) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (object.is_null()) return pairs;
  if (!object.is_object()) return Error(ErrorClass::invalid, "http.arguments", fmt::format("`{}` is not an object", what));
  for (const json::Member& member : object.members()) {
    if (member.value.is_array()) {
      for (const json::Value& item : member.value.items()) pairs.emplace_back(member.name(), as_text(item));
    } else if (!member.value.is_null()) {
      pairs.emplace_back(member.name(), as_text(member.value));
    }
  }
  return pairs;
}

void set_body(net::OutboundRequest& request, const json::Value& body) {
  if (body.is_null()) return;
  const bool named = net::find_header(request.headers, "content-type").has_value();
  if (body.is_string()) {
    request.body = body.as_string();
    if (!named) request.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    return;
  }
  if (named && body.is_object() && media_type(request.headers) == "application/x-www-form-urlencoded") {
    request.body = net::build_query(read_pairs(body, "body").value());
    return;
  }
  json::append_text(request.body, body);
  if (!named) request.headers.emplace_back("Content-Type", "application/json");
}

Result<json::Value> decode_body(const net::OutboundResponse& response) {
  const std::string type = media_type(response.headers);
  if (is_json(type)) {
    if (response.body.empty()) return json::Value();
    auto value = json::parse(response.body);
    if (value.has_error()) {
      return Error(ErrorClass::internal, "http.content",
                   fmt::format("the response says that it is {}, but it is not: {}", type, value.error().message));
    }
    return value;
  }
  if (is_text(type) && is_utf8(response.body)) return json::Value(response.body);
  return json::Value(to_base64(response.body));
}

engine::Outcome to_outcome(const HttpCall& call, const net::OutboundResponse& response, const json::Value& secrets) {
  if (response.status < 200 || response.status >= 300) {
    const std::string target = redact(without_userinfo(call.request.url), secrets);
    std::string detail = fmt::format("{} {} answered {}", call.request.method, target, response.status);
    if (response.status < 400) {
      const auto location = net::find_header(response.headers, "location");
      if (location) detail += fmt::format(", a redirect to {}", without_userinfo(*location));
    } else if (!response.body.empty() && is_utf8(response.body)) {
      detail += ": " + to_utf8(response.body.substr(0, kPreview));
    }
    return engine::Outcome::failure(
        engine::make_error("communication", response.status, "HTTP call failed", redact(std::move(detail), secrets)));
  }
  if (call.output == OutputForm::raw) return engine::Outcome::success(json::Value(to_base64(response.body)));
  auto content = decode_body(response);
  if (content.has_error())
    return engine::Outcome::failure(engine::make_error("communication", 502, "Malformed response", content.error().message));
  if (call.output == OutputForm::content) return engine::Outcome::success(std::move(content).value());
  return engine::Outcome::success(json::Value::object({{"request", request_to_json(call.request, secrets)},
                                                       {"statusCode", response.status},
                                                       {"headers", headers_to_json(response.headers)},
                                                       {"content", std::move(content).value()}}));
}

}  // namespace pawl::functions
