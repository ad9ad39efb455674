/// Documents to plans: the only way from text to something that runs. Never executes anything; total over all input.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "dsl/plan.hpp"

namespace pawl::dsl {

/// What the language must know of a function to check a call of it. The function registry implements this.
class FunctionCatalog {
 public:
  FunctionCatalog() = default;
  FunctionCatalog(const FunctionCatalog&) = delete;
  FunctionCatalog& operator=(const FunctionCatalog&) = delete;
  virtual ~FunctionCatalog() = default;
  struct Signature {
    std::string name;        ///< canonical, with dashes
    json::Value parameters;  ///< JSON Schema of the arguments; null: anything
  };
  /// `name` with dashes or underscores, without version and catalog. Null where there is none.
  [[nodiscard]] virtual const Signature* find(std::string_view name) const = 0;
  /// All names, for suggestions.
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;
};

struct CompileLimits {
  std::size_t max_bytes = 1U << 20U;
  std::uint32_t max_depth = 64;
  std::uint32_t max_tasks = 5000;
  std::uint32_t max_aliases = 1000;
  std::uint32_t max_findings = 200;
};

/// Reads YAML or JSON text in either form (Open Workflow DSL, task list) and compiles it. All findings in document order; warnings may
/// accompany a plan.
[[nodiscard]] Checked<PlanPtr> compile(std::string_view text, const FunctionCatalog& functions, const CompileLimits& limits = {});
/// The same for a document that is data already; findings then have pointers but no lines.
[[nodiscard]] Checked<PlanPtr> compile_data(const json::Value& document, const FunctionCatalog& functions,
                                            const CompileLimits& limits = {});

}  // namespace pawl::dsl
