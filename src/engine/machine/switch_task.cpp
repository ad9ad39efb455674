// `switch`: the first case whose condition holds, else the default case (wherever it stands), else the task's own `then`.
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::SwitchTask& body) {
  const dsl::SwitchCase* chosen = nullptr;
  for (const auto& option : body.cases) {
    if (!option.when) {
      if (chosen == nullptr) chosen = &option;
      continue;
    }
    bool holds = false;
    if (!test(act, *option.when, act.input, TaskScope(*this, &act, act.input), holds)) return;
    if (holds) {
      chosen = &option;
      break;
    }
  }
  if (chosen != nullptr) {
    act.flow = chosen->then;
    act.has_flow = true;
  }
  complete_body(act, act.input);
}

}  // namespace pawl::engine::detail
