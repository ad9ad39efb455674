/// What the arguments of the protocol calls and of `run` look like: the meaning of the official schema's definitions, as JSON Schema.
#pragma once

#include <string_view>

#include "dsl/detail/json_schema.hpp"

namespace pawl::dsl::detail {

/// `http`, `openapi`, `grpc`, `asyncapi`, `a2a`, `mcp`; `run.container`, `run.script`, `run.shell`, `run.workflow`; `authentication`,
/// `catalog`; `agent` and `agent.tool`. Null for other names.
[[nodiscard]] const JsonSchema* call_shape(std::string_view name);

}  // namespace pawl::dsl::detail
