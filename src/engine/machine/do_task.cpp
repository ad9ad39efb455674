#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::DoTask& /*body*/) { open_list(act, ListRole::body, 0, act.input); }

void Core::ended_in(Activation& act, const dsl::DoTask& /*body*/, Ended& ended) {
  if (ended.ending == Ending::faulted) return propagate(act, std::move(ended.error));
  complete_body(act, std::move(ended.output));
}

}  // namespace pawl::engine::detail
