#include "catalog/detail/definitions.hpp"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/assert.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::catalog::detail {
namespace {

std::vector<dsl::FunctionDefinitionPtr> pinned_functions(const json::Value& list) {
  std::vector<dsl::FunctionDefinitionPtr> functions;
  for (const auto& one : list.items()) {
    const auto text = [&](std::string_view name) { return std::string(one.get(name).as_string()); };
    functions.push_back(std::make_shared<const dsl::FunctionDefinition>(
        dsl::FunctionDefinition{text("name"), text("version"), text("catalog"), text("sha256"), one.get("task")}));
  }
  return functions;
}

}  // namespace

std::string pinned_text(const dsl::Plan& plan) {
  if (plan.functions.empty()) return {};
  auto list = json::Value::array();
  for (const auto& function : plan.functions) {
    list.push_back(json::Value::object({{"name", function->name},
                                        {"version", function->version},
                                        {"catalog", function->catalog},
                                        {"sha256", function->sha256},
                                        {"task", function->task}}));
  }
  return json::to_text(list);
}

Checked<dsl::PlanPtr> compile_definition(const Definition& definition, const dsl::FunctionCatalog& functions, dsl::Source source) {
  if (!definition.functions.empty()) {
    const auto list = json::parse(definition.functions);
    PAWL_ASSERT(list.has_value(), "the catalog has written it");
    Definition written = definition;
    written.functions.clear();
    return compile_definition(written, dsl::PinnedFunctions(pinned_functions(*list), functions), source);
  }
  if (definition.format == Definition::Format::text) return dsl::compile(definition.text, functions, source);
  const auto document = json::parse(definition.text);
  if (document.has_value()) return dsl::compile_data(*document, functions, source);
  Checked<dsl::PlanPtr> out;
  out.findings = document.error().findings;
  return out;
}

Result<dsl::PlanPtr> compile_or_refuse(const Definition& definition, const dsl::FunctionCatalog& functions, dsl::Source source) {
  auto checked = compile_definition(definition, functions, source);
  if (checked.ok()) return std::move(*checked.value);
  Findings errors;
  for (auto& finding : checked.findings) {
    if (finding.severity == Severity::error) errors.push_back(std::move(finding));
  }
  auto message = fmt::format("The definition has {} problem{}.", errors.size(), errors.size() == 1 ? "" : "s");
  return Error(ErrorClass::unprocessable, "workflow.invalid", std::move(message), std::move(errors));
}

}  // namespace pawl::catalog::detail
