// Workflows: create, list, read, change, remove, check; versions.
#include <charconv>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/render.hpp"
#include "api/json_writer.hpp"
#include "dsl/describe.hpp"
#include "json/write.hpp"

namespace pawl::api::detail::handlers {
namespace {

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxDescription = 10'000;

std::optional<catalog::Definition> read_definition(Fields& fields, const Options& options) {
  const auto value = fields.value("definition");
  if (!value) return std::nullopt;
  catalog::Definition definition;
  if (value->is_string()) {
    definition.text = std::string(value->as_string());
  } else if (value->is_object()) {
    definition.format = catalog::Definition::Format::data;
    definition.text = json::to_text(*value);
  } else {
    fields.problem("definition", "must be text (YAML or JSON) or an object", "type");
    return std::nullopt;
  }
  if (definition.text.size() > options.max_definition_bytes) {
    fields.problem("definition", "is longer than " + std::to_string(options.max_definition_bytes) + " bytes", "length");
  }
  return definition;
}

void check_organization(Fields& fields, const Principal& principal) {
  const auto text = fields.text("organization_id");
  if (text && *text != principal.organization.to_string())
    fields.problem("organization_id", "is not an organization of yours", "organization");
}

std::string workflow_text(const catalog::Workflow& workflow) {
  std::string out;
  append_workflow(out, workflow);
  return out;
}

}  // namespace

void list_workflows(Context& context, Call call) {
  Query query(call.request);
  catalog::WorkflowFilter filter;
  filter.limit = query.limit();
  filter.text = std::string(query.text("q").value_or(""));
  if (const auto cursor = query.text("cursor")) {
    filter.before = WorkflowId::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.catalog.list(call.principal.organization, filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.workflows, [&](const catalog::Workflow& workflow) { append_workflow(out, workflow); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void create_workflow(Context& context, Call call) {
  PAWL_API_TRY(body, parse_body(call.request));
  Fields fields(std::move(body));
  catalog::NewWorkflow workflow;
  workflow.name = fields.text("name", kMaxName);
  if (workflow.name && workflow.name->empty()) fields.problem("name", "must not be empty", "length");
  workflow.description = fields.text("description", kMaxDescription).value_or("");
  workflow.active = fields.boolean("is_active").value_or(true);
  workflow.change_summary = fields.text("change_summary", kMaxDescription).value_or("");
  check_organization(fields, call.principal);
  fields.require("definition");
  if (auto definition = read_definition(fields, context.options)) workflow.definition = std::move(*definition);
  PAWL_API_CHECK(fields.finish());
  PAWL_API_TRY(created, context.d.catalog.create(call.principal.organization, std::move(workflow)));
  auto response = http::Response::json(201, workflow_text(created));
  response.headers.add("Location", "/api/workflows/" + created.id.to_string());
  call.reply(std::move(response));
}

void get_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(workflow, context.d.catalog.get(call.principal.organization, id));
  call.reply(200, workflow_text(workflow));
}

void update_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(body, parse_body(call.request));
  Fields fields(std::move(body));
  catalog::Changes changes;
  changes.name = fields.text("name", kMaxName);
  if (changes.name && changes.name->empty()) fields.problem("name", "must not be empty", "length");
  changes.description = fields.text("description", kMaxDescription);
  changes.active = fields.boolean("is_active");
  changes.change_summary = fields.text("change_summary", kMaxDescription).value_or("");
  check_organization(fields, call.principal);
  changes.definition = read_definition(fields, context.options);
  PAWL_API_CHECK(fields.finish());
  PAWL_API_TRY(workflow, context.d.catalog.update(call.principal.organization, id, std::move(changes)));
  call.reply(200, workflow_text(workflow));
}

void delete_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  const auto removed = context.d.catalog.remove(call.principal.organization, id);
  if (removed.has_error()) return call.fail(removed.error());
  call.reply(http::Response::empty());
}

void validate_workflow(Context& context, Call call) {
  PAWL_API_TRY(body, parse_body(call.request));
  Fields fields(std::move(body));
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
  PAWL_API_TRY(page, context.d.catalog.versions(call.principal.organization, id, limit, before));
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
  PAWL_API_TRY(version, context.d.catalog.version(call.principal.organization, id, number));
  std::string out;
  append_version(out, version);
  call.reply(200, std::move(out));
}

}  // namespace pawl::api::detail::handlers
