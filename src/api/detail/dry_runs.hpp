// Dry runs that an agent asks for, and how replies show them.
#pragma once

#include "agents/rehearsal.hpp"
#include "api/detail/context.hpp"
#include "api/shape.hpp"

namespace pawl::api::detail {

inline constexpr std::size_t kMostTasks = 200;

[[nodiscard]] inline agents::Rehearsal rehearsal(const Context& context) {
  return agents::Rehearsal({context.d.engine, context.d.catalog, context.d.pool, context.d.secrets});
}

/// What `agents::to_json` makes.
[[nodiscard]] inline Shape dry_run_shape() {
  const auto plan = Shape::any(json::Value::array({json::Value::object({{"action", "request"}})}));
  const auto task = Shape::object(
      "DryRunTask", {{"task", Shape::text("fetch", 1000)},
                     {"reference", Shape::text("/do/0/fetch", 10'000)},
                     {"type", Shape::text("call")},
                     {"status", Shape::text("completed")},
                     {"plan", Shape::any(plan.example()).described("What it would do; null where it does nothing outside.")}});
  return Shape::object("DryRun",
                       {{"run_id", Shape::id()},
                        {"status", Shape::text("completed")},
                        {"error", Shape::any(nullptr)},
                        {"conclusive", Shape::boolean(true).described("False: it could not go on over an answer that was only planned.")},
                        {"tasks", Shape::array(task, 1000)}});
}

}  // namespace pawl::api::detail
