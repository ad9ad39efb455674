// Integrations: stored credentials of an organization, their connectors and their tests.
#include <memory>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/state_tag.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "integrations/integrations.hpp"

namespace pawl::api::detail {
namespace {

using integrations::Integration;

void append_integration(std::string& out, const Integration& integration) {
  ObjectWriter object(out);
  object.text("id", integration.id.to_string());
  object.text("connector", integration.connector);
  object.text("name", integration.name);
  object.value("config", integration.config);
  object.boolean("is_active", integration.is_active);
  object.text_or_null("created_by", integration.created_by.is_nil() ? "" : integration.created_by.to_string());
  object.time("last_tested_at", integration.last_tested_at);
  object.text_or_null("last_error", integration.last_error);
  object.time("created_at", integration.created_at);
  object.time("updated_at", integration.updated_at);
}

void reply_integration(Call& call, int status, const Integration& integration) {
  std::string out;
  append_integration(out, integration);
  reply_tagged(call, status, {0, integration.updated_at}, std::move(out));
}

Result<IntegrationId> integration_id(const http::Request& request) {
  return path_id<IntegrationId>(request, "integration_id", "integration.not_found", "integration");
}

void list_connectors(Context&, Call call) {
  Query query(call.request);
  const auto page = page_of(query, integrations::connectors(), [](const integrations::Connector& each) { return std::string(each.name); });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const integrations::Connector& connector) {
      ObjectWriter item(out);
      item.text("name", connector.name);
      item.text("title", connector.title);
      item.text("summary", connector.summary);
      item.value("config_schema", connector.schema);
    });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

void list_integrations(Context& context, Call call) {
  PAWL_API_TRY(rows, context.d.integrations->list(call.organization));
  Query query(call.request);
  const auto page = page_of(query, rows, [](const Integration& each) { return each.name; });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const Integration& integration) { append_integration(out, integration); });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

void create_integration(Context& context, Call call) {
  const auto& body = call.body;
  const integrations::NewIntegration wish{std::string(body.get("connector").as_string()), std::string(body.get("name").as_string()),
                                          body.get("config")};
  PAWL_API_TRY(made, context.d.integrations->create(call.organization, call.principal.user, wish));
  reply_integration(call, 201, made);
}

void get_integration(Context& context, Call call) {
  PAWL_API_TRY(id, integration_id(call.request));
  PAWL_API_TRY(found, context.d.integrations->get(call.organization, id));
  reply_integration(call, 200, found);
}

void update_integration(Context& context, Call call) {
  PAWL_API_TRY(id, integration_id(call.request));
  integrations::Changes changes;
  if (const auto& name = call.body.get("name"); name.is_string()) changes.name = name.as_string();
  if (const auto& config = call.body.get("config"); !config.is_null()) changes.config = config;
  if (const auto& active = call.body.get("is_active"); active.is_bool()) changes.is_active = active.as_bool();
  const auto expected = if_match(call.request);
  if (expected.has_error()) return fail_precondition(call, expected.error());
  if (*expected) changes.expected_updated_at = (*expected)->updated_at;
  const auto changed = context.d.integrations->update(call.organization, id, changes);
  if (changed.has_error() && changed.error().code == "integration.changed") return fail_precondition(call, changed.error());
  if (changed.has_error()) return call.fail(changed.error());
  reply_integration(call, 200, *changed);
}

void delete_integration(Context& context, Call call) {
  PAWL_API_TRY(id, integration_id(call.request));
  if (const auto removed = context.d.integrations->remove(call.organization, id); removed.has_error()) return call.fail(removed.error());
  call.reply(http::Response::empty(204));
}

void reply_test(Call& call, const Result<integrations::TestResult>& result) {
  if (result.has_error()) return call.fail(result.error());
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", result->ok ? "ok" : "failed");
    object.text("detail", result->detail);
    object.integer("latency_ms", result->latency.count());
  }
  call.reply(200, std::move(out));
}

