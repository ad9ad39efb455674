// How the installation is configured and what it limits, for its administrators. Nothing here can be changed.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "limits/rate_limiter.hpp"

namespace pawl::api::detail {
namespace {

void append_setting(std::string& out, const ShownSetting& setting) {
  ObjectWriter object(out);
  object.text("name", setting.name);
  object.text("summary", setting.summary);
  object.text_or_null("unit", setting.unit);
  object.text("source", setting.source);
  object.boolean("secret", setting.secret);
  object.boolean("is_set", setting.is_set);
  object.text_or_null("value", setting.value);
  object.text_or_null("default", setting.fallback);
}

void list_settings(Context& context, Call call) {
  Query query(call.request);
  const auto page = page_of(query, context.options.settings, [](const ShownSetting& setting) { return std::string(setting.name); });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const ShownSetting& setting) { append_setting(out, setting); });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

std::string_view to_text(limits::RateLimiter::Status status) {
  using Status = limits::RateLimiter::Status;
  switch (status) {
    case Status::local: return "process";
    case Status::shared: return "redis";
    case Status::warning: return "redis_away";
  }
  return "process";
}

void get_limits(Context& context, Call call) {
  Query query(call.request);
  PAWL_API_CHECK(query.finish());
  const auto* limiter = context.d.limiter;
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("enabled", limiter != nullptr && limiter->enabled());
    object.text("counted_by", to_text(limiter == nullptr ? limits::RateLimiter::Status::local : limiter->status()));
    object.integer("max_body_bytes", static_cast<std::int64_t>(context.options.max_body_bytes));
    object.integer("max_definition_bytes", static_cast<std::int64_t>(context.options.max_definition_bytes));
    std::vector<limits::Figures> rules;
    if (limiter != nullptr) {
      const auto figures = limiter->figures();
      rules.assign(figures.begin(), figures.end());
    }
    append_array(object.raw("rules"), rules, [&](const limits::Figures& rule) {
      ObjectWriter item(out);
      item.text("rule", limits::to_text(rule.rule));
      item.integer("amount", rule.rate.amount);
      item.integer("window_seconds", std::chrono::duration_cast<std::chrono::seconds>(rule.rate.window).count());
      item.integer("allowed", static_cast<std::int64_t>(rule.allowed));
      item.integer("refused", static_cast<std::int64_t>(rule.refused));
    });
  }
  call.reply(200, std::move(out));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape setting_shape() {
  return Shape::object("Setting", {{"name", Shape::text("API_PORT")},
                                   {"summary", Shape::text("Port to listen on.", 10'000)},
                                   {"unit", Shape::text("seconds").or_null()},
                                   {"source", Shape::choice({"default", "file", "environment", "flag"})},
                                   {"secret", Shape::boolean(false)},
                                   {"is_set", Shape::boolean(true)},
                                   {"value", Shape::text("8000", 1U << 20U).or_null().described("Never that of a secret.")},
                                   {"default", Shape::text("8000", 10'000).or_null()}});
}

Shape limits_shape() {
  const auto rule =
      Shape::object("RateRule", {{"rule", Shape::choice({"auth_address", "auth_account", "minute", "hour", "webhook", "model"})},
                                 {"amount", Shape::integer(600)},
                                 {"window_seconds", Shape::integer(60)},
                                 {"allowed", Shape::integer(1042)},
                                 {"refused", Shape::integer(3)}});
  return Shape::object("Limits", {{"enabled", Shape::boolean(true)},
                                  {"counted_by", Shape::choice({"process", "redis", "redis_away"})},
                                  {"max_body_bytes", Shape::integer(4'194'304)},
                                  {"max_definition_bytes", Shape::integer(1'048'576)},
                                  {"rules", Shape::array(rule).described("With what this process has answered since it began.")}});
}

}  // namespace

std::vector<Route> settings_routes() {
  using http::Method;
  return {{.method = Method::get,
           .path = "/api/admin/settings",
           .id = "listSettings",
           .tag = "admin",
           .summary = "List the settings of the installation with their sources",
           .permission = Permission::administer,
           .handler = list_settings,
           .query = whole_list_parameters(),
           .reply = Shape::page("SettingPage", setting_shape()),
           .description = "As they were read at the start. Of secrets only whether they are set."},
          {.method = Method::get,
           .path = "/api/admin/limits",
           .id = "getLimits",
           .tag = "admin",
           .summary = "Read what is limited, and how often that refused somebody",
           .permission = Permission::administer,
           .handler = get_limits,
           .reply = limits_shape()}};
}

}  // namespace pawl::api::detail
