#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::SetTask& body) {
  json::Value result;
  if (evaluate(act, body.value, result)) complete_body(act, std::move(result));
}

}  // namespace pawl::engine::detail
