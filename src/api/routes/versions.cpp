// What may be done with versions of a workflow: compare, go back; and documents in and out: export, import. A webhook's new address.
#include <charconv>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/render.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "catalog/import.hpp"
#include "dsl/describe.hpp"
#include "engine/capabilities.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "yaml/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxText = 10'000;

Result<std::uint32_t> version_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed == std::errc{} && end == text.data() + text.size() && number > 0) return number;
  return Error(ErrorClass::not_found, "workflow.version_not_found", "A version is a whole number.");
}

void append_diff(std::string& out, std::uint32_t from, std::uint32_t to, const catalog::VersionDiff& diff,
                 const engine::CapabilityChange& change_of_reach) {
  ObjectWriter object(out);
  object.integer("from", from);
  object.integer("to", to);
  append_array(object.raw("hunks"), diff.hunks, [&](const catalog::DiffHunk& hunk) {
    ObjectWriter item(out);
    item.integer("old_start", hunk.old_start);
    item.integer("old_count", hunk.old_count);
    item.integer("new_start", hunk.new_start);
    item.integer("new_count", hunk.new_count);
    append_array(item.raw("lines"), hunk.lines, [&](const catalog::DiffLine& line) {
      using Kind = catalog::DiffLine::Kind;
      ObjectWriter one(out);
      one.text("kind", line.kind == Kind::context ? "context" : line.kind == Kind::added ? "added" : "removed");
      one.text("text", line.text);
    });
  });
  append_array(object.raw("tasks"), diff.tasks, [&](const catalog::TaskChange& change) {
    ObjectWriter item(out);
    item.text("change", catalog::to_text(change.kind));
    item.text("path", change.path);
    item.text("reference", change.reference);
    item.text("type", change.type);
  });
  append_array(object.raw("triggers"), diff.triggers, [&](const catalog::TriggerChange& change) {
    ObjectWriter item(out);
    item.text("type", change.type);
    item.value("before", change.before);
    item.value("after", change.after);
  });
  ObjectWriter reach(object.raw("capabilities"));
  reach.value("added", engine::to_json(change_of_reach.added));
  reach.value("removed", engine::to_json(change_of_reach.removed));
}

/// Of a version of the caller's organization.
Result<engine::Capabilities> capabilities_of(Context& context, const Call& call, const WorkflowId& id, std::uint32_t version) {
  PAWL_TRY(known, context.d.catalog.version(call.organization, id, version));
  PAWL_TRY(plan, context.d.catalog.plan(id, known.version));
  return engine::capabilities_of(*plan, context.d.functions);
}

void version_capabilities(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(version, version_number(call.request.param("version")));
  PAWL_API_TRY(capabilities, capabilities_of(context, call, id, version));
  call.reply(200, json::to_text(engine::to_json(capabilities)));
}

void version_graph(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(number, version_number(call.request.param("version")));
  PAWL_API_TRY(version, context.d.catalog.version(call.organization, id, number));
  const auto checked = context.d.catalog.check_stored(version.definition);
  std::string out;
  {
    ObjectWriter object(out);
    object.value("graph", checked.ok() ? dsl::graph(**checked.value) : json::Value());
    append_array(object.raw("findings"), checked.findings, [&](const Finding& finding) { append_finding(out, finding); });
  }
  call.reply(200, std::move(out));
}

void diff_versions(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(from, version_number(call.request.param("version")));
  PAWL_API_TRY(to, version_number(call.request.param("other")));
  PAWL_API_TRY(diff, context.d.catalog.diff(call.organization, id, from, to));
  // An old version that does not compile any more can be compared all the same: nothing is known of what it reached.
  const auto before = capabilities_of(context, call, id, from);
  const auto after = capabilities_of(context, call, id, to);
  const engine::Capabilities none;
  std::string out;
  append_diff(out, from, to, diff, engine::compare(before.has_value() ? *before : none, after.has_value() ? *after : none));
  call.reply(200, std::move(out));
}

