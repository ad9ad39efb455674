#include "functions/detail/openapi_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/utf8.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/openapi_parameters.hpp"
#include "json/parse.hpp"
#include "json/pointer.hpp"
#include "yaml/yaml.hpp"

namespace pawl::functions {
namespace {

constexpr std::array kMethods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"};
constexpr int kMaxReferences = 16;
constexpr std::size_t kShownNames = 20;

Error bad_document(std::string message) { return {ErrorClass::invalid, "openapi.document", std::move(message)}; }

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

// `https://host:port`
std::string_view origin_of(std::string_view uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos) return {};
  return uri.substr(0, uri.find_first_of("/?#", scheme + 3));
}

std::string without_dots(std::string_view path) {
  std::vector<std::string_view> segments;
  std::string_view rest = path.substr(1);
  bool folder = false;
  while (true) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    folder = segment.empty() || segment == "." || segment == "..";
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  std::string result;
  for (const std::string_view segment : segments) result += fmt::format("/{}", segment);
  if (folder || result.empty()) result += '/';
  return result;
}

std::string join_path(std::string base, std::string_view path) {
  while (base.ends_with('/')) base.pop_back();
  return path.starts_with('/') ? base + std::string(path) : fmt::format("{}/{}", base, path);
}

}  // namespace

std::string resolve_reference(std::string_view base, std::string_view reference) {
  if (reference.starts_with("http://") || reference.starts_with("https://")) return std::string(reference);
  const std::string_view origin = origin_of(base);
  if (reference.starts_with("//")) return fmt::format("{}:{}", base.substr(0, base.find(':')), reference);
  std::string_view path = base.substr(origin.size());
  path = path.substr(0, path.find_first_of("?#"));
  if (reference.starts_with('/')) return std::string(origin) + without_dots(reference);
  if (reference.empty()) return std::string(origin) + std::string(path);
  const std::size_t slash = path.rfind('/');
  const std::string folder(slash == std::string_view::npos ? "/" : path.substr(0, slash + 1));
  return std::string(origin) + without_dots(folder + std::string(reference));
}

Result<OpenApiDocument> OpenApiDocument::parse(std::string_view text, std::string uri) {
  OpenApiDocument document;
  document.uri_ = std::move(uri);
  if (!is_utf8(text)) return bad_document(fmt::format("{} is not text", document.uri_));
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    auto value = json::parse(text);
    if (value.has_error()) return bad_document(fmt::format("{} is not an OpenAPI document: {}", document.uri_, value.error().message));
    document.document_ = std::move(value).value();
  } else {
    auto value = yaml::parse(text, {.max_bytes = 16U << 20U, .max_depth = 200, .max_nodes = 1'000'000});
    if (!value.ok()) {
      const std::string why = value.findings.empty() ? "it is empty" : value.findings.front().message;
      return bad_document(fmt::format("{} is not an OpenAPI document: {}", document.uri_, why));
    }
    document.document_ = std::move(value.value->value);
  }
  document.version2_ = as_text(document.document_.get("swagger")).starts_with("2");
  const bool version3 = as_text(document.document_.get("openapi")).starts_with("3");
  if ((!document.version2_ && !version3) || !document.document_.get("paths").is_object()) {
    return bad_document(fmt::format("{} is not an OpenAPI document of version 2.0 or 3", document.uri_));
  }
  return document;
}

const json::Value& OpenApiDocument::resolved(const json::Value& value) const {
  const json::Value* current = &value;
  for (int i = 0; i < kMaxReferences; ++i) {
    const json::Value& reference = current->get("$ref");
    if (!reference.is_string() || !reference.as_string().starts_with("#/")) break;
    const json::Value* target = json::resolve(document_, reference.as_string().substr(1));
    if (target == nullptr) break;
    current = target;
  }
  return *current;
}

Result<OpenApiDocument::Operation> OpenApiDocument::find(std::string_view operation_id) const {
  std::string known;
  std::size_t count = 0;
  for (const json::Member& path : document_.get("paths").members()) {
    const json::Value& item = resolved(path.value);
    for (const char* method : kMethods) {
      const json::Value& operation = item.get(method);
      const json::Value& id = operation.get("operationId");
      if (!id.is_string()) continue;
      if (id.as_string() == operation_id) return Operation{std::string(path.name()), method, item, operation};
      if (count++ < kShownNames) known += fmt::format("{}{}", known.empty() ? "" : ", ", id.as_string());
    }
  }
  return Error(ErrorClass::invalid, "openapi.operation",
               fmt::format("{} has no operation '{}'; it has {}{}", uri_, operation_id, known.empty() ? "none with an id" : known,
                           count > kShownNames ? ", ..." : ""));
}

