#include "dsl/cron.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::dsl {
namespace {

std::string next(std::string_view cron, std::string_view after) {
  const auto parsed = Cron::parse(cron);
  if (parsed.has_error()) return parsed.error().message;
  const auto found = parsed.value().next_utc(parse_rfc3339(after).value());
  return found ? to_rfc3339(*found) : "never";
}

TEST(Cron, FindsTheNextTimeForFiveAndSixFields) {
  EXPECT_EQ(next("0 0 * * *", "2026-11-22T09:47:00Z"), "2026-11-23T00:00:00.000Z");
  EXPECT_EQ(next("*/15 * * * *", "2026-11-22T09:47:00Z"), "2026-11-22T10:00:00.000Z");
  EXPECT_EQ(next("*/10 * * * * *", "2026-11-22T09:47:03Z"), "2026-11-22T09:47:10.000Z");
  EXPECT_EQ(next("30 4 1,15 * *", "2026-11-15T04:30:00Z"), "2026-12-01T04:30:00.000Z");
  EXPECT_EQ(next("0 9-17/4 * * MON-FRI", "2026-11-22T00:00:00Z"), "2026-11-23T09:00:00.000Z");
  EXPECT_EQ(next("0 0 29 feb *", "2026-11-22T00:00:00Z"), "2028-02-29T00:00:00.000Z");
  EXPECT_EQ(next("5/20 * * * *", "2026-11-22T09:47:00Z"), "2026-11-22T10:05:00.000Z");
}

TEST(Cron, TakesADayThatFitsEitherOfTwoRestrictedFields) {
  // 13th or Friday.
  EXPECT_EQ(next("0 0 13 * 5", "2026-11-22T00:00:00Z"), "2026-11-27T00:00:00.000Z");
  EXPECT_EQ(next("0 0 13 * 5", "2026-12-12T00:00:00Z"), "2026-12-13T00:00:00.000Z");
}

TEST(Cron, KnowsSundayByBothNumbersAndTheQuestionMark) {
  EXPECT_EQ(next("0 0 ? * 0", "2026-11-23T00:00:00Z"), "2026-11-29T00:00:00.000Z");
  EXPECT_EQ(next("0 0 ? * 7", "2026-11-23T00:00:00Z"), "2026-11-29T00:00:00.000Z");
  EXPECT_EQ(next("0 0 * * 5-7", "2026-11-23T00:00:00Z"), "2026-11-27T00:00:00.000Z");
}

TEST(Cron, ExpandsMacros) {
  EXPECT_EQ(next("@hourly", "2026-11-22T09:47:00Z"), "2026-11-22T10:00:00.000Z");
  EXPECT_EQ(next("@yearly", "2026-11-22T09:47:00Z"), "2027-01-01T00:00:00.000Z");
}

TEST(Cron, NamesWhatIsWrong) {
  using ::testing::HasSubstr;
  EXPECT_THAT(next("61 * * * *", "2026-11-22T00:00:00Z"), HasSubstr("minute"));
  EXPECT_THAT(next("* 24 * * *", "2026-11-22T00:00:00Z"), HasSubstr("hour"));
  EXPECT_THAT(next("* * 0 * *", "2026-11-22T00:00:00Z"), HasSubstr("day of the month"));
  EXPECT_THAT(next("* * * jux *", "2026-11-22T00:00:00Z"), HasSubstr("month"));
  EXPECT_THAT(next("* * * * 8", "2026-11-22T00:00:00Z"), HasSubstr("weekday"));
  EXPECT_THAT(next("*/0 * * * *", "2026-11-22T00:00:00Z"), HasSubstr("step"));
  EXPECT_THAT(next("5-1 * * * *", "2026-11-22T00:00:00Z"), HasSubstr("backwards"));
  EXPECT_THAT(next("* * *", "2026-11-22T00:00:00Z"), HasSubstr("has 3"));
  EXPECT_THAT(next("0 0 30 2 *", "2026-11-22T00:00:00Z"), HasSubstr("does not have it"));
  EXPECT_THAT(next("@sometimes", "2026-11-22T00:00:00Z"), HasSubstr("none of"));
  EXPECT_THAT(next("1,,2 * * * *", "2026-11-22T00:00:00Z"), HasSubstr("minute"));
  EXPECT_THAT(next("", "2026-11-22T00:00:00Z"), HasSubstr("has 0"));
}

}  // namespace
}  // namespace pawl::dsl
