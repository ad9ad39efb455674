#include "http/problem.hpp"

#include <algorithm>
#include <string>

#include "json/write.hpp"

namespace pawl::http {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  json::append_quoted(out, text);
}

void append_finding(std::string& out, const Finding& finding) {
  out += "{\"pointer\":";
  json::append_quoted(out, finding.pointer);
  append_member(out, "message", finding.message);
  append_member(out, "severity", finding.severity == Severity::error ? "error" : "warning");
  if (finding.line != 0) out += ",\"line\":" + std::to_string(finding.line) + ",\"column\":" + std::to_string(finding.column);
  if (!finding.rule.empty()) append_member(out, "rule", finding.rule);
  if (!finding.suggestion.empty()) append_member(out, "suggestion", finding.suggestion);
  out += '}';
}

/// What the database says of a conflict names its statements and columns.
std::string_view shown_detail(const Error& error) {
  if (error.code != "storage.constraint") return error.message;
  return "This does not fit what is stored, or not any more: read it again.";
}

/// Types are written with hyphens, as the contract has them (`invalid-credentials`); codes are not.
std::string type_of(const Error& error) {
  auto type = "urn:pawl:error:" + error.code;
  std::replace(type.begin(), type.end(), '_', '-');
  return type;
}

}  // namespace

Response problem(const Error& error, std::string_view instance, std::string_view request_id, int status) {
  if (status == 0) status = http_status(error.kind);
  std::string text = "{\"type\":";
  json::append_quoted(text, type_of(error));
  append_member(text, "title", title_of(error.kind));
  text += ",\"status\":" + std::to_string(status);
  append_member(text, "detail", shown_detail(error));
  append_member(text, "instance", instance);
  append_member(text, "code", error.code);
  append_member(text, "request_id", request_id);
  if (!error.findings.empty()) {
    text += ",\"errors\":[";
    for (const auto& finding : error.findings) {
      if (text.back() != '[') text += ',';
      append_finding(text, finding);
    }
    text += ']';
  }
  text += '}';
  Response response(status, "application/problem+json", std::move(text));
  if (status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  return response;
}

Response problem(const Error& error, const Request& request) { return problem(error, request.path, request.request_id); }

}  // namespace pawl::http
