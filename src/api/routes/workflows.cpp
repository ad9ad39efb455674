// Workflows: create, list, read, change, remove, check; versions.
#include <charconv>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/definition_in.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/render.hpp"
#include "api/detail/state_tag.hpp"
#include "api/json_writer.hpp"
#include "api/routes/task_trial.hpp"
#include "api/routes/theme.hpp"
#include "dsl/describe.hpp"
#include "engine/capabilities.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::size_t kMaxName = 200;

std::string workflow_text(const Call& call, const catalog::Workflow& workflow) {
  std::string out;
  append_workflow(out, workflow, may_execute(call));
  return out;
}

std::optional<bool> read_flag(Query& query, std::string_view name) {
  const auto text = query.text(name);
  if (!text) return std::nullopt;
  if (*text != "true" && *text != "false") query.problem(name, "must be true or false");
  return *text == "true";
}

catalog::WorkflowFilter::Sort read_sort(Query& query) {
  using Sort = catalog::WorkflowFilter::Sort;
  const auto text = query.text("sort").value_or("created");
  if (text == "updated") return Sort::updated;
  if (text == "name") return Sort::name;
  if (text != "created") query.problem("sort", "must be created, updated or name");
  return Sort::created;
}

void list_workflows(Context& context, Call call) {
  Query query(call.request);
  catalog::WorkflowFilter filter;
  filter.limit = query.limit();
  filter.text = std::string(query.text("q").value_or(""));
  filter.active = read_flag(query, "is_active");
  filter.sort = read_sort(query);
  const auto include = query.text("include").value_or("");
  if (!include.empty() && include != "last_run") query.problem("include", "must be last_run");
  filter.last_runs = !include.empty();
  if (const auto cursor = query.text("cursor")) {
    filter.before = WorkflowId::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.catalog.list(call.organization, filter));
  std::string out;
  {
    ObjectWriter object(out);
    const bool callable = may_execute(call);
    append_array(object.raw("items"), page.workflows, [&](const catalog::Workflow& workflow) { append_workflow(out, workflow, callable); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void create_workflow(Context& context, Call call) {
  Fields fields(std::move(call.body));
  catalog::NewWorkflow workflow;
  workflow.name = fields.text("name", kMaxName);
  if (workflow.name && workflow.name->empty()) fields.problem("name", "must not be empty", "length");
  workflow.description = fields.text("description", kMaxWorkflowDescription).value_or("");
  workflow.active = fields.boolean("is_active").value_or(true);
  workflow.change_summary = fields.text("change_summary", kMaxWorkflowDescription).value_or("");
  static_cast<void>(fields.text("organization_id"));  // the gate has read it
  workflow.author = call.principal.user;
  fields.require("definition");
  if (auto definition = read_definition(fields, context.options)) workflow.definition = std::move(*definition);
  PAWL_API_CHECK(fields.finish());
  PAWL_API_TRY(created, context.d.catalog.create(call.organization, std::move(workflow)));
  auto response = http::Response::json(201, workflow_text(call, created));
  response.headers.add("Location", "/api/workflows/" + created.id.to_string());
  call.reply(std::move(response));
}

void get_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(workflow, context.d.catalog.get(call.organization, id));
  reply_tagged(call, 200, {workflow.version, workflow.updated_at}, workflow_text(call, workflow));
}

void update_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  Fields fields(std::move(call.body));
  catalog::Changes changes;
  changes.name = fields.text("name", kMaxName);
  if (changes.name && changes.name->empty()) fields.problem("name", "must not be empty", "length");
  changes.description = fields.text("description", kMaxWorkflowDescription);
  changes.active = fields.boolean("is_active");
  changes.change_summary = fields.text("change_summary", kMaxWorkflowDescription).value_or("");
  static_cast<void>(fields.text("organization_id"));  // the gate has read it
  changes.author = call.principal.user;
  if (const auto expected = fields.integer("expected_version", 1, INT32_MAX))
    changes.expected_version = static_cast<std::uint32_t>(*expected);
  changes.definition = read_definition(fields, context.options);
  PAWL_API_CHECK(fields.finish());
  const auto expected = if_match(call.request);
  if (expected.has_error()) return fail_precondition(call, expected.error());
  if (*expected) changes.expected_state = catalog::WorkflowState{(*expected)->version, (*expected)->updated_at};
  const auto workflow = context.d.catalog.update(call.organization, id, std::move(changes));
  if (workflow.has_error() && workflow.error().code == "workflow.changed") return fail_precondition(call, workflow.error());
  if (workflow.has_error()) return call.fail(workflow.error());
  reply_tagged(call, 200, {workflow->version, workflow->updated_at}, workflow_text(call, *workflow));
}

void delete_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  const auto removed = context.d.catalog.remove(call.organization, id);
  if (removed.has_error()) return call.fail(removed.error());
  call.reply(http::Response::empty());
}

void validate_workflow(Context& context, Call call) {
  Fields fields(std::move(call.body));
  fields.require("definition");
  const auto definition = read_definition(fields, context.options);
  PAWL_API_CHECK(fields.finish());
  const auto checked = context.d.catalog.check(*definition);
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("valid", checked.ok());
    append_array(object.raw("findings"), checked.findings, [&](const Finding& finding) { append_finding(out, finding); });
    object.value("graph", checked.ok() ? dsl::graph(**checked.value) : json::Value());
    object.value("capabilities",
                 checked.ok() ? engine::to_json(engine::capabilities_of(**checked.value, context.d.functions)) : json::Value());
  }
  call.reply(200, std::move(out));
}

