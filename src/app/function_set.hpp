/// The built-in functions for commands that check documents but run nothing.
#pragma once

#include <memory>

#include "engine/function.hpp"

namespace pawl::app {

class FunctionSet {
 public:
  FunctionSet();
  ~FunctionSet();
  FunctionSet(const FunctionSet&) = delete;
  FunctionSet& operator=(const FunctionSet&) = delete;
  [[nodiscard]] const engine::FunctionRegistry& registry() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::app
