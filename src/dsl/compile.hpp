/// Documents to plans: the only way from text to something that runs. Never executes anything; total over all input.
#pragma once

#include <string>
#include <string_view>
#include <utility>
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
    std::string summary = {};
  };
  /// What calls of a function may do when only some of its arguments are settled and the others are a language model's choice.
  struct Reach {
    bool reads_outside = true;  ///< answers with what comes from outside of the run
    bool acts = true;           ///< changes, sends or starts something, or goes to a place that is not settled
  };
  /// `name` with dashes or underscores, without version and catalog. Null where there is none.
  [[nodiscard]] virtual const Signature* find(std::string_view name) const = 0;
  /// `name` as in `Signature`; `fixed`: object, the arguments that are settled, as written.
  [[nodiscard]] virtual Reach reach(std::string_view /*name*/, const json::Value& /*fixed*/) const { return {}; }
  /// All names, for suggestions.
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;
  /// A function that somebody has written. `version`: empty and `latest` mean the newest. Null where there is none.
  [[nodiscard]] virtual FunctionDefinitionPtr definition(std::string_view /*name*/, std::string_view /*version*/) const { return nullptr; }
  /// A function of a catalog elsewhere whose file has this SHA-256 (hexadecimal). An error says why it cannot be had.
  struct Remote {
    std::string catalog;  ///< its address, as the document has it
    std::string name;
    std::string version;
    std::string sha256;
  };
  [[nodiscard]] virtual Result<FunctionDefinitionPtr> remote(const Remote& /*function*/) const {
    return Error(ErrorClass::unavailable, "remote-catalog", "Functions of catalogs elsewhere are not read here.");
  }
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

/// Reads one task as a function of a catalog, `self` being its name and version as in `greet:1.0.0`: a plan with nothing but that task,
/// whose `document` is the task as data. Functions see their arguments and no secrets, and nothing that the document of a caller defines.
[[nodiscard]] Checked<PlanPtr> compile_function(std::string_view text, const std::string& self, const FunctionCatalog& functions,
                                                const CompileLimits& limits = {});

/// `functions` and nothing else that somebody has written, before the program's own: what a version was saved with goes on to mean the
/// same.
class PinnedFunctions final : public FunctionCatalog {
 public:
  PinnedFunctions(std::vector<FunctionDefinitionPtr> functions, const FunctionCatalog& own) : functions_(std::move(functions)), own_(own) {}
  [[nodiscard]] const Signature* find(std::string_view name) const override;
  [[nodiscard]] Reach reach(std::string_view name, const json::Value& fixed) const override { return own_.reach(name, fixed); }
  [[nodiscard]] FunctionDefinitionPtr definition(std::string_view name, std::string_view version) const override;
  [[nodiscard]] Result<FunctionDefinitionPtr> remote(const Remote& function) const override;
  [[nodiscard]] std::vector<std::string> names() const override;

 private:
  std::vector<FunctionDefinitionPtr> functions_;  // in any order
  const FunctionCatalog& own_;
};

}  // namespace pawl::dsl
