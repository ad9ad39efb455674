/// One task of a definition as a document of its own: what a test of a single task compiles and runs.
///
/// The task stands there as it was written, with the `use` block that it may refer to. What it would find around it is given instead: its
/// raw input, `$context`, and the variables that tasks around it bind (`for`, `catch`, `foreach`). The tasks beside it that a `then` or
/// `switch` may name are there as places to arrive at: they do nothing and end the run. Of a task list the outputs of other tasks are
/// given, as members of the input beside `input`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

/// What the task is to find. `variables` is an object; those that it does not name are null.
struct Given {
  json::Value input;
  json::Value context;
  json::Value variables;
};

struct Excerpt {
  json::Value document;
  json::Value input;                    ///< of the document's run
  std::string reference;                ///< of the task in the document
  std::vector<std::string> variables;   ///< that the tasks around it bind, outermost first
  std::vector<std::string> neighbours;  ///< references of the places to arrive at
};

/// `reference` as in the plan. Error `workflow.unknown_task` (422), also for copies of functions and extensions and for what stands
/// inside of a task of a task list.
[[nodiscard]] Result<Excerpt> excerpt(const Plan& plan, std::string_view reference, const Given& given);

}  // namespace pawl::dsl