void list_versions(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  Query query(call.request);
  const auto limit = query.limit();
  std::optional<std::uint32_t> before;
  if (const auto cursor = query.text("cursor")) {
    std::uint32_t number = 0;
    const auto [end, failed] = std::from_chars(cursor->data(), cursor->data() + cursor->size(), number);
    if (failed != std::errc{} || end != cursor->data() + cursor->size()) query.problem("cursor", "is not a cursor of this list");
    before = number;
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.catalog.versions(call.organization, id, limit, before));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.versions, [&](const catalog::Version& version) { append_version(out, version); });
    object.text_or_null("next_cursor", page.next ? std::to_string(*page.next) : "");
  }
  call.reply(200, std::move(out));
}

void get_version(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  const auto text = call.request.param("version");
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size()) {
    return call.fail(Error(ErrorClass::not_found, "workflow.version_not_found", "A version is a whole number."));
  }
  PAWL_API_TRY(version, context.d.catalog.version(call.organization, id, number));
  std::string out;
  append_version(out, version);
  call.reply(200, std::move(out));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

}  // namespace

Shape definition_shape() {
  return Shape::any(
             "document:\n  dsl: '1.0.3'\n  namespace: examples\n  name: hello\n  version: '1.0.0'\ndo:\n  - greet:\n"
             "      set: {text: Hello}\n")
      .described("A workflow document: text in YAML or JSON, or an object.");
}

namespace {

Shape name_shape() { return Shape::text("hello", kMaxName).at_least(1); }

}  // namespace

Shape workflow_shape() {
  return Shape::object("Workflow",
                       {{"id", Shape::id()},
                        {"organization_id", Shape::id()},
                        {"name", Shape::text("hello")},
                        {"description", Shape::text("Says hello.", kMaxWorkflowDescription)},
                        {"version", Shape::integer(1, 1)},
                        {"definition", definition_shape()},
                        {"is_active", Shape::boolean(true)},
                        {"triggers", Shape::array(Shape::object("Trigger", {{"type", Shape::choice({"schedule", "webhook"})}}).open())},
                        {"created_by", Shape::id().or_null()},
                        {"updated_by", Shape::id().or_null()},
                        {"created_at", Shape::time()},
                        {"updated_at", Shape::time()},
                        {"last_run",
                         Shape::object("LastRun", {{"id", Shape::id()},
                                                   {"status", Shape::choice({"completed", "faulted", "cancelled"})},
                                                   {"created_at", Shape::time()},
                                                   {"ended_at", Shape::time()}}),
                         Shape::kOptional}});
}

namespace {

Shape new_workflow_shape() {
  return Shape::object("NewWorkflow", {{"definition", definition_shape()},
                                       {"name", name_shape(), Shape::kOptional},
                                       {"description", Shape::text("Says hello.", kMaxWorkflowDescription), Shape::kOptional},
                                       {"is_active", Shape::boolean(true), Shape::kOptional},
                                       {"change_summary", Shape::text("First version", kMaxWorkflowDescription), Shape::kOptional},
                                       {"organization_id", Shape::id(), Shape::kOptional}});
}

Shape workflow_changes_shape() {
  return Shape::object(
      "WorkflowChanges",
      {{"definition", definition_shape(), Shape::kOptional},
       {"name", name_shape(), Shape::kOptional},
       {"description", Shape::text("Says hello.", kMaxWorkflowDescription), Shape::kOptional},
       {"is_active", Shape::boolean(true), Shape::kOptional},
       {"change_summary", Shape::text("A better greeting", kMaxWorkflowDescription), Shape::kOptional},
       {"expected_version", Shape::integer(1, 1, INT32_MAX).described("409 where another version is current."), Shape::kOptional},
       {"organization_id", Shape::id(), Shape::kOptional}});
}

Shape version_shape() {
  return Shape::object("WorkflowVersion", {{"version", Shape::integer(1, 1)},
                                           {"change_summary", Shape::text("First version", kMaxWorkflowDescription)},
                                           {"definition", definition_shape()},
                                           {"created_by", Shape::id().or_null()},
                                           {"created_at", Shape::time()}});
}

}  // namespace

