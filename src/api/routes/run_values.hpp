/// Routes about what a run holds: the run without what is large in it, each of its values alone, and the attempts of its tasks.
///
/// Handlers and their shapes for the table in `runs.cpp`; they keep nothing, and `context` outlives them.
#pragma once

#include <vector>

#include "api/detail/context.hpp"
#include "api/route.hpp"

namespace pawl::api::detail {

void get_run(Context& context, Call call);
void get_run_value(Context& context, Call call);
void list_run_attempts(Context& context, Call call);

[[nodiscard]] std::vector<Parameter> run_parameters();
[[nodiscard]] std::vector<Parameter> run_value_parameters();
[[nodiscard]] Shape run_value_shape();
[[nodiscard]] Shape left_out_shape();
[[nodiscard]] std::vector<Parameter> run_attempt_parameters();
[[nodiscard]] Shape run_attempts_shape();

}  // namespace pawl::api::detail
