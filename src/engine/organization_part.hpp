/// How many runs an organization has under way: what its deletion would cancel.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pawl::storage {
class Session;
}

namespace pawl::engine {

[[nodiscard]] Result<std::int64_t> count_open_runs(storage::Session& session, const OrganizationId& organization);

}  // namespace pawl::engine
