/// Dry runs of what an agent proposes: an ordinary run with `dry_run`, so that functions only tell their plans, and what it says about the
/// proposal. With `Part::dry_run` off the run is a real one.
#pragma once

#include <functional>
#include <string>

#include "async/blocking_pool.hpp"
#include "base/error.hpp"
#include "catalog/catalog.hpp"
#include "engine/engine.hpp"
#include "json/value.hpp"

namespace pawl::agents {

class Rehearsal {
 public:
  struct Dependencies {
    engine::Engine& engine;
    catalog::Catalog& catalog;
    async::BlockingPool& pool;
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< may be empty
  };
  explicit Rehearsal(Dependencies dependencies) : d_(std::move(dependencies)) {}

  struct Part {
    json::Value input;
    json::Value trigger;
    bool dry_run = true;
  };
  /// The run with its tasks, once it has ended. On any thread.
  using Done = std::function<void(Result<engine::RunView>)>;
  void of_workflow(const catalog::Executable& workflow, Part part, Done done) const;
  /// Of a document that is in no list; it is kept for the run's sake (`Catalog::keep_unlisted`).
  void of_document(const OrganizationId& organization, catalog::Definition definition, const dsl::PlanPtr& plan, Part part,
                   Done done) const;

 private:
  Dependencies d_;
};

/// What came of a dry run that speaks against the proposal: nothing where it completed. An expression that fails over what a function only
/// planned speaks against nothing (what the function will answer is not known yet), nor does a call that finds no file or service now, nor
/// a dry run that was out of time (`engine::kDryRunTime`). What the document raises itself does, and a loop without end.
[[nodiscard]] Findings objections(const engine::RunView& dry_run);

/// `{run_id, status, error, conclusive, tasks: [{task, reference, type, status, plan}]}`; `conclusive` is false where the dry run could not
/// go on for one of these reasons.
[[nodiscard]] json::Value to_json(const engine::RunView& dry_run, std::size_t most_tasks);

}  // namespace pawl::agents
