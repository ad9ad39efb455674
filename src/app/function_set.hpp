/// The built-in functions for commands that check documents but run nothing.
#pragma once

#include <memory>

#include "config/config.hpp"
#include "engine/function.hpp"

namespace pawl::app {

class FunctionSet {
 public:
  /// Without `config` the program's own functions only. With it those of the folder of user functions too, what is wrong with one of them
  /// going to standard error, and those of catalogs elsewhere, fetched when a document is compiled that calls them.
  explicit FunctionSet(const config::Config* config = nullptr);
  ~FunctionSet();
  FunctionSet(const FunctionSet&) = delete;
  FunctionSet& operator=(const FunctionSet&) = delete;
  [[nodiscard]] const engine::FunctionRegistry& registry() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::app
