// API keys: make, list, read, revoke.
#include "identity/api_keys.hpp"
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

constexpr identity::Permission kScopes[] = {Permission::account, Permission::read, Permission::execute,   Permission::write,
                                            Permission::manage,  Permission::own,  Permission::administer};

void write_key(std::string& out, ObjectWriter& object, const identity::ApiKey& key) {
  object.text("id", key.id.to_string());
  object.text("organization_id", key.organization.to_string());
  object.text("name", key.name);
  object.text("prefix", key.prefix);
  std::vector<std::string_view> scopes;
  for (const auto permission : kScopes) {
    if (key.scopes.has(permission)) scopes.push_back(identity::to_text(permission));
  }
  append_array(object.raw("scopes"), scopes, [&](std::string_view scope) { json::append_quoted(out, scope); });
  object.time("created_at", key.created_at);
  object.time("expires_at", key.expires_at);
  object.time("last_used_at", key.last_used_at);
}

Result<ApiKeyId> key_id(const Call& call) { return path_id<ApiKeyId>(call.request, "key_id", "api_key.not_found", "API key"); }

/// The organization that the key is for: the one that the request names, else the caller's own. What one does not belong to does not exist.
Result<OrganizationId> key_organization(const Call& call) {
  if (call.principal.role_in(call.organization)) return call.organization;
  return Error(ErrorClass::not_found, "organization.not_found", "There is no organization of this id.");
}

/// A key sees those of its own organization.
bool is_seen(const Call& call, const identity::ApiKey& key) {
  return call.principal.kind != identity::Principal::Kind::api_key || key.organization == call.principal.home;
}

Result<identity::ApiKey> seen_key(Context& context, const Call& call) {
  PAWL_TRY(id, key_id(call));
  PAWL_TRY(key, context.d.api_keys->get(call.principal.user, id));
  if (is_seen(call, key)) return key;
  return Error(ErrorClass::not_found, "api_key.not_found", "There is no API key of this id.");
}

void create_api_key(Context& context, Call call) {
  PAWL_API_TRY(organization, key_organization(call));
  identity::NewApiKey request;
  request.name = std::string(call.body.get("name").as_string());
  for (const auto& scope : call.body.get("scopes").items()) request.scopes.emplace_back(scope.as_string());
  if (const auto& expiry = call.body.get("expires_at"); expiry.is_string()) request.expires_at = parse_rfc3339(expiry.as_string());
  PAWL_API_TRY(issued, context.d.api_keys->create(call.principal, organization, request));
  std::string out;
  {
    ObjectWriter object(out);
    write_key(out, object, issued.key);
    object.text("key", issued.secret);
  }
  auto response = http::Response::json(201, std::move(out));
  response.headers.add("Cache-Control", "no-store");
  response.headers.add("Location", "/api/api-keys/" + issued.key.id.to_string());
  call.reply(std::move(response));
}

void list_api_keys(Context& context, Call call) {
  Query query(call.request);
  const auto limit = query.limit();
  std::optional<ApiKeyId> before;
  if (const auto cursor = query.text("cursor")) {
    before = ApiKeyId::parse(*cursor);
    if (!before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.api_keys->list(call.principal.user, limit, before));
  std::erase_if(page.keys, [&](const identity::ApiKey& key) { return !is_seen(call, key); });
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.keys, [&](const identity::ApiKey& key) {
      ObjectWriter entry(out);
      write_key(out, entry, key);
    });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_api_key(Context& context, Call call) {
  PAWL_API_TRY(key, seen_key(context, call));
  std::string out;
  {
    ObjectWriter object(out);
    write_key(out, object, key);
  }
  call.reply(200, std::move(out));
}

void revoke_api_key(Context& context, Call call) {
  PAWL_API_TRY(key, seen_key(context, call));
  PAWL_API_TRY_VOID(context.d.api_keys->revoke(call.principal.user, key.id));
  call.reply(http::Response::empty(204));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape scope_shape() { return Shape::choice({"account", "read", "execute", "write", "manage", "own", "administer"}); }

std::vector<Shape::Member> key_members() {
  return {{"id", Shape::id()},
          {"organization_id", Shape::id()},
          {"name", Shape::text("deploy")},
          {"prefix", Shape::text("pawl_Zx8vQ2")},
          {"scopes", Shape::array(scope_shape(), 7)},
          {"created_at", Shape::time()},
          {"expires_at", Shape::time().or_null()},
          {"last_used_at", Shape::time().or_null()}};
}

Shape issued_shape() {
  auto members = key_members();
  members.push_back({"key", Shape::text("pawl_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG").described("Shown only now.")});
  return Shape::object("IssuedApiKey", std::move(members));
}

}  // namespace

std::vector<Route> api_key_routes() {
  using http::Method;
  const auto key = Shape::object("ApiKey", key_members());
  return {
      {.method = Method::get,
       .path = "/api/api-keys",
       .id = "listApiKeys",
       .tag = "api-keys",
       .summary = "List one's API keys",
       .permission = Permission::account,
       .handler = list_api_keys,
       .runs = Runs::pool,
       .query = {limit_parameter(), cursor_parameter()},
       .reply = Shape::page("ApiKeyPage", key)},
      {.method = Method::post,
       .path = "/api/api-keys",
       .id = "createApiKey",
       .tag = "api-keys",
       .summary = "Make an API key",
       .permission = Permission::account,
       .handler = create_api_key,
       .runs = Runs::pool,
       .body = Body::json,
       .request = Shape::object("NewApiKey", {{"name", Shape::text("deploy", 100).at_least(1)},
                                              {"scopes", Shape::array(scope_shape(), 7).at_least(1)},
                                              {"organization_id", Shape::id(), Shape::kOptional},
                                              {"expires_at", Shape::time(), Shape::kOptional}}),
       .status = 201,
       .reply = issued_shape(),
       .description = "The key acts in one organization and never may more than the one who made it."},
      {.method = Method::get,
       .path = "/api/api-keys/{key_id}",
       .id = "getApiKey",
       .tag = "api-keys",
       .summary = "Read an API key",
       .permission = Permission::account,
       .handler = get_api_key,
       .runs = Runs::pool,
       .reply = key},
      {.method = Method::delete_,
       .path = "/api/api-keys/{key_id}",
       .id = "revokeApiKey",
       .tag = "api-keys",
       .summary = "Revoke an API key",
       .permission = Permission::account,
       .handler = revoke_api_key,
       .runs = Runs::pool,
       .status = 204},
  };
}

}  // namespace pawl::api::detail
