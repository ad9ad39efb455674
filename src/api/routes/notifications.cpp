// Notifications: what a member should hear of, what is new, and what somebody wants to be told of how.
#include "notify/notifications.hpp"

#include <algorithm>
#include <array>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

using notify::NotificationView;
using notify::Preference;

notify::Reader reader_of(const Call& call) {
  return {call.principal.user, static_cast<int>(call.principal.role_in(call.organization).value_or(identity::Role::viewer))};
}

void append_notification(std::string& out, const NotificationView& view) {
  ObjectWriter object(out);
  object.text("id", view.id.to_string());
  object.text("kind", view.kind);
  object.text("title", view.title);
  object.value("data", view.data);
  object.integer("count", view.count);
  object.boolean("read", view.read);
  object.time("created_at", view.created_at);
  object.time("updated_at", view.updated_at);
}

void list_notifications(Context& context, Call call) {
  Query query(call.request);
  notify::NotificationFilter filter;
  filter.limit = query.limit();
  if (const auto text = query.text("unread")) {
    filter.unread = *text == "true";
    if (*text != "true" && *text != "false") query.problem("unread", "must be true or false");
  }
  if (const auto text = query.text("kind")) {
    filter.kind = *text;
    if (std::find(notify::kKinds.begin(), notify::kKinds.end(), *text) == notify::kKinds.end()) {
      query.problem("kind", "is none of the list's");
    }
  }
  if (const auto cursor = query.text("cursor")) {
    filter.before = notify::Place::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.notifications->list(call.organization, reader_of(call), filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const NotificationView& view) { append_notification(out, view); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void count_unread(Context& context, Call call) {
  PAWL_API_TRY(count, context.d.notifications->unread(call.organization, reader_of(call)));
  std::string out;
  {
    ObjectWriter object(out);
    object.integer("unread", count);
  }
  call.reply(200, std::move(out));
}

void mark_one(Context& context, Call call, bool read) {
  PAWL_API_TRY(id, path_id<notify::NotificationId>(call.request, "notification_id", "notification.not_found", "notification"));
  PAWL_API_TRY_VOID(context.d.notifications->mark_read(call.organization, reader_of(call), id, read));
  call.reply(http::Response::empty(204));
}
void mark_read(Context& context, Call call) { mark_one(context, std::move(call), true); }
void mark_unread(Context& context, Call call) { mark_one(context, std::move(call), false); }

void mark_all_read(Context& context, Call call) {
  PAWL_API_TRY(marked, context.d.notifications->mark_all_read(call.organization, reader_of(call)));
  std::string out;
  {
    ObjectWriter object(out);
    object.integer("marked", marked);
  }
  call.reply(200, std::move(out));
}

void reply_preferences(Context& context, Call& call) {
  PAWL_API_TRY(preferences, context.d.notifications->preferences(call.organization, call.principal.user));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), preferences, [&](const Preference& each) {
      ObjectWriter item(out);
      item.text("kind", each.kind);
      item.boolean("in_app", each.in_app);
      item.boolean("email", each.email);
    });
  }
  call.reply(200, std::move(out));
}

void get_preferences(Context& context, Call call) { reply_preferences(context, call); }

