// A person's own data, taken along and erased; how long data is kept.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/trail.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "catalog/scheduler.hpp"
#include "identity/accounts.hpp"
#include "identity/organization_service.hpp"
#include "mail/transport.hpp"
#include "privacy/personal_data.hpp"
#include "privacy/retention.hpp"

namespace pawl::api::detail {
namespace {

/// A larger export does not go out as one reply.
constexpr std::size_t kMaxExport = 64U << 20U;

Error no_person() { return {ErrorClass::denied, "data.no_person", "Only a person has data: this key belongs to the installation."}; }

audit::Record record_of(const Call& call) {
  audit::Record record;
  record.actor = actor_of(call.principal);
  record.address = call.request.remote_address;
  record.request_id = call.request.request_id;
  return record;
}

void export_data(Context& context, Call call) {
  PAWL_API_CHECK(Query(call.request).finish());
  if (call.principal.user.is_nil()) return call.fail(no_person());
  std::string out;
  const auto exported = privacy::export_person(context.d.database, call.principal.user, [&](std::string_view piece) {
    out += piece;
    return out.size() <= kMaxExport;
  });
  if (exported.has_error()) return call.fail(exported.error());
  if (out.size() > kMaxExport) {
    return call.fail(Error(ErrorClass::too_large, "data.export_too_large", "There is more than fits one reply: ask your administrator."));
  }
  if (context.d.audit != nullptr) {
    auto record = record_of(call);
    record.action = "data.exported";
    record.resource = {"user", call.principal.user.to_string()};
    if (const auto kept = context.d.audit->append(std::move(record)); kept.has_error()) return call.fail(kept.error());
  }
  auto response = http::Response::json(200, std::move(out));
  response.headers.add("Content-Disposition", "attachment; filename=\"my-data.json\"");
  response.headers.add("Cache-Control", "no-store");
  call.reply(std::move(response));
}

void erase_data(Context& context, Call call) {
  const auto user = call.principal.user;
  if (user.is_nil()) return call.fail(no_person());
  if (context.d.audit == nullptr) return call.fail(Error(ErrorClass::unavailable, "audit.unavailable", "There is no audit trail here."));
  Fields fields(std::move(call.body));
  const auto password = fields.text("password", 1024).value_or("");
  if (fields.text("confirm").value_or("") != "erase") fields.problem("confirm", "must be `erase`");
  PAWL_API_CHECK(fields.finish());
  const identity::Client client{call.request.remote_address, std::string(call.request.header("User-Agent"))};
  // The password is asked, so that a stolen session cannot erase anybody.
  if (const auto proved = context.d.accounts->prove_password("data.erased", user, password, client); proved.has_error()) {
    if (proved.error().code != "auth.invalid_credentials") return call.fail(proved.error());
    return call.fail(Error(ErrorClass::denied, "data.wrong_password", "The password is not right."));  // no 401: the session is a good one
  }
  PAWL_API_TRY(person, context.d.accounts->user(user));
  PAWL_API_TRY(erased, privacy::erase_person(context.d.database, *context.d.audit, context.d.clock, {user, context.d.organization},
                                             record_of(call)));
  // What is in memory follows the commit: schedules, secrets, and what the person's credentials opened.
  for (const auto& workflow : erased.workflows) context.d.scheduler.changed(workflow);
  context.d.organizations->announce_deleted(erased.organizations);
  context.d.accounts->forget(user);
  // Development keeps mails as files. The person is erased already, whatever becomes of them.
  if (context.d.mails != nullptr) {
    PAWL_API_TRY_VOID(context.d.mails->forget(person.email));
  }
  call.reply(http::Response::empty());
}

Error no_retention() { return {ErrorClass::unavailable, "retention.unavailable", "Nothing is removed by age here."}; }

void show_policy(Context& context, Call call) {
  if (context.d.retention == nullptr) return call.fail(no_retention());
  const auto& policy_rows = context.d.retention->policy();
  Query query(call.request);
  const auto page = page_of(query, policy_rows, [](const privacy::Policy& policy) { return std::string(policy.type); });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const privacy::Policy& policy) {
      ObjectWriter item(out);
      item.text("type", policy.type);
      item.text_or_null("setting", policy.setting);
      item.text("age_of", policy.from);
      if (policy.keep) {
        item.integer("keep_hours", std::chrono::duration_cast<std::chrono::hours>(*policy.keep).count());
      } else {
        item.null("keep_hours");
      }
    });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

void clean_up(Context& context, Call call) {
  Query query(call.request);
  const auto text = query.text("dry_run").value_or("false");
  if (text != "true" && text != "false") query.problem("dry_run", "must be true or false");
  PAWL_API_CHECK(query.finish());
  if (context.d.retention == nullptr) return call.fail(no_retention());
  const bool dry_run = text == "true";
  PAWL_API_TRY(purged, dry_run ? context.d.retention->count() : context.d.retention->purge(actor_of(call.principal)));
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("dry_run", dry_run);
    append_array(object.raw("items"), purged, [&](const privacy::Purged& each) {
      ObjectWriter item(out);
      item.text("type", each.type);
      item.time("before", each.before);
      item.integer("count", static_cast<std::int64_t>(each.count));
    });
  }
  call.reply(200, std::move(out));
}

}  // namespace

std::vector<Route> data_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/data/export",
       .id = "exportMyData",
       .tag = "data",
       .summary = "Take along everything that is kept about oneself",
       .permission = Permission::account,
       .handler = export_data,
       .runs = Runs::pool,
       .reply =
           Shape::object("PersonalData", {{"account", Shape::array(Shape::any(json::Value::object({{"email", "ada@example.org"}})), 1)}})
               .open()},
      {.method = Method::delete_,
       .path = "/api/data/me",
       .id = "eraseMyData",
       .tag = "data",
       .summary = "Erase one's account and everything that is kept about oneself, irreversibly",
       .permission = Permission::account,
       .handler = erase_data,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("Erasure", {{"password", Shape::secret()}, {"confirm", Shape::choice({"erase"})}}),
       .status = 204,
       .description = "Organizations in which nobody else is go too, with all that they hold; their runs must have ended. 409 where an "
                      "organization with other members would be left without an owner."},
      {.method = Method::get,
       .path = "/api/admin/data-retention/policy",
       .id = "retentionPolicy",
       .tag = "data",
       .summary = "How long each kind of data is kept",
       .permission = Permission::administer,
       .handler = show_policy,
       .query = whole_list_parameters(),
       .reply =
           Shape::page("RetentionPolicy", Shape::object("RetentionRule", {{"type", Shape::text("runs")},
                                                                          {"setting", Shape::text("RETENTION_SESSIONS_DAYS").or_null()},
                                                                          {"age_of", Shape::text("the end of the run")},
                                                                          {"keep_hours", Shape::integer(4320).or_null()}}))},
      {.method = Method::post,
       .path = "/api/admin/data-retention/cleanup",
       .id = "cleanUpData",
       .tag = "data",
       .summary = "Remove what is older than the policy says",
       .permission = Permission::administer,
       .handler = clean_up,
       .runs = Runs::pool,
       .query = {{"dry_run", Shape::choice({"true", "false"}), "Only count."}},
       .reply =
           Shape::object("RetentionResult", {{"dry_run", Shape::boolean(true)},
                                             {"items", Shape::array(Shape::object("RetentionCount", {{"type", Shape::text("runs")},
                                                                                                     {"before", Shape::time().or_null()},
                                                                                                     {"count", Shape::integer(12)}}))}})},
  };
}

}  // namespace pawl::api::detail