void roll_back(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  Fields fields(std::move(call.body));
  catalog::Rollback request;
  fields.require("version");
  request.version = static_cast<std::uint32_t>(fields.integer("version", 1, INT32_MAX).value_or(1));
  request.change_summary = fields.text("change_summary", kMaxText).value_or("");
  if (const auto expected = fields.integer("expected_version", 1, INT32_MAX))
    request.expected_version = static_cast<std::uint32_t>(*expected);
  request.author = call.principal.user;
  PAWL_API_CHECK(fields.finish());
  PAWL_API_TRY(workflow, context.d.catalog.rollback(call.organization, id, std::move(request)));
  std::string out;
  append_workflow(out, workflow, may_execute(call));
  call.reply(200, std::move(out));
}

void rotate_webhook(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_CHECK(Fields(std::move(call.body)).finish());
  PAWL_API_TRY(workflow, context.d.catalog.rotate_webhook(call.organization, id, call.principal.user));
  std::string out;
  append_workflow(out, workflow, may_execute(call));
  call.reply(200, std::move(out));
}

// ---- documents in and out ---------------------------------------------------------------------------------------------------------

/// A name that is harmless in a header and in a folder.
std::string file_name(std::string_view name, std::string_view ending) {
  std::string safe;
  for (const char c : name.substr(0, 60)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    safe += fits ? c : '-';
  }
  return (safe.empty() ? "workflow" : safe) + "." + std::string(ending);
}

/// The document as its author wrote it where that is the format asked for, else converted.
Result<std::string> exported(const catalog::Definition& definition, bool as_json) {
  const bool is_data = definition.format == catalog::Definition::Format::data;
  if (is_data) {
    PAWL_TRY(value, json::parse(definition.text));
    return as_json ? json::to_text(value, {.indent = 2}) + "\n" : yaml::to_yaml(value);
  }
  if (!as_json) return definition.text;
  const auto read = yaml::parse(definition.text);
  if (!read.ok()) return Error(ErrorClass::internal, "workflow.unreadable", "The stored definition cannot be read.");
  return json::to_text(read.value->value, {.indent = 2}) + "\n";
}

void export_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  Query query(call.request);
  const auto format = query.text("format").value_or("yaml");
  if (format != "yaml" && format != "json") query.problem("format", "must be yaml or json");
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(workflow, context.d.catalog.get(call.organization, id));
  PAWL_API_TRY(text, exported(workflow.definition, format == "json"));
  const http::Literal type = format == "json" ? http::Literal("application/json") : http::Literal("application/yaml");
  http::Response response(200, type, std::move(text));
  response.headers.set("Content-Disposition", "attachment; filename=\"" + file_name(workflow.name, format) + "\"");
  response.headers.set("X-Content-Type-Options", "nosniff");
  call.reply(std::move(response));
}

void import_workflow(Context& context, Call call) {
  Fields fields(std::move(call.body));
  static_cast<void>(fields.text("organization_id"));  // the gate has read it
  fields.require("source");
  std::string source;
  if (const auto value = fields.value("source")) {
    if (value->is_string()) {
      source = std::string(value->as_string());
    } else if (value->is_object()) {
      source = json::to_text(*value);
    } else {
      fields.problem("source", "must be text (YAML or JSON) or an object", "type");
    }
  }
  if (source.size() > context.options.max_definition_bytes) {
    fields.problem("source", "is longer than " + std::to_string(context.options.max_definition_bytes) + " bytes", "length");
  }
  const auto format = catalog::parse_source_format(fields.text("format").value_or("auto"));
  if (!format) fields.problem("format", "must be auto, owf, tasks, steps or n8n", "choice");
  catalog::NewWorkflow fresh;
  fresh.name = fields.text("name", kMaxName);
  fresh.active = fields.boolean("is_active").value_or(false);
  const bool only_convert = fields.boolean("dry_run").value_or(false);
  PAWL_API_CHECK(fields.finish());
  PAWL_API_TRY(made, catalog::import_workflow(source, *format, context.d.functions));
  std::optional<catalog::Workflow> stored;
  if (!only_convert) {
    if (!fresh.name || fresh.name->empty()) fresh.name = made.name.substr(0, kMaxName);
    fresh.definition.text = made.text;
    fresh.change_summary = "Imported (" + std::string(catalog::to_text(made.format)) + ")";
    fresh.author = call.principal.user;
    PAWL_API_TRY(created, context.d.catalog.create(call.organization, std::move(fresh)));
    stored = std::move(created);
  }
  std::string out;
  {
    ObjectWriter object(out);
    object.text("format", catalog::to_text(made.format));
    object.text("definition", made.text);
    append_array(object.raw("findings"), made.findings, [&](const Finding& finding) { append_finding(out, finding); });
    if (stored) {
      append_workflow(object.raw("workflow"), *stored, may_execute(call));
    } else {
      object.value("workflow", {});
    }
  }
  auto response = http::Response::json(stored ? 201 : 200, std::move(out));
  if (stored) response.headers.add("Location", "/api/workflows/" + stored->id.to_string());
  call.reply(std::move(response));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

}  // namespace

