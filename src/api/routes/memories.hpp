/// The rows of memories.cpp, a part of the theme of agents.
#pragma once

#include <vector>

#include "api/route.hpp"

namespace pawl::api::detail {

[[nodiscard]] std::vector<Route> memory_routes();

}  // namespace pawl::api::detail
