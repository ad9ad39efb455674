#include "api/body.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "api/detail/body_size.hpp"
#include "json/parse.hpp"
#include "json/pointer.hpp"

namespace pawl::api {
namespace {

bool is_json(std::string_view type) {
  std::string lower(type);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower == "application/json" || lower.ends_with("+json");
}

Finding finding_at(std::string pointer, std::string message, std::string rule) {
  Finding finding;
  finding.pointer = std::move(pointer);
  finding.message = std::move(message);
  finding.rule = std::move(rule);
  return finding;
}

}  // namespace

Result<json::Value> parse_body(const http::Request& request, bool may_be_empty) {
  if (request.body.empty() && may_be_empty) return json::Value::object();
  if (!is_json(request.content_type())) {
    return Error(ErrorClass::unsupported, "request.media_type", "Send the body as `Content-Type: application/json`.");
  }
  if (detail::has_too_many_values(request.body)) {
    return Error(ErrorClass::too_large, "request.too_many_values",
                 fmt::format("The body has more than {} members and items.", detail::kMaxBodyValues));
  }
  json::ParseLimits limits;
  limits.max_depth = kMaxBodyDepth;
  auto parsed = json::parse(request.body, limits);
  if (parsed.has_error()) {
    auto error = std::move(parsed).error();
    return Error(ErrorClass::invalid, "request.malformed", "The body is not valid JSON: " + error.message, std::move(error.findings));
  }
  return parsed;
}

Fields::Fields(json::Value body) : body_(std::move(body)) {
  known_.reserve(8);
  if (!body_.is_object()) findings_.push_back(finding_at("", "the body must be an object", "type"));
}

const json::Value* Fields::take(std::string_view name) {
  known_.push_back(name);
  return body_.find(name);
}

std::optional<std::string> Fields::text(std::string_view name, std::size_t max_bytes) {
  const auto* member = take(name);
  if (member == nullptr || member->is_null()) return std::nullopt;
  if (!member->is_string()) {
    problem(name, "must be text", "type");
    return std::nullopt;
  }
  if (member->size() > max_bytes) {
    problem(name, fmt::format("must not be longer than {} bytes", max_bytes), "length");
    return std::nullopt;
  }
  return std::string(member->as_string());
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const auto* member = take(name);
  if (member == nullptr || member->is_null()) return std::nullopt;
  if (!member->is_bool()) {
    problem(name, "must be true or false", "type");
    return std::nullopt;
  }
  return member->as_bool();
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const auto* member = take(name);
  if (member == nullptr || member->is_null()) return std::nullopt;
  if (!member->is_integer() || member->as_integer() < min || member->as_integer() > max) {
    problem(name, fmt::format("must be a whole number from {} to {}", min, max), "range");
    return std::nullopt;
  }
  return member->as_integer();
}

std::optional<json::Value> Fields::value(std::string_view name) {
  const auto* member = take(name);
  if (member == nullptr) return std::nullopt;
  return *member;
}

void Fields::unsupported(std::string_view name, std::string_view why) {
  if (take(name) != nullptr) problem(name, std::string(why), "unsupported");
}

void Fields::problem(std::string_view name, std::string message, std::string rule) {
  findings_.push_back(finding_at(json::pointer_child("", name), std::move(message), std::move(rule)));
}

void Fields::require(std::string_view name) {
  if (body_.is_object() && body_.find(name) == nullptr) problem(name, "is required", "required");
}

std::optional<Error> Fields::finish() {
  if (body_.is_object()) {
    for (const auto& member : body_.members()) {
      if (std::find(known_.begin(), known_.end(), member.name()) != known_.end()) continue;
      findings_.push_back(finding_at(json::pointer_child("", member.name()), "is not known here", "unknown-property"));
    }
  }
  if (findings_.empty()) return std::nullopt;
  auto message = fmt::format("The request has {} problem{}.", findings_.size(), findings_.size() == 1 ? "" : "s");
  return Error(ErrorClass::unprocessable, "request.invalid", std::move(message), std::move(findings_));
}

std::optional<std::string_view> Query::text(std::string_view name) {
  known_.push_back(name);
  const auto value = request_.query_value(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

std::uint32_t Query::limit() {
  constexpr std::uint32_t kDefault = 50;
  constexpr std::uint32_t kMax = 200;
  const auto value = text("limit");
  if (!value) return kDefault;
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (failed != std::errc{} || end != value->data() + value->size() || number < 1 || number > kMax) {
    problem("limit", fmt::format("must be a whole number from 1 to {}", kMax));
    return kDefault;
  }
  return number;
}

void Query::problem(std::string_view name, std::string message) {
  findings_.push_back(finding_at(json::pointer_child("/query", name), std::move(message), "query"));
}

std::optional<Error> Query::finish() {
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : request_.query) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) problem(name, "is not a query parameter of this route");
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) problem(name, "is given twice");
    seen.push_back(name);
  }
  if (findings_.empty()) return std::nullopt;
  return Error(ErrorClass::invalid, "request.query", "The query has problems.", std::move(findings_));
}

}  // namespace pawl::api
