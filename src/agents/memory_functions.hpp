/// `memory-read` and `memory-write`: how an agent's `memory.stored` is read before its first turn and written at its end. The machine calls
/// them as steps; a workflow may call them itself. They reach nothing but the organization's own memories.
#pragma once

#include <functional>

#include "agents/memories.hpp"
#include "async/blocking_pool.hpp"
#include "engine/engine.hpp"
#include "engine/function.hpp"

namespace pawl::agents {

struct MemoryFunctions {
  Memories* memories = nullptr;  ///< null: nothing is kept here (a command that only checks documents)
  async::BlockingPool* pool = nullptr;
  const Clock* clock = nullptr;
  /// Of a run: who started it and when it began, and where it came from. Asked when something is written.
  std::function<void(const OrganizationId&, const RunId&, engine::Engine::Viewed)> view{};
};

void add_memory_functions(engine::FunctionRegistry& registry, MemoryFunctions parts);

}  // namespace pawl::agents
