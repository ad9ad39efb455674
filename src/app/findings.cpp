#include "app/findings.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace pawl::app {
namespace {

std::string_view severity_text(const Finding& finding) { return finding.severity == Severity::error ? "error" : "warning"; }

}  // namespace

std::string finding_line(std::string_view file, const Finding& finding) {
  const auto hint = finding.suggestion.empty() ? std::string() : fmt::format(" (did you mean `{}`?)", finding.suggestion);
  return fmt::format("{}:{}:{}: {}: {}{} [{}]", file, std::max(1U, finding.line), std::max(1U, finding.column), severity_text(finding),
                     finding.message, hint, finding.rule);
}

json::Value finding_json(std::string_view file, const Finding& finding) {
  auto out = json::Value::object({{"file", file},
                                  {"severity", severity_text(finding)},
                                  {"pointer", finding.pointer},
                                  {"line", finding.line},
                                  {"column", finding.column},
                                  {"message", finding.message},
                                  {"rule", finding.rule}});
  if (!finding.suggestion.empty()) out.set("suggestion", finding.suggestion);
  return out;
}

}  // namespace pawl::app
