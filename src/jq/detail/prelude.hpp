/// The functions of the language that are written in the language itself.
#pragma once

#include <string_view>

#include "jq/detail/ast.hpp"

namespace pawl::jq::detail {

struct PreludeFunction {
  const Function* function = nullptr;
  bool inlined = false;  // expanded where it is called instead of called: it is not recursive and uses each parameter once or twice
};

/// Nothing (a null function) where there is no such function. Parsed at the first call, immutable from then on.
[[nodiscard]] PreludeFunction find_prelude(std::string_view name, std::size_t arity);
/// Calls `visit(name, arity)` for each.
void list_prelude(void (*visit)(void* context, std::string_view name, std::size_t arity), void* context);

}  // namespace pawl::jq::detail
