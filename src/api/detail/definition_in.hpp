// A definition in a request's body.
#pragma once

#include <cstddef>
#include <optional>

#include "api/api.hpp"
#include "api/body.hpp"
#include "catalog/workflow.hpp"

namespace pawl::api::detail {

/// Of a workflow, in bytes.
inline constexpr std::size_t kMaxWorkflowDescription = 10'000;

/// The member `definition`: text, or data. What is wrong with it becomes a finding; nothing where it is missing.
[[nodiscard]] std::optional<catalog::Definition> read_definition(Fields& fields, const Options& options);

}  // namespace pawl::api::detail
