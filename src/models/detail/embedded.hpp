// Files that are part of the program: prompts and prices, as they lie in the module's folder.
#pragma once

#include <string_view>

namespace pawl::models::detail {

/// By its path in the folder (`prompts/plan.md`); empty where there is none.
[[nodiscard]] std::string_view embedded_file(std::string_view name);

}  // namespace pawl::models::detail
