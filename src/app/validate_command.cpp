#include <fmt/core.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/files.hpp"
#include "app/findings.hpp"
#include "app/function_set.hpp"
#include "dsl/compile.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

Findings check_file(const std::string& file, const dsl::FunctionCatalog& functions) {
  const auto text = read_file(file);
  if (text.has_value()) return dsl::compile(*text, functions).findings;
  Finding unreadable;
  unreadable.message = text.error().message;
  unreadable.rule = "file";
  return {std::move(unreadable)};
}

}  // namespace

int run_validate(const CommonOptions&, const ValidateOptions& options) {
  const FunctionSet functions;
  auto found = json::Value::array();
  bool failed = false;
  for (const auto& file : options.files) {
    const auto findings = check_file(file, functions.registry());
    failed |= has_errors(findings);
    for (const auto& finding : findings) {
      if (options.json) {
        found.push_back(finding_json(file, finding));
      } else {
        fmt::print("{}\n", finding_line(file, finding));
      }
    }
  }
  if (options.json) fmt::print("{}\n", json::to_text(json::Value::object({{"valid", !failed}, {"findings", std::move(found)}})));
  return failed ? kUsage : kOk;
}

}  // namespace pawl::app
