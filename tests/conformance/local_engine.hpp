/// A whole engine in this process on a temporary database, with every built-in function, for tests that speak in workflows.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine.hpp"

namespace pawl::conformance {

/// Public hosts that documents name, and the local server that stands in for them: `https://petstore.swagger.io` ->
/// `http://127.0.0.1:PORT`.
using HostMap = std::map<std::string, std::string>;

class LocalEngine {
 public:
  explicit LocalEngine(const HostMap& hosts);
  ~LocalEngine();

  [[nodiscard]] const engine::FunctionRegistry& functions() const;
  WorkflowId add_workflow(dsl::PlanPtr plan);
  RunId start(const WorkflowId& workflow, const dsl::PlanPtr& plan, json::Value input);
  /// The run with its tasks, once it has ended.
  [[nodiscard]] Result<engine::RunView> wait(const RunId& run, std::chrono::seconds limit);
  /// Waits until the run listens for something, then publishes. A sentence where it failed.
  [[nodiscard]] std::optional<std::string> publish(const RunId& run, json::Value event);
  [[nodiscard]] std::optional<std::string> cancel(const RunId& run);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::conformance
