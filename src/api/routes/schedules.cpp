// Schedules: list, read, pause and resume. They are made by the documents that declare them.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

void append_schedule(std::string& out, const catalog::ScheduleView& schedule) {
  ObjectWriter object(out);
  object.text("id", schedule.id.to_string());
  object.text("workflow_id", schedule.workflow.to_string());
  object.text("workflow_name", schedule.workflow_name);
  object.text("kind", schedule.kind);
  for (const auto& member : schedule.details.members()) object.value(member.name(), member.value);
  object.boolean("enabled", schedule.enabled);
  object.time("next_due", schedule.next_due);
  object.time("last_fired", schedule.last_fired);
  object.integer("skipped", static_cast<std::int64_t>(schedule.skipped));
}

Result<ScheduleId> schedule_id(const http::Request& request) {
  return path_id<ScheduleId>(request, "schedule_id", "schedule.not_found", "schedule");
}

void reply_schedule(Call& call, const catalog::ScheduleView& schedule) {
  std::string out;
  append_schedule(out, schedule);
  call.reply(200, std::move(out));
}

void list_schedules(Context& context, Call call) {
  Query query(call.request);
  catalog::ScheduleFilter filter;
  filter.limit = query.limit();
  if (const auto text = query.text("workflow_id")) {
    filter.workflow = WorkflowId::parse(*text);
    if (!filter.workflow) query.problem("workflow_id", "must be an id");
  }
  if (const auto cursor = query.text("cursor")) {
    filter.before = ScheduleId::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.scheduler.list(call.organization, filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.schedules, [&](const catalog::ScheduleView& schedule) { append_schedule(out, schedule); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_schedule(Context& context, Call call) {
  PAWL_API_TRY(id, schedule_id(call.request));
  PAWL_API_TRY(schedule, context.d.scheduler.get(call.organization, id));
  reply_schedule(call, schedule);
}

void change_schedule(Context& context, Call call) {
  PAWL_API_TRY(id, schedule_id(call.request));
  Fields fields(std::move(call.body));
  fields.require("enabled");
  const auto enabled = fields.boolean("enabled");
  PAWL_API_CHECK(fields.finish());
  PAWL_API_TRY(schedule, context.d.scheduler.change(call.organization, id, enabled.value_or(true)));
  reply_schedule(call, schedule);
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape schedule_shape() {
  return Shape::object("Schedule", {{"id", Shape::id()},
                                    {"workflow_id", Shape::id()},
                                    {"workflow_name", Shape::text("nightly")},
                                    {"kind", Shape::text("cron")},
                                    {"enabled", Shape::boolean(true)},
                                    {"next_due", Shape::time().or_null()},
                                    {"last_fired", Shape::time().or_null()},
                                    {"skipped", Shape::integer(0)}})
      .open();
}

}  // namespace

std::vector<Route> schedule_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/schedules",
       .id = "listSchedules",
       .tag = "schedules",
       .summary = "List schedules",
       .permission = Permission::read,
       .handler = list_schedules,
       .runs = Runs::pool,
       .query = {{"workflow_id", Shape::id(), "Of this workflow."}, limit_parameter(), cursor_parameter()},
       .reply = Shape::page("SchedulePage", schedule_shape())},
      {.method = Method::get,
       .path = "/api/schedules/{schedule_id}",
       .id = "getSchedule",
       .tag = "schedules",
       .summary = "Read a schedule",
       .permission = Permission::read,
       .handler = get_schedule,
       .runs = Runs::pool,
       .owner = &kScheduleOwner,
       .reply = schedule_shape()},
      {.method = Method::post,
       .path = "/api/schedules/{schedule_id}",
       .id = "changeSchedule",
       .tag = "schedules",
       .summary = "Pause or resume a schedule",
       .permission = Permission::write,
       .handler = change_schedule,
       .runs = Runs::pool,
       .owner = &kScheduleOwner,
       .body = Body::json,
       .request = Shape::object("ScheduleChange", {{"enabled", Shape::boolean(true)}}),
       .reply = schedule_shape()},
  };
}

}  // namespace pawl::api::detail