void test_integration(Context& context, Call call) {
  PAWL_API_TRY(id, integration_id(call.request));
  const auto organization = call.organization;
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool taken = context.d.integrations->test_later(
      organization, id, [shared](const Result<integrations::TestResult>& result) { reply_test(*shared, result); });
  if (!taken) shared->fail(Error(ErrorClass::unavailable, "integration.busy", "Too many connection tests wait already; try again."));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

json::Value example_config() { return json::Value::object({{"access_token", integrations::kMask}, {"repository", "acme/site"}}); }

Shape integration_shape() {
  return Shape::object("Integration", {{"id", Shape::id()},
                                       {"connector", Shape::text("github")},
                                       {"name", Shape::text("our-github", integrations::kMaxNameLength)},
                                       {"config", Shape::any(example_config()).described("Secret fields show as `********`.")},
                                       {"is_active", Shape::boolean(true)},
                                       {"created_by", Shape::id().or_null()},
                                       {"last_tested_at", Shape::time().or_null()},
                                       {"last_error", Shape::text("GitHub did not answer in time.", 1000).or_null()},
                                       {"created_at", Shape::time()},
                                       {"updated_at", Shape::time()}});
}

Shape connectors_shape() {
  const auto connector = Shape::object("Connector", {{"name", Shape::text("github")},
                                                     {"title", Shape::text("GitHub")},
                                                     {"summary", Shape::text("Repositories, issues and actions", 1000)},
                                                     {"config_schema", Shape::any(json::Value::object({{"type", "object"}}))}});
  return Shape::page("ConnectorList", connector);
}

Shape new_integration_shape() {
  return Shape::object("NewIntegration", {{"connector", Shape::text("github")},
                                          {"name", Shape::text("our-github", integrations::kMaxNameLength).at_least(1)},
                                          {"config", Shape::any(example_config()).described("As the connector's `config_schema` says.")}});
}

Shape integration_change_shape() {
  return Shape::object(
      "IntegrationChange",
      {{"name", Shape::text("our-github", integrations::kMaxNameLength).at_least(1), Shape::kOptional},
       {"config", Shape::any(example_config()).described("The whole configuration; `********` keeps a secret."), Shape::kOptional},
       {"is_active", Shape::boolean(true), Shape::kOptional}});
}

Shape test_shape() {
  return Shape::object("IntegrationTest", {{"status", Shape::choice({"ok", "failed"})},
                                           {"detail", Shape::text("GitHub accepts the token.", 1000)},
                                           {"latency_ms", Shape::integer(182)}});
}

}  // namespace

std::vector<Route> integration_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/integrations/connectors",
       .id = "listConnectors",
       .tag = "integrations",
       .summary = "List the services that credentials can be kept for",
       .permission = Permission::read,
       .handler = list_connectors,
       .query = whole_list_parameters(),
       .reply = connectors_shape()},
      {.method = Method::get,
       .path = "/api/integrations",
       .id = "listIntegrations",
       .tag = "integrations",
       .summary = "List integrations, secrets masked",
       .permission = Permission::read,
       .handler = list_integrations,
       .runs = Runs::pool,
       .query = whole_list_parameters(),
       .reply = Shape::page("IntegrationPage", integration_shape())},
      {.method = Method::post,
       .path = "/api/integrations",
       .id = "createIntegration",
       .tag = "integrations",
       .summary = "Keep credentials for a service",
       .permission = Permission::manage,
       .handler = create_integration,
       .runs = Runs::pool,
       .body = Body::json,
       .request = new_integration_shape(),
       .status = 201,
       .reply = integration_shape()},
      {.method = Method::get,
       .path = "/api/integrations/{integration_id}",
       .id = "getIntegration",
       .tag = "integrations",
       .summary = "Read an integration, secrets masked",
       .permission = Permission::read,
       .handler = get_integration,
       .runs = Runs::pool,
       .owner = &kIntegrationOwner,
       .reply = integration_shape(),
       .other_replies = {{304, "It is as `If-None-Match` says."}}},
      {.method = Method::put,
       .path = "/api/integrations/{integration_id}",
       .id = "updateIntegration",
       .tag = "integrations",
       .summary = "Change an integration",
       .permission = Permission::manage,
       .handler = update_integration,
       .runs = Runs::pool,
       .owner = &kIntegrationOwner,
       .body = Body::json,
       .request = integration_change_shape(),
       .reply = integration_shape()},
      {.method = Method::delete_,
       .path = "/api/integrations/{integration_id}",
       .id = "deleteIntegration",
       .tag = "integrations",
       .summary = "Forget the credentials",
       .permission = Permission::manage,
       .handler = delete_integration,
       .runs = Runs::pool,
       .owner = &kIntegrationOwner,
       .status = 204},
      {.method = Method::post,
       .path = "/api/integrations/{integration_id}/test",
       .id = "testIntegration",
       .tag = "integrations",
       .summary = "Ask the service whether it accepts the credentials",
       .permission = Permission::manage,
       .handler = test_integration,
       .owner = &kIntegrationOwner,
       .reply = test_shape()},
  };
}

}  // namespace pawl::api::detail