Result<std::string> OpenApiDocument::method_of(std::string_view operation_id) const {
  PAWL_TRY(operation, find(operation_id));
  return upper(operation.method);
}

Result<std::string> OpenApiDocument::base_uri(const Operation& operation) const {
  if (version2_) {
    const std::string_view origin = origin_of(uri_);
    std::string scheme(origin.substr(0, origin.find(':')));
    const json::Value& schemes =
        operation.operation.get("schemes").is_array() ? operation.operation.get("schemes") : document_.get("schemes");
    if (schemes.is_array() && !schemes.empty()) {
      const auto offers = [&](std::string_view wanted) {
        return std::any_of(schemes.items().begin(), schemes.items().end(), [&](const json::Value& one) { return as_text(one) == wanted; });
      };
      if (!offers(scheme)) scheme = offers("https") ? "https" : as_text(schemes.at(0));
    }
    const std::size_t host_at = origin.find("://");
    const std::string host = text_or(document_, "host", host_at == std::string_view::npos ? "" : origin.substr(host_at + 3));
    return fmt::format("{}://{}{}", scheme, host, join_path("", text_or(document_, "basePath", "/")));
  }
  const json::Value* server = nullptr;
  for (const json::Value* holder : {&operation.operation, &operation.item, &document_}) {
    const json::Value& servers = holder->get("servers");
    if (!servers.is_array() || servers.empty()) continue;
    server = &servers.at(0);
    break;
  }
  std::string url = server == nullptr ? "/" : text_or(*server, "url", "/");
  if (server != nullptr && server->get("variables").is_object()) {
    for (const json::Member& variable : server->get("variables").members()) {
      const std::string hole = fmt::format("{{{}}}", variable.name());
      const std::string value = as_text(variable.value.get("default"));
      for (std::size_t at = url.find(hole); at != std::string::npos; at = url.find(hole, at + value.size()))
        url.replace(at, hole.size(), value);
    }
  }
  if (url.find('{') != std::string::npos)
    return bad_document(fmt::format("the server {} of {} has a variable without a default", url, uri_));
  return resolve_reference(uri_, url);
}

std::vector<json::Value> OpenApiDocument::parameters_of(const Operation& operation) const {
  std::vector<json::Value> result;
  const auto add = [&](const json::Value& list) {
    if (!list.is_array()) return;
    for (const json::Value& item : list.items()) {
      const json::Value& parameter = resolved(item);
      const auto same = std::find_if(result.begin(), result.end(), [&](const json::Value& one) {
        return one.get("name") == parameter.get("name") && one.get("in") == parameter.get("in");
      });
      if (same == result.end()) {
        result.push_back(parameter);
      } else {
        *same = parameter;
      }
    }
  };
  add(operation.item.get("parameters"));
  add(operation.operation.get("parameters"));
  return result;
}

Result<net::OutboundRequest> OpenApiDocument::request(std::string_view operation_id, const json::Value& parameters) const {
  PAWL_TRY(operation, find(operation_id));
  PAWL_TRY(base, base_uri(operation));
  ParameterWriter writer(parameters, version2_);
  for (const json::Value& parameter : parameters_of(operation)) PAWL_TRY_VOID(writer.add(parameter));
  if (version2_) {
    const json::Value& own = operation.operation.get("consumes");
    PAWL_TRY_VOID(writer.add_version2_body(own.is_array() ? own : document_.get("consumes")));
  } else if (operation.operation.find("requestBody") != nullptr) {
    PAWL_TRY_VOID(writer.add_body(resolved(operation.operation.get("requestBody"))));
  }
  PAWL_TRY_VOID(writer.check_all_used());
  PAWL_TRY(request, writer.finish(join_path(std::move(base), operation.path)));
  request.method = upper(operation.method);
  return request;
}

}  // namespace pawl::functions
