#include "dsl/compile.hpp"

#include <algorithm>

#include "dsl/compile_stored.hpp"
#include "dsl/detail/compiler.hpp"
#include "dsl/written_function.hpp"
#include "yaml/yaml.hpp"

namespace pawl::dsl {
namespace {

struct Reading {
  const std::string* function = nullptr;  ///< its name and version where the document is a function of a catalog
  Source source = Source::written;
};

Checked<PlanPtr> compile_document(const yaml::Document& document, std::string_view text, const FunctionCatalog& functions,
                                  const CompileLimits& limits, Findings before, const Reading& how) {
  detail::Reporter reporter(document, text, limits.max_findings);
  for (const Finding& finding : before) reporter.keep(finding);
  detail::Compiler compiler(document, reporter, functions, limits, how.source);
  Plan plan = how.function != nullptr ? compiler.run_function(*how.function) : compiler.run();
  Checked<PlanPtr> result;
  result.findings = reporter.finish();
  if (!has_errors(result.findings)) result.value = std::make_shared<const Plan>(std::move(plan));
  return result;
}

Checked<PlanPtr> compile_text(std::string_view text, const FunctionCatalog& functions, const CompileLimits& limits, const Reading& how) {
  yaml::Limits reading;
  reading.max_bytes = limits.max_bytes;
  reading.max_depth = limits.max_depth;
  reading.max_aliases = limits.max_aliases;
  Checked<yaml::Document> document = yaml::parse(text, reading);
  if (!document.value) return {std::nullopt, std::move(document.findings)};
  return compile_document(*document.value, text, functions, limits, std::move(document.findings), how);
}

Checked<PlanPtr> compile_value(const json::Value& document, const FunctionCatalog& functions, const CompileLimits& limits,
                               const Reading& how) {
  if (document.depth() > limits.max_depth) {
    Findings findings;
    findings.push_back({Severity::error, "", 0, 0, "Values are nested more than " + std::to_string(limits.max_depth) + " levels deep.",
                        "document-limit", ""});
    return {std::nullopt, std::move(findings)};
  }
  return compile_document(yaml::Document{document}, {}, functions, limits, {}, how);
}

}  // namespace

Checked<PlanPtr> compile(std::string_view text, const FunctionCatalog& functions, const CompileLimits& limits) {
  return compile_text(text, functions, limits, {});
}

Checked<PlanPtr> compile_function(std::string_view text, const std::string& self, const FunctionCatalog& functions,
                                  const CompileLimits& limits) {
  return compile_text(text, functions, limits, {.function = &self});
}

Checked<PlanPtr> compile_data(const json::Value& document, const FunctionCatalog& functions, const CompileLimits& limits) {
  return compile_value(document, functions, limits, {});
}

Checked<PlanPtr> compile_function(std::string_view text, const std::string& self, const FunctionCatalog& functions, Source source) {
  return compile_text(text, functions, {}, {.function = &self, .source = source});
}

Checked<PlanPtr> compile(std::string_view text, const FunctionCatalog& functions, Source source) {
  return compile_text(text, functions, {}, {.source = source});
}

Checked<PlanPtr> compile_data(const json::Value& document, const FunctionCatalog& functions, Source source) {
  return compile_value(document, functions, {}, {.source = source});
}

namespace {

bool is_called(const FunctionDefinition& function, std::string_view name, std::string_view version) {
  const auto same = [](char a, char b) { return a == b || (a == '-' && b == '_'); };
  return std::equal(function.name.begin(), function.name.end(), name.begin(), name.end(), same) &&
         (version.empty() || version == "latest" || version == function.version);
}

}  // namespace

const FunctionCatalog::Signature* PinnedFunctions::find(std::string_view name) const {
  const auto plain = name.substr(0, name.find_first_of(":@"));
  return definition(plain, {}) == nullptr ? own_.find(name) : nullptr;
}

FunctionDefinitionPtr PinnedFunctions::definition(std::string_view name, std::string_view version) const {
  // They are listed as the document calls them; without a version the newest is meant, as it was when they were saved.
  FunctionDefinitionPtr found;
  for (const auto& function : functions_) {
    if (!function->catalog.empty() || !is_called(*function, name, version)) continue;
    if (found == nullptr || is_newer_version(function->version, found->version)) found = function;
  }
  return found;
}

Result<FunctionDefinitionPtr> PinnedFunctions::remote(const Remote& wanted) const {
  for (const auto& function : functions_) {
    if (function->catalog == wanted.catalog && function->sha256 == wanted.sha256 && function->name == wanted.name &&
        function->version == wanted.version)
      return function;
  }
  return FunctionCatalog::remote(wanted);
}

std::vector<std::string> PinnedFunctions::names() const {
  auto names = own_.names();
  for (const auto& function : functions_) names.push_back(function->name);
  return names;
}

}  // namespace pawl::dsl
