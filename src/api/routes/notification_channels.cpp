// Notification channels: where an organization is told besides the application.
#include <memory>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "notify/channels.hpp"

namespace pawl::api::detail {
namespace {

using notify::Channel;

void append_channel(std::string& out, const Channel& channel) {
  ObjectWriter object(out);
  object.text("id", channel.id.to_string());
  object.text("kind", channel.kind);
  object.text("name", channel.name);
  object.text("host", channel.host);
  append_array(object.raw("kinds"), channel.kinds, [&](const std::string& kind) { json::append_quoted(out, kind); });
  object.boolean("is_active", channel.is_active);
  object.boolean("is_signed", channel.is_signed);
  object.text_or_null("created_by", channel.created_by.is_nil() ? "" : channel.created_by.to_string());
  object.time("created_at", channel.created_at);
  object.time("updated_at", channel.updated_at);
  object.time("last_sent_at", channel.last_sent_at);
  object.text_or_null("last_error", channel.last_error);
}

void reply_channel(Call& call, int status, const Channel& channel) {
  std::string out;
  append_channel(out, channel);
  call.reply(status, std::move(out));
}

Result<notify::ChannelId> channel_id(const http::Request& request) {
  return path_id<notify::ChannelId>(request, "channel_id", "notification_channel.not_found", "notification channel");
}

std::optional<std::string> text_in(const json::Value& body, std::string_view name) {
  const auto& value = body.get(name);
  if (!value.is_string()) return std::nullopt;
  return std::string(value.as_string());
}

std::optional<std::vector<std::string>> kinds_in(const json::Value& body) {
  const auto& value = body.get("kinds");
  if (!value.is_array()) return std::nullopt;
  std::vector<std::string> kinds;
  for (const auto& kind : value.items()) kinds.emplace_back(kind.as_string());
  return kinds;
}

void list_channels(Context& context, Call call) {
  PAWL_API_TRY(channels, context.d.channels->list(call.organization));
  Query query(call.request);
  const auto page = page_of(query, channels, [](const Channel& channel) { return channel.name; });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const Channel& channel) { append_channel(out, channel); });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

void create_channel(Context& context, Call call) {
  notify::NewChannel wish;
  wish.kind = text_in(call.body, "kind").value_or("");
  wish.name = text_in(call.body, "name").value_or("");
  wish.url = text_in(call.body, "url").value_or("");
  wish.key = text_in(call.body, "key").value_or("");
  wish.kinds = kinds_in(call.body).value_or(std::vector<std::string>{});
  PAWL_API_TRY(made, context.d.channels->create(call.organization, call.principal.user, wish));
  reply_channel(call, 201, made);
}

void update_channel(Context& context, Call call) {
  PAWL_API_TRY(id, channel_id(call.request));
  notify::ChannelChanges changes;
  changes.name = text_in(call.body, "name");
  changes.url = text_in(call.body, "url");
  changes.key = text_in(call.body, "key");
  changes.kinds = kinds_in(call.body);
  if (const auto& active = call.body.get("is_active"); active.is_bool()) changes.is_active = active.as_bool();
  PAWL_API_TRY(changed, context.d.channels->update(call.organization, id, changes));
  reply_channel(call, 200, changed);
}

void delete_channel(Context& context, Call call) {
  PAWL_API_TRY(id, channel_id(call.request));
  PAWL_API_TRY_VOID(context.d.channels->remove(call.organization, id));
  call.reply(http::Response::empty(204));
}

void test_channel(Context& context, Call call) {
  PAWL_API_TRY(id, channel_id(call.request));
  const auto organization = call.organization;
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.channels->test(organization, id, [shared](Result<void> outcome) {
    if (outcome.has_error() && outcome.error().kind == ErrorClass::not_found) return shared->fail(outcome.error());
    std::string out;
    {
      ObjectWriter object(out);
      object.text("status", outcome.has_value() ? "ok" : "failed");
      object.text("detail", outcome.has_value() ? "The channel took the message." : outcome.error().message);
    }
    shared->reply(200, std::move(out));
  });
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape kinds_shape() {
  return Shape::array(Shape::choice({notify::kKinds.begin(), notify::kKinds.end()}), notify::kKinds.size())
      .described("What it is told of; empty: everything.");
}

Shape channel_shape() {
  return Shape::object("NotificationChannel",
                       {{"id", Shape::id()},
                        {"kind", Shape::choice({"slack", "webhook"})},
                        {"name", Shape::text("on call")},
                        {"host", Shape::text("hooks.example.com", 300).described("All that is shown of the address.")},
                        {"kinds", kinds_shape()},
                        {"is_active", Shape::boolean(true)},
                        {"is_signed", Shape::boolean(true)},
                        {"created_by", Shape::id().or_null()},
                        {"created_at", Shape::time()},
                        {"updated_at", Shape::time()},
                        {"last_sent_at", Shape::time().or_null()},
                        {"last_error", Shape::text("The channel answered 500.", 1000).or_null()}});
}

Shape address_shape() { return Shape::secret(notify::kMaxUrl).described("An http or https address; never shown again."); }
Shape key_shape() { return Shape::secret(notify::kMaxKey).described("Signs what a webhook is sent; never shown again."); }

Shape new_channel_shape() {
  return Shape::object("NewNotificationChannel", {{"kind", Shape::choice({"slack", "webhook"})},
                                                  {"name", Shape::text("on call").at_least(1)},
                                                  {"url", address_shape()},
                                                  {"key", key_shape(), Shape::kOptional},
                                                  {"kinds", kinds_shape(), Shape::kOptional}});
}

Shape channel_change_shape() {
  return Shape::object("NotificationChannelChange", {{"name", Shape::text("on call").at_least(1), Shape::kOptional},
                                                     {"url", address_shape(), Shape::kOptional},
                                                     {"key", key_shape(), Shape::kOptional},
                                                     {"kinds", kinds_shape(), Shape::kOptional},
                                                     {"is_active", Shape::boolean(true), Shape::kOptional}});
}

Shape channel_test_shape() {
  return Shape::object("NotificationChannelTest",
                       {{"status", Shape::choice({"ok", "failed"})}, {"detail", Shape::text("The channel took the message.", 1000)}});
}

}  // namespace

std::vector<Route> notification_channel_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/notification-channels",
       .id = "listNotificationChannels",
       .tag = "notifications",
       .summary = "List where the organization is told, addresses hidden",
       .permission = Permission::manage,
       .handler = list_channels,
       .runs = Runs::pool,
       .query = whole_list_parameters(),
       .reply = Shape::page("NotificationChannelPage", channel_shape())},
      {.method = Method::post,
       .path = "/api/notification-channels",
       .id = "createNotificationChannel",
       .tag = "notifications",
       .summary = "Add Slack or a webhook",
       .permission = Permission::manage,
       .handler = create_channel,
       .runs = Runs::pool,
       .body = Body::json,
       .request = new_channel_shape(),
       .status = 201,
       .reply = channel_shape()},
      {.method = Method::patch,
       .path = "/api/notification-channels/{channel_id}",
       .id = "updateNotificationChannel",
       .tag = "notifications",
       .summary = "Change a channel",
       .permission = Permission::manage,
       .handler = update_channel,
       .runs = Runs::pool,
       .owner = &kNotificationChannelOwner,
       .body = Body::json,
       .request = channel_change_shape(),
       .reply = channel_shape()},
      {.method = Method::delete_,
       .path = "/api/notification-channels/{channel_id}",
       .id = "deleteNotificationChannel",
       .tag = "notifications",
       .summary = "Remove a channel",
       .permission = Permission::manage,
       .handler = delete_channel,
       .runs = Runs::pool,
       .owner = &kNotificationChannelOwner,
       .status = 204},
      {.method = Method::post,
       .path = "/api/notification-channels/{channel_id}/test",
       .id = "testNotificationChannel",
       .tag = "notifications",
       .summary = "Send a test message",
       .permission = Permission::manage,
       .handler = test_channel,
       .runs = Runs::pool,
       .owner = &kNotificationChannelOwner,
       .reply = channel_test_shape()},
  };
}

}  // namespace pawl::api::detail
