#include "agents/rehearsal.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "engine/machine/dry_run.hpp"

namespace pawl::agents {
namespace {

using engine::RunView;

bool is_plan(const json::Value& output) { return output.is_object() && output.get("dry_run").truthy() && output.get("plan").is_array(); }

/// One of our own types of errors: a document may raise others, whatever their names end with.
bool is_of_type(const json::Value& error, std::string_view kind) {
  const auto& type = error.get("type");
  const auto own = engine::make_error(kind, 500, {}, {});
  return type.is_string() && engine::same_error_type(type.as_string(), own.get("type").as_string());
}

/// Whether the run ended with the error of a task of this type. The error names the task it began in, so no two tasks have the same.
bool ended_in(const RunView& run, std::string_view type) {
  return std::ranges::any_of(run.tasks, [&](const auto& task) {
    return task.type == type && task.record.status == engine::TaskStatus::faulted && task.record.error == run.error;
  });
}

/// It was not the document that set the time.
bool is_out_of_time(const RunView& run) {
  return run.started_at && run.ended_at && *run.ended_at - *run.started_at >= engine::kDryRunTime && is_of_type(run.error, "timeout") &&
         run.error.get("instance") == json::Value("/timeout");
}

/// It failed over an answer that nobody knows before the real run, or over what is not there now: no fault of the document.
bool is_inconclusive(const RunView& run) {
  constexpr std::array<std::string_view, 6> kOutside = {"runtime",        "communication", "configuration",
                                                        "authentication", "authorization", "timeout"};
  if (run.phase != engine::Phase::faulted) return false;
  const auto is = [&](const auto kind) { return is_of_type(run.error, kind); };
  if (is_out_of_time(run)) return true;
  if (std::ranges::any_of(kOutside, is)) return ended_in(run, "call") || ended_in(run, "run");
  if (ended_in(run, "raise") || (!is("expression") && !is("validation"))) return false;
  return std::ranges::any_of(run.tasks, [](const auto& task) { return is_plan(task.record.output); });
}

std::string text_of(const json::Value& error, std::string_view name) {
  const auto& value = error.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

}  // namespace

void Rehearsal::of_workflow(const catalog::Executable& workflow, Part part, Done done) const {
  engine::StartRequest request;
  request.plan = workflow.plan;
  request.organization = workflow.organization;
  request.workflow = workflow.id;
  request.version = workflow.version;
  request.input = std::move(part.input);
  request.trigger = std::move(part.trigger);
  if (d_.secrets) request.secrets = d_.secrets(workflow.organization, *workflow.plan);  // the engine gives a dry run their names only
  request.dry_run = part.dry_run;
  const auto shared = std::make_shared<Done>(std::move(done));
  d_.engine.start_run(
      std::move(request),
      [shared](const Result<RunId>& started) {
        if (started.has_error()) (*shared)(started.error());
      },
      [shared, &engine = d_.engine](const RunView& run) {
        engine.view(run.organization, run.id, true, [shared](Result<RunView> view) { (*shared)(std::move(view)); });
      });
}

void Rehearsal::of_document(const OrganizationId& organization, catalog::Definition definition, const dsl::PlanPtr& plan, Part part,
                            Done done) const {
  const auto shared = std::make_shared<Part>(std::move(part));
  const auto job = [self = *this, organization, definition = std::move(definition), plan, shared, done] {
    const auto kept = self.d_.catalog.keep_unlisted(organization, definition, plan);
    if (kept.has_error()) return done(kept.error());
    self.of_workflow(**kept, std::move(*shared), done);
  };
  if (!d_.pool.try_post(job)) done(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
}

Findings objections(const RunView& dry_run) {
  if (dry_run.phase == engine::Phase::completed || is_inconclusive(dry_run)) return {};
  Finding finding;
  finding.pointer = text_of(dry_run.error, "instance");
  finding.message = "in a dry run: " + text_of(dry_run.error, "title");
  if (const auto detail = text_of(dry_run.error, "detail"); !detail.empty()) finding.message += ": " + detail;
  finding.rule = "dry-run";
  return {std::move(finding)};
}

json::Value to_json(const RunView& dry_run, std::size_t most_tasks) {
  auto tasks = json::Value::array();
  for (const auto& task : dry_run.tasks) {
    if (tasks.size() >= most_tasks) break;
    const auto& output = task.record.output;
    tasks.push_back(json::Value::object({{"task", task.name},
                                         {"reference", task.reference},
                                         {"type", task.type},
                                         {"status", engine::to_text(task.record.status)},
                                         {"plan", is_plan(output) ? output.get("plan") : json::Value()}}));
  }
  return json::Value::object({{"run_id", dry_run.id.to_string()},
                              {"status", engine::to_text(dry_run.phase)},
                              {"error", dry_run.error},
                              {"conclusive", !is_inconclusive(dry_run)},
                              {"tasks", std::move(tasks)}});
}

}  // namespace pawl::agents
