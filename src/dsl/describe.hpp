/// A plan as a drawing: what `POST /api/workflows/validate` answers as `graph` and the editor shows.
#pragma once

#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

/// `{nodes: [{id, name, type, parent?}], edges: [{from, to, label?}]}`. `id` is the task's reference; `parent` the reference of the task
/// that holds it. Edges run between tasks of one list: the next task, the targets of `then` (label: the directive's condition or case),
/// and dependencies of a task list. `to` is `end` where the run ends there. Copies (functions, extensions) are not drawn.
[[nodiscard]] json::Value graph(const Plan& plan);

}  // namespace pawl::dsl