Shape capabilities_shape() {
  const auto one = Shape::object(
      "Capability", {{"name", Shape::text("api.example.com", kMaxText)}, {"tasks", Shape::array(Shape::text("/do/0/fetch", kMaxText))}});
  const auto list = Shape::array(one);
  return Shape::object("Capabilities", {{"hosts", list},
                                        {"paths", Shape::object("CapabilityPaths", {{"read", list}, {"write", list}})},
                                        {"processes", list},
                                        {"databases", list},
                                        {"mail", list},
                                        {"models", list},
                                        {"workflows", list},
                                        {"secrets", list},
                                        {"functions", list},
                                        {"destructive", list},
                                        {"needs", list}});
}

namespace {

Shape diff_shape() {
  const auto line =
      Shape::object("DiffLine", {{"kind", Shape::choice({"context", "removed", "added"})}, {"text", Shape::text("- greet:", 0)}});
  const auto hunk = Shape::object("DiffHunk", {{"old_start", Shape::integer(6)},
                                               {"old_count", Shape::integer(3)},
                                               {"new_start", Shape::integer(6)},
                                               {"new_count", Shape::integer(4)},
                                               {"lines", Shape::array(line, 0)}});
  const auto task = Shape::object("TaskChange", {{"change", Shape::choice({"added", "removed", "changed", "moved"})},
                                                 {"path", Shape::text("/greet", kMaxText)},
                                                 {"reference", Shape::text("/do/0/greet", kMaxText)},
                                                 {"type", Shape::text("set")}});
  const auto trigger =
      Shape::object("TriggerChange", {{"type", Shape::choice({"schedule", "webhook"})},
                                      {"before", Shape::any(nullptr)},
                                      {"after", Shape::any(json::Value::object({{"kind", "cron"}, {"cron", "0 2 * * *"}}))}});
  return Shape::object(
      "VersionDiff",
      {{"from", Shape::integer(1, 1)},
       {"to", Shape::integer(2, 1)},
       {"hunks", Shape::array(hunk, 0)},
       {"tasks", Shape::array(task, 0)},
       {"triggers", Shape::array(trigger, 0)},
       {"capabilities", Shape::object("CapabilityChange", {{"added", capabilities_shape()}, {"removed", capabilities_shape()}})}});
}

Shape version_graph_shape() {
  return Shape::object("VersionGraph",
                       {{"graph", Shape::any(nullptr).described("Tasks and edges for drawing; null for what does not compile any more.")},
                        {"findings", Shape::array(finding_shape())}});
}

Shape rollback_shape() {
  return Shape::object("Rollback", {{"version", Shape::integer(1, 1, INT32_MAX)},
                                    {"change_summary", Shape::text("Back to what worked", kMaxText), Shape::kOptional},
                                    {"expected_version", Shape::integer(3, 1, INT32_MAX).described("409 where another version is current."),
                                     Shape::kOptional}});
}

Shape import_shape() {
  return Shape::object("WorkflowImport",
                       {{"source", Shape::any("name: Tidy\ntasks:\n  - id: sort\n    type: file_organizer\n    params: {target: ./inbox}\n")
                                       .described("The document of the other product: text, or an object.")},
                        {"format", Shape::choice({"auto", "owf", "tasks", "steps", "n8n"}), Shape::kOptional},
                        {"name", Shape::text("Tidy", kMaxName), Shape::kOptional},
                        {"is_active", Shape::boolean(false), Shape::kOptional},
                        {"dry_run", Shape::boolean(false).described("Convert without storing."), Shape::kOptional},
                        {"organization_id", Shape::id(), Shape::kOptional}});
}

Shape import_reply_shape() {
  return Shape::object("ImportedWorkflow", {{"format", Shape::choice({"owf", "tasks", "steps", "n8n"})},
                                            {"definition", Shape::text("name: Tidy\n", 0)},
                                            {"findings", Shape::array(finding_shape())},
                                            {"workflow", workflow_shape().or_null()}});
}

}  // namespace

