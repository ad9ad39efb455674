/// Small random workflows, the same for the same seed.
#pragma once

#include <random>
#include <string>

#include "json/value.hpp"

namespace pawl::simulation {

/// A generator of numbers whose sequence is the same on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t next() { return engine_(); }
  [[nodiscard]] std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(engine_() % limit); }
  [[nodiscard]] bool chance(std::uint32_t percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

/// A document whose output depends on nothing but its input, whatever the timing. Its steps call `step` (simulation.cpp), and it may run
/// `child` as a workflow of its own, wait, listen for `ping`, and emit `ping`.
[[nodiscard]] json::Value random_workflow(Dice& dice, bool with_children);

}  // namespace pawl::simulation
