// A definition in a request's body.
#pragma once

#include <optional>

#include "api/api.hpp"
#include "api/body.hpp"
#include "catalog/workflow.hpp"

namespace pawl::api::detail {

/// The member `definition`: text, or data. What is wrong with it becomes a finding; nothing where it is missing.
[[nodiscard]] std::optional<catalog::Definition> read_definition(Fields& fields, const Options& options);

}  // namespace pawl::api::detail
