/// One task alone, and the shapes that it shares with runs and workflows.
#pragma once

#include <vector>

#include "api/route.hpp"

namespace pawl::api::detail {

[[nodiscard]] std::vector<Route> task_test_routes();

[[nodiscard]] Shape definition_shape();  ///< of workflows
[[nodiscard]] Shape task_run_shape();    ///< of runs

}  // namespace pawl::api::detail
