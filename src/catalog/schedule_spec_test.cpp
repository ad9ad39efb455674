#include "catalog/schedule_spec.hpp"

#include <gmock/gmock.h>

namespace pawl::catalog {
namespace {

TimePoint at(std::string_view text) { return *parse_rfc3339(text); }

SchedulePolicy cron_policy(std::string_view cron, std::string_view zone) {
  auto policy = policy_of({"cron", json::Value::object({{"cron", cron}, {"timezone", zone}})}, TimePoint{});
  EXPECT_TRUE(policy.has_value()) << policy.error().message;
  return *policy;
}

bool has_zones() {
  return policy_of({"cron", json::Value::object({{"cron", "0 0 * * *"}, {"timezone", "Europe/Berlin"}})}, TimePoint{}).has_value();
}

// proves: W6
TEST(ScheduleSpec, CronFollowsTheTimeZoneThroughTheYear) {
  if (!has_zones()) GTEST_SKIP() << "no time zone data on this machine";
  const auto policy = cron_policy("30 8 * * *", "Europe/Berlin");
  EXPECT_EQ(policy.next(at("2026-01-10T00:00:00Z")), at("2026-01-10T07:30:00Z"));
  EXPECT_EQ(policy.next(at("2026-07-10T00:00:00Z")), at("2026-07-10T06:30:00Z"));
  EXPECT_EQ(policy.next(at("2026-07-10T06:30:00Z")), at("2026-07-11T06:30:00Z"));
}

// proves: W6
TEST(ScheduleSpec, ASkippedHourFiresAtTheChangeAndARepeatedOneOnce) {
  if (!has_zones()) GTEST_SKIP() << "no time zone data on this machine";
  const auto policy = cron_policy("30 2 * * *", "Europe/Berlin");
  // 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
  EXPECT_EQ(policy.next(at("2026-03-28T12:00:00Z")), at("2026-03-29T01:00:00Z"));
  EXPECT_EQ(policy.next(at("2026-03-29T01:00:00Z")), at("2026-03-30T00:30:00Z"));
  // 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
  EXPECT_EQ(policy.next(at("2026-10-24T12:00:00Z")), at("2026-10-25T00:30:00Z"));
  EXPECT_EQ(policy.next(at("2026-10-25T00:30:00Z")), at("2026-10-26T01:30:00Z"));
}

TEST(ScheduleSpec, AnUnknownZoneIsAnErrorThatNamesIt) {
  const auto policy = policy_of({"cron", json::Value::object({{"cron", "0 0 * * *"}, {"timezone", "Mars/Olympus"}})}, TimePoint{});
  ASSERT_TRUE(policy.has_error());
  EXPECT_THAT(policy.error().message, testing::HasSubstr("Mars/Olympus"));
}

TEST(ScheduleSpec, PoliciesSurviveTheirText) {
  const auto policy =
      policy_of({"every", json::Value::object({{"every_ms", 1000}, {"misfire", "catch-up"}, {"overlap", "cancel-other"}})}, TimePoint{});
  ASSERT_TRUE(policy.has_value());
  EXPECT_EQ(policy->misfire, Misfire::catch_up);
  EXPECT_EQ(policy->overlap, Overlap::cancel_other);
  EXPECT_EQ(policy->next(TimePoint(Millis(1500))), TimePoint(Millis(2000)));
}

}  // namespace
}  // namespace pawl::catalog
