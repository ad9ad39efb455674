/// Documents that were accepted once: a version that is stored goes on to run after an upgrade.
///
/// What a later release takes for an error in what is saved is a warning here, where an earlier release let it pass until the call began: a
/// member of `call: mcp` that nobody knows. Such a call faults when it is reached, as it did. Everything else is as in `dsl/compile.hpp`,
/// which is for what people save.
#pragma once

#include <string_view>

#include "dsl/compile.hpp"

namespace pawl::dsl {

[[nodiscard]] Checked<PlanPtr> compile_stored(std::string_view text, const FunctionCatalog& functions);
[[nodiscard]] Checked<PlanPtr> compile_stored_data(const json::Value& document, const FunctionCatalog& functions);

}  // namespace pawl::dsl
