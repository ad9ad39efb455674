// Schedules: list, read, pause and resume, look ahead. They are made by the documents that declare them.
#include <charconv>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "catalog/schedule_spec.hpp"

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

// ---- what comes next ------------------------------------------------------------------------------------------------------------

constexpr std::int64_t kDefaultDays = 30;
constexpr std::int64_t kMostDays = 62;
/// Of one schedule; what fires more often is no calendar's business.
constexpr std::size_t kMostTimes = 200;
constexpr std::uint32_t kMostSchedules = 200;

struct Upcoming {
  std::vector<TimePoint> times;
  bool more = false;
};

/// As if every firing were in time. A schedule that waits for the end of its last run has its next time only.
Upcoming upcoming_of(const catalog::ScheduleView& schedule, TimePoint until) {
  Upcoming upcoming;
  if (!schedule.enabled || !schedule.next_due) return upcoming;
  const auto policy = catalog::policy_of({schedule.kind, schedule.details}, *schedule.next_due);
  for (auto time = schedule.next_due; time && *time < until;) {
    if (upcoming.times.size() == kMostTimes) {
      upcoming.more = true;
      return upcoming;
    }
    upcoming.times.push_back(*time);
    if (policy.has_error() || policy->after_completion || !policy->next) return upcoming;
    time = policy->next(*time);
  }
  return upcoming;
}

std::int64_t days_of(Query& query) {
  const auto text = query.text("days");
  if (!text) return kDefaultDays;
  std::int64_t days = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), days);
  if (error != std::errc{} || end != text->data() + text->size() || days < 1 || days > kMostDays) {
    query.problem("days", "must be a number from 1 to 62");
    return kDefaultDays;
  }
  return days;
}

void upcoming_schedules(Context& context, Call call) {
  Query query(call.request);
  catalog::ScheduleFilter filter;
  filter.limit = kMostSchedules;
  const auto until = context.d.clock.now() + std::chrono::hours(24) * days_of(query);
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.scheduler.list(call.organization, filter));
  std::string out;
  {
    ObjectWriter object(out);
    object.time("until", until);
    append_array(object.raw("items"), page.schedules, [&](const catalog::ScheduleView& schedule) {
      const auto upcoming = upcoming_of(schedule, until);
      ObjectWriter item(out);
      item.text("schedule_id", schedule.id.to_string());
      item.text("workflow_id", schedule.workflow.to_string());
      item.text("workflow_name", schedule.workflow_name);
      item.boolean("more", upcoming.more);
      append_array(item.raw("times"), upcoming.times, [&out](TimePoint time) { json::append_quoted(out, to_rfc3339(time)); });
    });
    object.text_or_null("next_cursor", "");
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

Shape upcoming_shape() {
  return Shape::object("UpcomingPage",
                       {{"until", Shape::time()},
                        {"items", Shape::array(Shape::object("Upcoming", {{"schedule_id", Shape::id()},
                                                                          {"workflow_id", Shape::id()},
                                                                          {"workflow_name", Shape::text("nightly")},
                                                                          {"more", Shape::boolean(false)},
                                                                          {"times", Shape::array(Shape::time(), kMostTimes)}}))},
                        {"next_cursor", Shape::text("").or_null()}});
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
       .path = "/api/schedules/upcoming",
       .id = "listUpcoming",
       .tag = "schedules",
       .summary = "When schedules fire next",
       .permission = Permission::read,
       .handler = upcoming_schedules,
       .runs = Runs::pool,
       .query = {{"days", Shape::integer(kDefaultDays, 1, kMostDays), "How far ahead."}},
       .reply = upcoming_shape(),
       .description = "At most 200 times of each of the newest 200 schedules; `more` where there are others within the time."},
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
