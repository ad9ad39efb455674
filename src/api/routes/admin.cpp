// Users, for administrators of the installation.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/user_reply.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "identity/user_admin.hpp"

namespace pawl::api::detail {
namespace {

void append_user(std::string& out, const identity::User& user) {
  ObjectWriter object(out);
  write_user(object, user);
  object.time("updated_at", user.updated_at);
}

void reply_user(Call& call, const identity::User& user) {
  std::string out;
  append_user(out, user);
  call.reply(200, std::move(out));
}

Result<identity::Administrator> administrator_of(const Call& call) {
  const auto administrator = identity::administrator_of(call.principal);
  if (administrator) return *administrator;
  return Error(ErrorClass::denied, "user.denied", "This asks for an administrator of the installation.");
}

Result<UserId> user_in_path(const Call& call) { return path_id<UserId>(call.request, "user_id", "user.not_found", "user"); }

void list_users(Context& context, Call call) {
  PAWL_API_TRY(administrator, administrator_of(call));
  Query query(call.request);
  identity::UserFilter filter;
  filter.limit = query.limit();
  filter.text = std::string(query.text("q").value_or(""));
  if (const auto cursor = query.text("cursor")) {
    filter.after = UserId::parse(*cursor);
    if (!filter.after) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.users->list(administrator, filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.users, [&](const identity::User& user) { append_user(out, user); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_user(Context& context, Call call) {
  PAWL_API_TRY(administrator, administrator_of(call));
  PAWL_API_TRY(id, user_in_path(call));
  PAWL_API_TRY(user, context.d.users->get(administrator, id));
  reply_user(call, user);
}

std::optional<bool> flag_in(const json::Value& body, std::string_view name) {
  const auto& value = body.get(name);
  if (!value.is_bool()) return std::nullopt;
  return value.as_bool();
}

void update_user(Context& context, Call call) {
  PAWL_API_TRY(administrator, administrator_of(call));
  PAWL_API_TRY(id, user_in_path(call));
  identity::UserChanges changes;
  if (const auto& name = call.body.get("name"); name.is_string()) changes.name = std::string(name.as_string());
  changes.active = flag_in(call.body, "is_active");
  changes.superuser = flag_in(call.body, "is_superuser");
  PAWL_API_TRY(user, context.d.users->update(administrator, id, changes));
  reply_user(call, user);
}

void delete_user(Context& context, Call call) {
  PAWL_API_TRY(administrator, administrator_of(call));
  PAWL_API_TRY(id, user_in_path(call));
  if (const auto removed = context.d.users->remove(administrator, id); removed.has_error()) return call.fail(removed.error());
  call.reply(http::Response::empty());
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape managed_user_shape() {
  auto members = user_members();
  members.push_back({"updated_at", Shape::time()});
  return Shape::object("ManagedUser", std::move(members));
}

}  // namespace

std::vector<Route> admin_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/admin/users",
       .id = "listUsers",
       .tag = "admin",
       .summary = "List users",
       .permission = Permission::administer,
       .handler = list_users,
       .runs = Runs::pool,
       .query = {{"q", Shape::text("ada"), "Part of the address or the name."}, limit_parameter(), cursor_parameter()},
       .reply = Shape::page("ManagedUserPage", managed_user_shape())},
      {.method = Method::get,
       .path = "/api/admin/users/{user_id}",
       .id = "getUser",
       .tag = "admin",
       .summary = "Read a user",
       .permission = Permission::administer,
       .handler = get_user,
       .runs = Runs::pool,
       .reply = managed_user_shape()},
      {.method = Method::put,
       .path = "/api/admin/users/{user_id}",
       .id = "updateUser",
       .tag = "admin",
       .summary = "Change a user",
       .permission = Permission::administer,
       .handler = update_user,
       .runs = Runs::pool,
       .body = Body::json,
       .request = Shape::object("ManagedUserChanges", {{"name", Shape::text("Ada", 200).at_least(1), Shape::kOptional},
                                                       {"is_active", Shape::boolean(true), Shape::kOptional},
                                                       {"is_superuser", Shape::boolean(false), Shape::kOptional}}),
       .reply = managed_user_shape(),
       .description = "Deactivating ends all sessions. At least one administrator remains."},
      {.method = Method::delete_,
       .path = "/api/admin/users/{user_id}",
       .id = "deleteUser",
       .tag = "admin",
       .summary = "Delete a user and what names them",
       .permission = Permission::administer,
       .handler = delete_user,
       .runs = Runs::pool,
       .status = 204,
       .description = "The personal organization goes with the user. Refused while the user is the last owner of a shared one."},
  };
}

}  // namespace pawl::api::detail
