#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::RaiseTask& body) {
  json::Value problem;
  if (!evaluate(act, body.error, problem)) return;
  if (!problem.is_object()) {
    return fault(act, make_error("expression", 400, "Expression failed", "`raise.error` has to give an error object"));
  }
  fault(act, std::move(problem));
}

}  // namespace pawl::engine::detail
