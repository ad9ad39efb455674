/// Documents that were accepted once: a version that is stored goes on to run after an upgrade.
///
/// What a later release takes for an error in what is saved is a warning in what is stored, where an earlier release let it pass until the
/// call began: a member of `call: mcp` that nobody knows. Such a call faults when it is reached, as it did. Everything else is the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dsl/compile.hpp"

namespace pawl::dsl {

/// What is compiled: what somebody wants saved (`dsl/compile.hpp` takes everything for that), or a version that is.
enum class Source : std::uint8_t { written, stored };

[[nodiscard]] Checked<PlanPtr> compile(std::string_view text, const FunctionCatalog& functions, Source source);
[[nodiscard]] Checked<PlanPtr> compile_data(const json::Value& document, const FunctionCatalog& functions, Source source);
[[nodiscard]] Checked<PlanPtr> compile_function(std::string_view text, const std::string& self, const FunctionCatalog& functions,
                                                Source source);

}  // namespace pawl::dsl