void set_preferences(Context& context, Call call) {
  std::vector<Preference> wishes;
  for (const auto& item : call.body.get("items").items()) {
    wishes.push_back({std::string(item.get("kind").as_string()), item.get("in_app").as_bool(), item.get("email").as_bool()});
  }
  PAWL_API_TRY_VOID(context.d.notifications->set_preferences(call.organization, call.principal.user, wishes));
  reply_preferences(context, call);
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape kind_shape() { return Shape::choice({notify::kKinds.begin(), notify::kKinds.end()}); }

Shape notification_shape() {
  auto data = json::Value::object({{"run_id", "0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d"},
                                   {"workflow_id", "0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5e"},
                                   {"workflow_name", "nightly"}});
  return Shape::object("Notification", {{"id", Shape::id()},
                                        {"kind", kind_shape()},
                                        {"title", Shape::text("The workflow nightly has failed", 1000)},
                                        {"data", Shape::any(std::move(data)).described("Ids and names of what it is about, for links.")},
                                        {"count", Shape::integer(3, 1).described("How often that happened within the hour.")},
                                        {"read", Shape::boolean(false)},
                                        {"created_at", Shape::time()},
                                        {"updated_at", Shape::time()}});
}

Shape preferences_shape(std::string_view name) {
  const auto item = Shape::object("NotificationPreference", {{"kind", kind_shape()},
                                                             {"in_app", Shape::boolean(true).described("Shown in the list.")},
                                                             {"email", Shape::boolean(false).described("Told by mail, in digests.")}});
  return Shape::object(name, {{"items", Shape::array(item, notify::kKinds.size())}});
}

Shape unread_shape() { return Shape::object("UnreadNotifications", {{"unread", Shape::integer(3)}}); }
Shape marked_shape() { return Shape::object("MarkedNotifications", {{"marked", Shape::integer(3)}}); }

}  // namespace

std::vector<Route> notification_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/notifications",
       .id = "listNotifications",
       .tag = "notifications",
       .summary = "List what has happened, newest first",
       .permission = Permission::read,
       .handler = list_notifications,
       .runs = Runs::pool,
       .query = {limit_parameter(), cursor_parameter(), {"unread", Shape::boolean(true)}, {"kind", kind_shape()}},
       .reply = Shape::page("NotificationPage", notification_shape()),
       .description = "What happens again within an hour is the same notification, counted; it is new again for those who had read it."},
      {.method = Method::get,
       .path = "/api/notifications/unread-count",
       .id = "countUnreadNotifications",
       .tag = "notifications",
       .summary = "Count what is new",
       .permission = Permission::read,
       .handler = count_unread,
       .runs = Runs::pool,
       .reply = unread_shape()},
      {.method = Method::post,
       .path = "/api/notifications/read-all",
       .id = "markAllNotificationsRead",
       .tag = "notifications",
       .summary = "Mark all as read",
       .permission = Permission::read,
       .handler = mark_all_read,
       .runs = Runs::pool,
       .reply = marked_shape()},
      {.method = Method::post,
       .path = "/api/notifications/{notification_id}/read",
       .id = "markNotificationRead",
       .tag = "notifications",
       .summary = "Mark one as read",
       .permission = Permission::read,
       .handler = mark_read,
       .runs = Runs::pool,
       .owner = &kNotificationOwner,
       .status = 204},
      {.method = Method::delete_,
       .path = "/api/notifications/{notification_id}/read",
       .id = "markNotificationUnread",
       .tag = "notifications",
       .summary = "Mark one as new",
       .permission = Permission::read,
       .handler = mark_unread,
       .runs = Runs::pool,
       .owner = &kNotificationOwner,
       .status = 204},
      {.method = Method::get,
       .path = "/api/notifications/preferences",
       .id = "getNotificationPreferences",
       .tag = "notifications",
       .summary = "Read what one is told of",
       .permission = Permission::read,
       .handler = get_preferences,
       .runs = Runs::pool,
       .reply = preferences_shape("NotificationPreferences")},
      {.method = Method::put,
       .path = "/api/notifications/preferences",
       .id = "setNotificationPreferences",
       .tag = "notifications",
       .summary = "Choose what one is told of, and how",
       .permission = Permission::read,
       .handler = set_preferences,
       .runs = Runs::pool,
       .body = Body::json,
       .request = preferences_shape("NotificationPreferencesChange"),
       .reply = preferences_shape("NotificationPreferences"),
       .description = "Kinds that are not named stay as they are. Mail goes to confirmed addresses only."},
  };
}

}  // namespace pawl::api::detail