std::vector<Route> version_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/versions/{version}/diff/{other}",
       .id = "diffVersions",
       .tag = "workflows",
       .summary = "Compare two versions, line by line and task by task",
       .permission = Permission::read,
       .handler = diff_versions,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .reply = diff_shape()},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/versions/{version}/capabilities",
       .id = "getVersionCapabilities",
       .tag = "workflows",
       .summary = "What a version can reach: hosts, paths, programs, secrets, destructive acts",
       .permission = Permission::read,
       .handler = version_capabilities,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .reply = capabilities_shape(),
       .description =
           "Read off the definition. What an expression makes is named `(decided at run time)`, with the tasks; workflows that are "
           "called are named, not followed."},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/versions/{version}/graph",
       .id = "getVersionGraph",
       .tag = "workflows",
       .summary = "A version as a drawing",
       .permission = Permission::read,
       .handler = version_graph,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .reply = version_graph_shape(),
       .description =
           "Of the version as it is stored, with the functions that it was saved with. What runs but could not be saved any more is a "
           "warning here, where `POST /api/workflows/validate` has an error."},
      {.method = Method::post,
       .path = "/api/workflows/{workflow_id}/rollback",
       .id = "rollBackWorkflow",
       .tag = "workflows",
       .summary = "Make a new version of an old one's content",
       .permission = Permission::write,
       .handler = roll_back,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .body = Body::json,
       .request = rollback_shape(),
       .reply = workflow_shape()},
      {.method = Method::post,
       .path = "/api/workflows/{workflow_id}/webhook/rotate",
       .id = "rotateWebhook",
       .tag = "workflows",
       .summary = "Give a workflow's webhook another address",
       .permission = Permission::write,
       .handler = rotate_webhook,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .body = Body::optional,
       .request = Shape::object("WebhookRotation", {}),
       .reply = workflow_shape()},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/export",
       .id = "exportWorkflow",
       .tag = "workflows",
       .summary = "Download a workflow's document",
       .permission = Permission::read,
       .handler = export_workflow,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .query = {{"format", Shape::choice({"yaml", "json"}), "`yaml` where left out."}},
       .reply = Shape::text("document:\n  dsl: '1.0.3'\n", 1U << 20U),
       .reply_type = "application/yaml",
       .other_replies = {{200, "With `format=json`.", "application/json", Shape::any(json::Value::object())}}},
      {.method = Method::post,
       .path = "/api/workflows/import",
       .id = "importWorkflow",
       .tag = "workflows",
       .summary = "Take in a workflow of another product",
       .permission = Permission::write,
       .handler = import_workflow,
       .runs = Runs::pool,
       .body = Body::json,
       .request = import_shape(),
       .status = 201,
       .reply = import_reply_shape(),
       .other_replies = {{200, "What would come of it; nothing was stored.", "application/json", import_reply_shape()}},
       .description = "Nothing is executed or fetched. What cannot be translated is named in `findings` and becomes a task that raises an "
                      "error saying "
                      "so. An imported workflow is inactive unless asked otherwise. 200 with `dry_run`."},
  };
}

}  // namespace pawl::api::detail
