#include "api/detail/render.hpp"

#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "json/parse.hpp"

namespace pawl::api::detail {
namespace {

void append_definition(std::string& out, const catalog::Definition& definition) {
  if (definition.format == catalog::Definition::Format::data) {
    out += definition.text;  // compact JSON already
  } else {
    json::append_quoted(out, definition.text);
  }
}

std::string text_of(const UserId& user) { return user.is_nil() ? std::string() : user.to_string(); }

void write_run_members(ObjectWriter& object, const engine::RunView& run) {
  object.text("id", run.id.to_string());
  object.text("workflow_id", run.workflow.to_string());
  object.text("workflow_name", run.workflow_name);
  object.integer("version", run.version);
  object.text("status", engine::to_text(run.phase));
  if (!run.waiting_reason.empty()) object.text("waiting_reason", run.waiting_reason);
}

void write_run_times(ObjectWriter& object, const engine::RunView& run) {
  object.time("created_at", run.created_at);
  object.time("started_at", run.started_at);
  object.time("ended_at", run.ended_at);
}

void write_left_out(ObjectWriter& object, const LeftOut& left_out) {
  if (left_out.nothing()) return;
  ObjectWriter sizes(object.raw("left_out"));
  if (left_out.input > 0) sizes.integer("input", static_cast<std::int64_t>(left_out.input));
  if (left_out.output > 0) sizes.integer("output", static_cast<std::int64_t>(left_out.output));
  if (left_out.error > 0) sizes.integer("error", static_cast<std::int64_t>(left_out.error));
}

}  // namespace

bool may_execute(const Call& call) { return call.principal.permits(Permission::execute, call.organization); }

void append_workflow(std::string& out, const catalog::Workflow& workflow, bool callable) {
  ObjectWriter object(out);
  object.text("id", workflow.id.to_string());
  object.text("organization_id", workflow.organization.to_string());
  object.text("name", workflow.name);
  object.text("description", workflow.description);
  object.integer("version", workflow.version);
  append_definition(object.raw("definition"), workflow.definition);
  object.boolean("is_active", workflow.active);
  append_array(object.raw("triggers"), workflow.triggers, [&](const catalog::Trigger& trigger) {
    ObjectWriter item(out);
    item.text("type", trigger.type);
    for (const auto& member : trigger.details.members()) {
      const bool hidden = !callable && trigger.type == "webhook" && member.name() == "url";
      item.value(member.name(), hidden ? json::Value() : member.value);
    }
  });
  object.text_or_null("created_by", text_of(workflow.created_by));
  object.text_or_null("updated_by", text_of(workflow.updated_by));
  object.time("created_at", workflow.created_at);
  object.time("updated_at", workflow.updated_at);
  if (workflow.last_run) {
    ObjectWriter last(object.raw("last_run"));
    last.text("id", workflow.last_run->id.to_string());
    last.text("status", engine::to_text(workflow.last_run->phase));
    last.time("created_at", workflow.last_run->created_at);
    last.time("ended_at", workflow.last_run->ended_at);
  }
}

void append_version(std::string& out, const catalog::Version& version) {
  ObjectWriter object(out);
  object.integer("version", version.version);
  object.text("change_summary", version.change_summary);
  append_definition(object.raw("definition"), version.definition);
  object.text_or_null("created_by", text_of(version.created_by));
  object.time("created_at", version.created_at);
}

void append_outcome(std::string& out, const engine::RunView& run) {
  ObjectWriter object(out);
  object.text("id", run.id.to_string());
  object.text("workflow_id", run.workflow.to_string());
  object.integer("version", run.version);
  object.text("status", engine::to_text(run.phase));
  if (run.phase == engine::Phase::completed) {
    object.value("output", run.output);
  } else {
    object.value("error", run.error);
  }
  if (run.dry_run) object.boolean("dry_run", true);
  write_run_times(object, run);
}

void append_run_item(std::string& out, const engine::RunView& run) {
  ObjectWriter object(out);
  write_run_members(object, run);
  object.boolean("dry_run", run.dry_run);
  write_run_times(object, run);
}

void append_run(std::string& out, const engine::RunView& run) { append_run(out, run, {}); }

void append_run(std::string& out, const engine::RunView& run, const RunLeftOut& left_out) {
  ObjectWriter object(out);
  write_run_members(object, run);
  if (run.ending) object.text("ending", engine::to_text(*run.ending));
  object.value("input", run.input);
  object.value("output", run.output);
  object.value("error", run.error);
  object.boolean("dry_run", run.dry_run);
  object.value("trigger", run.trigger);
  write_run_times(object, run);
  write_left_out(object, left_out.run);
  std::size_t number = 0;
  append_array(object.raw("tasks"), run.tasks, [&](const engine::RunView::TaskView& task) {
    append_task(out, task, number < left_out.tasks.size() ? left_out.tasks[number++] : LeftOut{});
  });
  if (run.tasks_dropped > 0) object.integer("tasks_dropped", static_cast<std::int64_t>(run.tasks_dropped));
}

void append_task(std::string& out, const engine::RunView::TaskView& task) { append_task(out, task, {}); }

void append_task(std::string& out, const engine::RunView::TaskView& task, const LeftOut& left_out) {
  const auto& record = task.record;
  ObjectWriter object(out);
  object.text("reference", task.reference);
  append_array(object.raw("iteration"), record.iteration, [&](std::uint32_t round) { out += std::to_string(round); });
  object.text("name", task.name);
  object.text("type", task.type);
  object.text("status", engine::to_text(record.status));
  object.integer("attempt", record.attempt);
  object.value("input", record.input);
  object.value("output", record.output);
  object.value("error", record.error);
  object.time("started_at", record.started_at);
  object.time("ended_at", record.ended_at);
  append_array(object.raw("logs"), record.logs, [&](const engine::LogLine& line) {
    ObjectWriter item(out);
    item.time("at", line.at);
    item.text("level", line.level);
    item.text("text", line.text);
  });
  write_left_out(object, left_out);
}

void append_finding(std::string& out, const Finding& finding) {
  ObjectWriter object(out);
  object.text("severity", finding.severity == Severity::error ? "error" : "warning");
  object.text("pointer", finding.pointer);
  object.integer("line", finding.line);
  object.integer("column", finding.column);
  object.text("message", finding.message);
  object.text("rule", finding.rule);
  if (!finding.suggestion.empty()) object.text("suggestion", finding.suggestion);
}

void append_run_status(std::string& out, const RunId& run, engine::Phase phase, std::optional<engine::Phase> ending) {
  ObjectWriter object(out);
  object.text("id", run.to_string());
  object.text("status", engine::to_text(phase));
  if (ending) object.text("ending", engine::to_text(*ending));
}

}  // namespace pawl::api::detail
