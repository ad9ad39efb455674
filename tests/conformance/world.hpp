/// What one scenario sees: a workflow, its input, the run that it became. The steps of the kit's vocabulary (and ours) act on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "gherkin.hpp"

namespace pawl::conformance {

class LocalEngine;

/// Runs the steps of one scenario; nothing is kept between scenarios but the engine.
class World {
 public:
  World(LocalEngine& engine, std::string host) : engine_(engine), host_(std::move(host)) {}

  /// The sentence that says why the step failed; nothing where it passed.
  [[nodiscard]] std::optional<std::string> perform(const GherkinStep& step);

 private:
  using Outcome = std::optional<std::string>;

  Outcome arrange(const GherkinStep& step);
  Outcome act(const GherkinStep& step);
  Outcome assert_workflow(const GherkinStep& step);
  Outcome assert_task(const GherkinStep& step);
  Outcome assert_order(const std::string& text);
  Outcome start();
  Outcome finish();
  Outcome define(const std::string& document, bool main);
  [[nodiscard]] const engine::RunView::TaskView* task(const std::string& name) const;
  [[nodiscard]] std::optional<std::size_t> position(const std::string& name) const;

  LocalEngine& engine_;
  std::string host_;
  dsl::PlanPtr plan_;
  WorkflowId workflow_;
  std::optional<std::string> invalid_;  // why the definition was refused
  json::Value input_;
  std::optional<RunId> run_;
  std::optional<engine::RunView> result_;
};

}  // namespace pawl::conformance