Shape finding_shape() {
  return Shape::object("DefinitionFinding", {{"severity", Shape::choice({"error", "warning"})},
                                             {"pointer", Shape::text("/do/0/greet", 10'000)},
                                             {"line", Shape::integer(7)},
                                             {"column", Shape::integer(5)},
                                             {"message", Shape::text("is not a task", 10'000)},
                                             {"rule", Shape::text("unknown-task-keyword")},
                                             {"suggestion", Shape::text("set"), Shape::kOptional}});
}

namespace {

Shape diagnosis_shape() {
  return Shape::object("Diagnosis",
                       {{"valid", Shape::boolean(false)},
                        {"findings", Shape::array(finding_shape())},
                        {"graph", Shape::any(nullptr).described("Tasks and edges for drawing; null for an invalid definition.")},
                        {"capabilities", capabilities_shape().or_null().described("What it can reach; null for an invalid definition.")}});
}

}  // namespace

std::vector<Route> workflow_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/workflows",
       .id = "listWorkflows",
       .tag = "workflows",
       .summary = "List workflows",
       .permission = Permission::read,
       .handler = list_workflows,
       .runs = Runs::pool,
       .query = {{"q", Shape::text("hello"), "Part of the name or the description, in any case."},
                 {"is_active", Shape::boolean(true), "Only active ones, or only others."},
                 {"sort", Shape::choice({"created", "updated", "name"}), "Newest, or last changed, first; or by name."},
                 {"include", Shape::choice({"last_run"}), "Also how the newest finished run of each ended."},
                 limit_parameter(),
                 cursor_parameter()},
       .reply = Shape::page("WorkflowPage", workflow_shape())},
      {.method = Method::post,
       .path = "/api/workflows",
       .id = "createWorkflow",
       .tag = "workflows",
       .summary = "Create a workflow",
       .permission = Permission::write,
       .handler = create_workflow,
       .runs = Runs::pool,
       .body = Body::json,
       .request = new_workflow_shape(),
       .status = 201,
       .reply = workflow_shape()},
      {.method = Method::post,
       .path = "/api/workflows/validate",
       .id = "validateWorkflow",
       .tag = "workflows",
       .summary = "Check a definition without storing it",
       .permission = Permission::read,
       .handler = validate_workflow,
       .runs = Runs::pool,
       .body = Body::json,
       .request = Shape::object("DefinitionToCheck", {{"definition", definition_shape()}}),
       .reply = diagnosis_shape()},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}",
       .id = "getWorkflow",
       .tag = "workflows",
       .summary = "Read a workflow",
       .permission = Permission::read,
       .handler = get_workflow,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .reply = workflow_shape(),
       .other_replies = {{304, "It is as `If-None-Match` says."}}},
      {.method = Method::put,
       .path = "/api/workflows/{workflow_id}",
       .id = "updateWorkflow",
       .tag = "workflows",
       .summary = "Change a workflow",
       .permission = Permission::write,
       .handler = update_workflow,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .body = Body::json,
       .request = workflow_changes_shape(),
       .reply = workflow_shape(),
       .description = "With `If-Match`, which takes the `ETag` of a read: 412 where the workflow was changed since."},
      {.method = Method::delete_,
       .path = "/api/workflows/{workflow_id}",
       .id = "deleteWorkflow",
       .tag = "workflows",
       .summary = "Remove a workflow",
       .permission = Permission::write,
       .handler = delete_workflow,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .status = 204},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/versions",
       .id = "listVersions",
       .tag = "workflows",
       .summary = "List versions, newest first",
       .permission = Permission::read,
       .handler = list_versions,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .query = {limit_parameter(), {"cursor", Shape::text("3"), "`next_cursor` of the page before."}},
       .reply = Shape::page("WorkflowVersionPage", version_shape())},
      {.method = Method::get,
       .path = "/api/workflows/{workflow_id}/versions/{version}",
       .id = "getVersion",
       .tag = "workflows",
       .summary = "Read a version",
       .permission = Permission::read,
       .handler = get_version,
       .runs = Runs::pool,
       .owner = &kWorkflowOwner,
       .reply = version_shape()},
  };
}

}  // namespace pawl::api::detail
