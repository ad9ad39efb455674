/// The reference pages of functions, written from what they declare: `pawl functions docs` puts them into docs/functions/, a test compares
/// the two.
#pragma once

#include <string>

#include "engine/function.hpp"

namespace pawl::functions {

/// One function as Markdown: what it is for, what it may reach, parameters, output, examples.
[[nodiscard]] std::string reference_page(const engine::Function& function);
/// The table of all functions, with links to their pages.
[[nodiscard]] std::string reference_index(const engine::FunctionRegistry& registry);

}  // namespace pawl::functions
