#include "catalog/schedule_state.hpp"

#include <gmock/gmock.h>

namespace pawl::catalog {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimePoint kStart{Millis(1'000'000'000)};
constexpr Millis kMinute{60'000};

TimePoint minute(int n) { return kStart + n * kMinute; }
RunId run_id(std::uint8_t n) {
  RunId id;
  id.uuid.bytes[15] = n;
  return id;
}

struct Fixture {
  SchedulePolicy policy;
  ScheduleState state;
  explicit Fixture(Misfire misfire = Misfire::run_once, Overlap overlap = Overlap::allow) {
    policy.misfire = misfire;
    policy.overlap = overlap;
    policy.next = interval_times(kStart, kMinute);
    state.next_due = minute(1);
  }
};

// proves: W6, S0-R4
TEST(ScheduleState, FiresWhenDueAndNotBefore) {
  Fixture f;
  EXPECT_THAT(on_time(f.policy, f.state, minute(1) - Millis(1)).start, IsEmpty());
  EXPECT_THAT(on_time(f.policy, f.state, minute(1) + Millis(3)).start, ElementsAre(minute(1)));
  EXPECT_EQ(f.state.next_due, minute(2));
  EXPECT_THAT(on_time(f.policy, f.state, minute(1) + Millis(4)).start, IsEmpty());
}

// proves: S0-R4
TEST(ScheduleState, AnIntervalDoesNotDrift) {
  const auto next = interval_times(kStart, Millis(1000));
  EXPECT_EQ(next(kStart), kStart + Millis(1000));
  EXPECT_EQ(next(kStart + Millis(1999)), kStart + Millis(2000));
  EXPECT_EQ(next(kStart + Millis(2000)), kStart + Millis(3000));
  EXPECT_EQ(next(kStart - Millis(5)), kStart + Millis(1000));
}

// proves: W6, S0-R4
TEST(ScheduleState, MisfireRunOnceMakesUpForAllMissedTimesWithOneRun) {
  Fixture f;
  EXPECT_THAT(on_time(f.policy, f.state, minute(10)).start, ElementsAre(minute(1)));
  EXPECT_EQ(f.state.next_due, minute(11));
}

// proves: W6, S0-R4
TEST(ScheduleState, MisfireSkipForgetsWhatIsLateButNotWhatIsAMomentLate) {
  Fixture f(Misfire::skip);
  EXPECT_THAT(on_time(f.policy, f.state, minute(10) + Millis(1)).start, IsEmpty());
  EXPECT_EQ(f.state.skipped, 1U);
  EXPECT_EQ(f.state.next_due, minute(11));
  EXPECT_THAT(on_time(f.policy, f.state, minute(11) + kMisfireGrace).start, ElementsAre(minute(11)));
}

// proves: W6, S0-R4
TEST(ScheduleState, MisfireCatchUpRunsEachMissedTimeUpToItsBound) {
  Fixture f(Misfire::catch_up);
  EXPECT_THAT(on_time(f.policy, f.state, minute(3)).start, ElementsAre(minute(1), minute(2), minute(3)));
  EXPECT_EQ(f.state.next_due, minute(4));
  EXPECT_EQ(on_time(f.policy, f.state, minute(100'000)).start.size(), kMaxCatchUp);
  EXPECT_EQ(f.state.next_due, minute(100'001));
  EXPECT_EQ(f.state.skipped, 1U);
}

// proves: W6
TEST(ScheduleState, OverlapSkipLeavesOutATimeWhileARunGoesOn) {
  Fixture f(Misfire::run_once, Overlap::skip);
  f.state.running = {run_id(1)};
  EXPECT_THAT(on_time(f.policy, f.state, minute(1)).start, IsEmpty());
  EXPECT_EQ(f.state.skipped, 1U);
  EXPECT_THAT(on_ended(f.policy, f.state, run_id(1), minute(1)).start, IsEmpty());
  EXPECT_THAT(on_time(f.policy, f.state, minute(2)).start, ElementsAre(minute(2)));
}

// proves: W6
TEST(ScheduleState, OverlapQueueRunsOneAfterTheOther) {
  Fixture f(Misfire::run_once, Overlap::queue);
  f.state.running = {run_id(1)};
  EXPECT_THAT(on_time(f.policy, f.state, minute(1)).start, IsEmpty());
  EXPECT_THAT(on_time(f.policy, f.state, minute(2)).start, IsEmpty());
  EXPECT_THAT(on_ended(f.policy, f.state, run_id(1), minute(2)).start, ElementsAre(minute(1)));
  f.state.running = {run_id(2)};
  EXPECT_THAT(on_ended(f.policy, f.state, run_id(2), minute(2)).start, ElementsAre(minute(2)));
  f.state.running = {run_id(3)};
  for (int n = 3; n < 3 + static_cast<int>(kMaxQueued) + 5; ++n) EXPECT_THAT(on_time(f.policy, f.state, minute(n)).start, IsEmpty());
  EXPECT_EQ(f.state.queued.size(), kMaxQueued);
  EXPECT_EQ(f.state.skipped, 5U);
}

// proves: W6
TEST(ScheduleState, OverlapCancelOtherEndsWhatRunsFirst) {
  Fixture f(Misfire::run_once, Overlap::cancel_other);
  f.state.running = {run_id(1)};
  const auto decision = on_time(f.policy, f.state, minute(1));
  EXPECT_THAT(decision.cancel, ElementsAre(run_id(1)));
  EXPECT_THAT(decision.start, ElementsAre(minute(1)));
}

TEST(ScheduleState, OverlapAllowStartsBesideWhatRuns) {
  Fixture f;
  f.state.running = {run_id(1)};
  const auto decision = on_time(f.policy, f.state, minute(1));
  EXPECT_THAT(decision.cancel, IsEmpty());
  EXPECT_THAT(decision.start, ElementsAre(minute(1)));
}

// proves: W6
TEST(ScheduleState, AfterCountsFromTheEndOfTheRun) {
  Fixture f;
  f.policy.after_completion = true;
  f.policy.next = [](TimePoint end) -> std::optional<TimePoint> { return end + kMinute; };
  EXPECT_THAT(on_time(f.policy, f.state, minute(1)).start, ElementsAre(minute(1)));
  EXPECT_EQ(f.state.next_due, std::nullopt);
  f.state.running = {run_id(1)};
  EXPECT_THAT(on_ended(f.policy, f.state, run_id(1), minute(5)).start, IsEmpty());
  EXPECT_EQ(f.state.next_due, minute(6));
}

}  // namespace
}  // namespace pawl::catalog
