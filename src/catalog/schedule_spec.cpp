#include "catalog/schedule_spec.hpp"

#include <date/tz.h>

#include <fmt/core.h>

#include "catalog/file_watch.hpp"
#include "dsl/cron.hpp"

namespace pawl::catalog {
namespace {

constexpr Millis kShortestInterval{100};
constexpr int kMaxSkippedTimes = 100;

Error schedule_error(std::string_view pointer, std::string message) {
  Finding finding;
  finding.pointer = std::string(pointer);
  finding.message = message;
  finding.rule = "schedule";
  return {ErrorClass::unprocessable, "workflow.schedule", std::move(message), {std::move(finding)}};
}

/// Null for UTC, which needs no data of zones.
Result<const date::time_zone*> find_zone(const std::string& name) {
  if (name == "UTC" || name == "Etc/UTC") return nullptr;
  try {
    return date::locate_zone(name);
  } catch (const std::exception&) {
    return schedule_error("/metadata/timezone",
                          fmt::format("the time zone `{}` is not known on this machine (is the package tzdata installed?)", name));
  }
}

using Utc = date::sys_seconds;

/// UTC of a wall-clock time. A time that the clock skips (spring) counts at the moment of the change, one that comes twice (autumn) the
/// first time only.
Utc to_utc(const date::time_zone& zone, date::local_seconds local) {
  const auto info = zone.get_info(local);
  if (info.result == date::local_info::nonexistent) return info.first.end;
  return Utc(local.time_since_epoch()) - info.first.offset;
}

std::optional<TimePoint> next_in_zone(const dsl::Cron& cron, const date::time_zone& zone, TimePoint after) {
  const Utc start(std::chrono::floor<std::chrono::seconds>(after.time_since_epoch()));
  auto local = dsl::Cron::LocalTime(zone.to_local(start).time_since_epoch());
  // Around a change of the clock several wall-clock times may fall on or before `after`.
  for (int n = 0; n < kMaxSkippedTimes; ++n) {
    const auto next = cron.next(local);
    if (!next) return std::nullopt;
    const auto utc = to_utc(zone, date::local_seconds(next->time_since_epoch()));
    const TimePoint time(std::chrono::duration_cast<Millis>(utc.time_since_epoch()));
    if (time > after) return time;
    local = *next;
  }
  return std::nullopt;
}

Result<Millis> constant_interval(const dsl::Template& written, std::string_view pointer) {
  if (!written.is_constant()) return schedule_error(pointer, "a schedule's interval must be a constant");
  PAWL_TRY(interval, dsl::to_duration(written.constant()));
  if (interval < kShortestInterval)
    return schedule_error(pointer, fmt::format("the interval must be at least {} ms", kShortestInterval.count()));
  return interval;
}

json::Value with_policies(const dsl::Schedule& schedule, json::Value details) {
  details.set("misfire", to_text(schedule.misfire));
  details.set("overlap", to_text(schedule.overlap));
  return details;
}

Misfire misfire_of(const json::Value& details) {
  for (const auto misfire : {Misfire::skip, Misfire::catch_up}) {
    if (details.get("misfire") == json::Value(to_text(misfire))) return misfire;
  }
  return Misfire::run_once;
}

Overlap overlap_of(const json::Value& details) {
  for (const auto overlap : {Overlap::skip, Overlap::queue, Overlap::cancel_other}) {
    if (details.get("overlap") == json::Value(to_text(overlap))) return overlap;
  }
  return Overlap::allow;
}

Result<SchedulePolicy> cron_policy(const json::Value& details, SchedulePolicy policy) {
  if (!details.get("cron").is_string()) return schedule_error("/schedule/cron", "the cron expression is missing");
  PAWL_TRY(cron, dsl::Cron::parse(details.get("cron").as_string()));
  const auto& timezone = details.get("timezone");
  PAWL_TRY(zone, find_zone(timezone.is_string() ? std::string(timezone.as_string()) : "UTC"));
  policy.next = [cron, zone](TimePoint after) { return zone == nullptr ? cron.next_utc(after) : next_in_zone(cron, *zone, after); };
  return policy;
}

Millis interval_of(const json::Value& details, std::string_view name) {
  const auto& value = details.get(name);
  return Millis(value.is_integer() ? std::max<std::int64_t>(value.as_integer(), kShortestInterval.count()) : kShortestInterval.count());
}

/// For people, and for the search for circles: which workflows' ends it waits for.
json::Value event_details(const dsl::Plan& plan) {
  auto details = json::Value::object();
  const auto& after = plan.metadata.get("after");
  if (!after.is_array()) return details;
  auto list = json::Value::array();
  for (const auto& each : after.items()) {
    const auto& name_space = each.get("namespace");
    const auto& on = each.get("on");
    list.push_back(json::Value::object({{"namespace", name_space.is_null() ? json::Value(plan.namespace_name) : name_space},
                                        {"workflow", each.get("workflow")},
                                        {"on", on.is_null() ? json::Value::array({"completed"}) : on}}));
  }
  details.set("after", std::move(list));
  return details;
}

/// Of a document that has no `schedule` the compiler has not read it.
Result<Overlap> overlap_of(const dsl::Plan& plan) {
  if (plan.schedule) return plan.schedule->overlap;
  const auto& given = plan.metadata.get("overlap");
  if (given.is_null()) return Overlap::allow;
  for (const auto overlap : {Overlap::allow, Overlap::skip, Overlap::queue, Overlap::cancel_other}) {
    if (given == json::Value(to_text(overlap))) return overlap;
  }
  return schedule_error(plan.task_list_form ? "/metadata/overlap" : "/document/metadata/overlap",
                        "`overlap` is one of allow, skip, queue and cancel-other.");
}

}  // namespace

Result<std::vector<ScheduleSpec>> specs_of(const dsl::Plan& plan) {
  std::vector<ScheduleSpec> specs;
  PAWL_TRY(files, file_watch_of(plan));
  if (files) {
    PAWL_TRY(overlap, overlap_of(plan));
    auto details = to_details(*files);
    details.set("overlap", to_text(overlap));
    specs.push_back({"files", std::move(details)});
  }
  if (!plan.schedule) return specs;
  const auto& schedule = *plan.schedule;
  if (schedule.cron) {
    auto details = json::Value::object({{"cron", *schedule.cron}, {"timezone", schedule.timezone}});
    specs.push_back({"cron", with_policies(schedule, std::move(details))});
  }
  if (schedule.every) {
    PAWL_TRY(every, constant_interval(*schedule.every, "/schedule/every"));
    specs.push_back({"every", with_policies(schedule, json::Value::object({{"every_ms", static_cast<std::int64_t>(every.count())}}))});
  }
  if (schedule.after) {
    PAWL_TRY(after, constant_interval(*schedule.after, "/schedule/after"));
    specs.push_back({"after", with_policies(schedule, json::Value::object({{"after_ms", static_cast<std::int64_t>(after.count())}}))});
  }
  if (schedule.on) specs.push_back({"on", event_details(plan)});
  for (const auto& spec : specs) PAWL_TRY_VOID(policy_of(spec, TimePoint{}));
  return specs;
}

Result<SchedulePolicy> policy_of(const ScheduleSpec& spec, TimePoint anchor) {
  SchedulePolicy policy;
  policy.misfire = misfire_of(spec.details);
  policy.overlap = overlap_of(spec.details);
  if (spec.kind == "cron") return cron_policy(spec.details, std::move(policy));
  if (spec.kind == "every") policy.next = interval_times(anchor, interval_of(spec.details, "every_ms"));
  if (spec.kind == "after") {
    policy.after_completion = true;
    policy.next = [delay = interval_of(spec.details, "after_ms")](TimePoint end) -> std::optional<TimePoint> { return end + delay; };
  }
  return policy;
}

}  // namespace pawl::catalog
