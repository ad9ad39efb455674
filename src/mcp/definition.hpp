/// The definition of a server's tool: how it is pinned, what of it differs from its pin, and what HTTP fields it asks for.
///
/// A pin is `v1.<text>.<input>.<output>`: three hashes, of what a model reads (name, title, description, annotations), of the schema of the
/// arguments and of that of the results. So a definition that has changed is known by its pin alone, and which part of it as well.
///
/// Pure. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::mcp {

/// `tool`: as a server lists it.
[[nodiscard]] std::string pin_of(const json::Value& tool);
[[nodiscard]] bool is_pin(std::string_view text);
/// What is not as it was pinned, with its present text, in a sentence for a person; empty: nothing. No control characters are in it.
[[nodiscard]] std::string changes_since(std::string_view pin, const json::Value& tool);

/// Whether the definition can be worked with: a name of the protocol's form, an object as schema, a size within reason, fields
/// (`x-mcp-header`) that HTTP can carry. Error `mcp.tool` says what is wrong.
[[nodiscard]] Result<void> check_definition(const json::Value& tool);

/// The HTTP fields (`Mcp-Param-...`) that repeat arguments, for a definition that has been checked.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> mirrored_arguments(const json::Value& tool, const json::Value& arguments);

}  // namespace pawl::mcp
