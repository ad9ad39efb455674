// From what somebody wrote to a plan: compiling definitions, with the user functions that a version was saved with.
//
// A version of a workflow keeps what it was saved with: the user functions that its document names are written into
// `Definition::functions`, and a definition that has them is compiled with these instead of what stands in the catalogs now.
#pragma once

#include <string>

#include "base/error.hpp"
#include "catalog/workflow.hpp"
#include "dsl/compile_stored.hpp"

namespace pawl::catalog::detail {

/// The plan, or all findings.
[[nodiscard]] Checked<dsl::PlanPtr> compile_definition(const Definition& definition, const dsl::FunctionCatalog& functions,
                                                       dsl::Source source = dsl::Source::written);
/// The same for those who need a plan. Error `workflow.invalid` (422) with the errors among the findings.
[[nodiscard]] Result<dsl::PlanPtr> compile_or_refuse(const Definition& definition, const dsl::FunctionCatalog& functions,
                                                     dsl::Source source = dsl::Source::written);
/// What of the plan was written by somebody and may change, for `Definition::functions`.
[[nodiscard]] std::string pinned_text(const dsl::Plan& plan);

}  // namespace pawl::catalog::detail
