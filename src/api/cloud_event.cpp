#include "api/cloud_event.hpp"

#include "api/body.hpp"
#include "api/detail/body_size.hpp"
#include "base/time.hpp"
#include "base/utf8.hpp"
#include "json/parse.hpp"
#include "json/pointer.hpp"

namespace pawl::api {
namespace {

constexpr std::size_t kMaxAttribute = 1024;

bool is_attribute_name(std::string_view name) {
  if (name.empty() || name.size() > 40) return false;
  for (const char c : name) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') return false;
  }
  return true;
}

void add_finding(Findings& findings, std::string_view name, std::string message) {
  Finding finding;
  finding.pointer = json::pointer_child("", name);
  finding.message = std::move(message);
  finding.rule = "cloud-event";
  findings.push_back(std::move(finding));
}

Result<json::Value> check(json::Value event) {
  Findings findings;
  for (const std::string_view name : {"id", "source", "type"}) {
    const auto& value = event.get(name);
    if (!value.is_string() || value.empty()) add_finding(findings, name, "is required: text that is not empty");
  }
  if (event.find("specversion") == nullptr) event.set("specversion", "1.0");
  if (event.get("specversion") != json::Value("1.0")) add_finding(findings, "specversion", "must be \"1.0\"");
  for (const auto& member : event.members()) {
    if (member.value.is_string() && !is_utf8(member.value.as_string())) {
      add_finding(findings, to_utf8(std::string(member.name())), "is not UTF-8");
    } else if (!is_attribute_name(member.name())) {
      add_finding(findings, member.name(), "is not an attribute name: lower-case letters and digits");
    } else if (member.name() != "data" && member.value.is_string() && member.value.size() > kMaxAttribute) {
      add_finding(findings, member.name(), "is longer than 1024 bytes");
    }
  }
  if (const auto& time = event.get("time"); !time.is_null() && (!time.is_string() || !parse_rfc3339(time.as_string()))) {
    add_finding(findings, "time", "must be an RFC 3339 time");
  }
  if (findings.empty()) return event;
  return Error(ErrorClass::unprocessable, "event.invalid", "The event is not a CloudEvent 1.0.", std::move(findings));
}

Result<json::Value> read_binary(const http::Request& request) {
  auto event = json::Value::object();
  for (const auto field : request.headers) {
    if (field.name.size() <= 3 || !http::equals_ignoring_case(field.name.substr(0, 3), "ce-")) continue;
    std::string name(field.name.substr(3));
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    event.set(name, field.value);
  }
  if (request.body.empty()) return check(std::move(event));
  const auto type = request.content_type();
  event.set("datacontenttype", type.empty() ? std::string_view("application/json") : type);
  if (type.empty() || http::equals_ignoring_case(type, "application/json") || type.ends_with("+json")) {
    if (detail::has_too_many_values(request.body)) {
      return Error(ErrorClass::too_large, "request.too_many_values", "The body has too many members and items.");
    }
    json::ParseLimits limits;
    limits.max_depth = kMaxBodyDepth;
    auto data = json::parse(request.body, limits);
    if (data.has_error()) {
      return Error(ErrorClass::invalid, "request.malformed", "The body is not valid JSON: " + data.error().message, data.error().findings);
    }
    event.set("data", std::move(*data));
  } else if (type.starts_with("text/")) {
    event.set("data", request.body);
  } else {
    return Error(ErrorClass::unsupported, "request.media_type", "Event data must be JSON or text.");
  }
  return check(std::move(event));
}

}  // namespace

Result<json::Value> read_cloud_event(const http::Request& request) {
  if (request.headers.contains("ce-id") || request.headers.contains("ce-type") || request.headers.contains("ce-source"))
    return read_binary(request);
  if (http::equals_ignoring_case(request.content_type(), "application/cloudevents-batch+json")) {
    return Error(ErrorClass::unsupported, "request.media_type", "Send one event at a time: batches are not taken.");
  }
  PAWL_TRY(event, parse_body(request));
  if (!event.is_object()) return Error(ErrorClass::unprocessable, "event.invalid", "The event must be an object.");
  return check(std::move(event));
}

}  // namespace pawl::api
