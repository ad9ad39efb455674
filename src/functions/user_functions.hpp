/// Functions that users have written: tasks in files, which workflows call by name as they call the program's own.
///
///     PLUGIN_DIRECTORY/                       # a catalog, as the language lays it out
///       functions/greet/1.0.0/function.yaml   # call: greet, call: greet:1.0.0
///       functions/greet/1.1.0/function.yaml
///
/// A file holds one task of the language, as a member of `use.functions` does; its `input.schema` and `output.schema` say what it takes and
/// gives, `metadata.summary` and `metadata.examples` what it is for. It may call the program's functions and others of the folder, not
/// itself; it sees its arguments and no secrets. A call of it is compiled into the workflow, so its steps are journaled, checked and
/// permitted as if they stood there, and a version of a workflow keeps the functions that it was saved with.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "dsl/compile.hpp"
#include "engine/function.hpp"

namespace pawl::functions {

inline constexpr std::size_t kMaxFunctionBytes = 256U << 10U;  ///< of a file

struct FileFinding {
  std::string file;  ///< below the folder, such as `functions/greet/1.0.0/function.yaml`
  Finding finding;
};

struct LoadedFunctions {
  std::vector<engine::UserFunction> functions;
  std::vector<FileFinding> findings;  ///< of files with faults, with their place; the others are not disturbed
};

/// Reads the folder. Of a file that has become faulty, what `registry` has of it stays in use until it is sound again or gone; links are
/// not followed. `folder` empty: none. Reads files.
[[nodiscard]] LoadedFunctions load_user_functions(const std::string& folder, const engine::FunctionRegistry& registry);

/// Small letters, digits and inner dashes, beginning with a letter; 63 at most.
[[nodiscard]] bool is_function_name(std::string_view text);
/// Hexadecimal.
[[nodiscard]] std::string sha256_of(std::string_view text);
/// The task that the file holds, with the digest of the file.
[[nodiscard]] Checked<dsl::FunctionDefinition> read_definition(std::string_view text);

/// A user function as the page of `pawl functions show`: what it takes, and what it may reach.
[[nodiscard]] std::string user_function_page(const engine::UserFunction& function);

}  // namespace pawl::functions
