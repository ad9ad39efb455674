// Replies as JSON text.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "catalog/workflow.hpp"
#include "engine/engine.hpp"

namespace pawl::api::detail {

struct Call;

/// `callable`: with the addresses of its webhooks, which are all that it takes to start it. For those who may execute.
[[nodiscard]] bool may_execute(const Call& call);
void append_workflow(std::string& out, const catalog::Workflow& workflow, bool callable);
void append_version(std::string& out, const catalog::Version& version);
/// The short form of a finished or running run: reply of `execute`.
void append_outcome(std::string& out, const engine::RunView& run);
/// Without tasks, input, output and trigger: an item of a list.
void append_run_item(std::string& out, const engine::RunView& run);
/// Bytes of values that were taken out of a run because they are large; 0: it is there.
struct LeftOut {
  std::size_t input = 0;
  std::size_t output = 0;
  std::size_t error = 0;
  [[nodiscard]] bool nothing() const { return input + output + error == 0; }
};
struct RunLeftOut {
  LeftOut run;
  std::vector<LeftOut> tasks;  ///< of each task
};
void append_run(std::string& out, const engine::RunView& run);
void append_run(std::string& out, const engine::RunView& run, const RunLeftOut& left_out);
void append_task(std::string& out, const engine::RunView::TaskView& task);
void append_task(std::string& out, const engine::RunView::TaskView& task, const LeftOut& left_out);
void append_finding(std::string& out, const Finding& finding);
/// `ending`: `RunView::ending`, where it is known.
void append_run_status(std::string& out, const RunId& run, engine::Phase phase, std::optional<engine::Phase> ending = {});

}  // namespace pawl::api::detail
