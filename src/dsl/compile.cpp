#include "dsl/compile.hpp"

#include "dsl/detail/compiler.hpp"
#include "yaml/yaml.hpp"

namespace pawl::dsl {
namespace {

Checked<PlanPtr> compile_document(const yaml::Document& document, std::string_view text, const FunctionCatalog& functions,
                                  const CompileLimits& limits, Findings before) {
  detail::Reporter reporter(document, text, limits.max_findings);
  for (const Finding& finding : before) reporter.keep(finding);
  Plan plan = detail::Compiler(document, reporter, functions, limits).run();
  Checked<PlanPtr> result;
  result.findings = reporter.finish();
  if (!has_errors(result.findings)) result.value = std::make_shared<const Plan>(std::move(plan));
  return result;
}

}  // namespace

Checked<PlanPtr> compile(std::string_view text, const FunctionCatalog& functions, const CompileLimits& limits) {
  yaml::Limits reading;
  reading.max_bytes = limits.max_bytes;
  reading.max_depth = limits.max_depth;
  reading.max_aliases = limits.max_aliases;
  Checked<yaml::Document> document = yaml::parse(text, reading);
  if (!document.value) return {std::nullopt, std::move(document.findings)};
  return compile_document(*document.value, text, functions, limits, std::move(document.findings));
}

Checked<PlanPtr> compile_data(const json::Value& document, const FunctionCatalog& functions, const CompileLimits& limits) {
  if (document.depth() > limits.max_depth) {
    Findings findings;
    findings.push_back({Severity::error, "", 0, 0, "Values are nested more than " + std::to_string(limits.max_depth) + " levels deep.",
                        "document-limit", ""});
    return {std::nullopt, std::move(findings)};
  }
  return compile_document(yaml::Document{document}, {}, functions, limits, {});
}

}  // namespace pawl::dsl
