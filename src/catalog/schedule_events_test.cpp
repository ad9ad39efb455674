#include <gmock/gmock.h>

#include "catalog/detail/schedule_events.hpp"
#include "catalog/scheduler.hpp"
#include "dsl/compile.hpp"
#include "engine/lifecycle.hpp"

namespace pawl::catalog::detail {
namespace {

using Kind = EventOutcome::Kind;
const TimePoint kNow{Millis(1'700'000'000'000)};

class NoFunctions final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view) const override { return nullptr; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
};

/// A schedule that waits for events of one type.
ScheduleEntry waiting_for(const std::string& type) {
  const NoFunctions none;
  auto checked = dsl::compile(
      "document: {dsl: '1.0.3', namespace: test, name: listens, version: '1.0.0'}\n"
      "schedule: {on: {one: {with: {type: " +
          type + "}}}}\ndo:\n  - a: {set: {b: 1}}\n",
      none);
  for (const auto& finding : checked.findings) ADD_FAILURE() << finding.pointer << ": " << finding.message;
  ScheduleEntry entry;
  entry.plan = checked.value.value();
  entry.row.spec.kind = "on";
  return entry;
}

json::Value event(const std::string& type, const std::string& id, json::Value more = json::Value::object()) {
  more.set("type", type);
  more.set("source", "/shop");
  more.set("id", id);
  return more;
}

Kind offered(const json::Value& event, ScheduleEntry& entry) { return offer(OfferedEvent(event), entry, kNow).kind; }

TEST(ScheduleEvents, W6_AnEventCountsOnceForEachSchedule) {
  auto first = waiting_for("ordered");
  auto second = waiting_for("ordered");
  EXPECT_EQ(offered(event("other", "1"), first), Kind::passed_over);
  EXPECT_FALSE(first.dirty);
  const auto data = json::Value::object({{"order", 7}});
  const auto ordered = event("ordered", "1", json::Value::object({{"data", data}}));
  const auto outcome = offer(OfferedEvent(ordered), first, kNow);
  EXPECT_EQ(outcome.kind, Kind::taken);
  EXPECT_EQ(outcome.input, json::Value::array({data}));
  EXPECT_TRUE(first.dirty) << "to be stored: it must not count again after a restart";
  EXPECT_EQ(offered(event("ordered", "1"), first), Kind::passed_over);
  EXPECT_EQ(offered(event("ordered", "1"), second), Kind::taken);
  EXPECT_EQ(offered(event("ordered", "2"), first), Kind::taken);
}

TEST(ScheduleEvents, W6_TheLastOnesAreRememberedAndNoMore) {
  auto entry = waiting_for("ordered");
  for (std::size_t i = 0; i <= kRememberedEvents; ++i) EXPECT_EQ(offered(event("ordered", std::to_string(i)), entry), Kind::taken);
  EXPECT_EQ(entry.row.progress.seen.size(), kRememberedEvents);
  EXPECT_EQ(offered(event("ordered", std::to_string(kRememberedEvents)), entry), Kind::passed_over);
  EXPECT_EQ(offered(event("ordered", "0"), entry), Kind::taken) << "so long ago that nobody knows";
}

TEST(ScheduleEvents, W6_WhoIsPausedOrWaitsForNoEventTakesNone) {
  auto paused = waiting_for("ordered");
  paused.row.enabled = false;
  EXPECT_EQ(offered(event("ordered", "1"), paused), Kind::passed_over);
  ScheduleEntry timed;
  EXPECT_EQ(offered(event("ordered", "1"), timed), Kind::passed_over);
}

TEST(ScheduleEvents, W6_ARunRemembersAfterWhichOneItComesAndACircleEnds) {
  const auto type = std::string(engine::kLifecyclePrefix) + "workflow.completed.v1";
  auto entry = waiting_for(type);
  ASSERT_TRUE(follows_lifecycle(*entry.plan->schedule->on));
  EXPECT_FALSE(follows_lifecycle(*waiting_for("ordered").plan->schedule->on));
  const auto ended = [&](const std::string& id, std::int64_t chain) {
    return event(type, id, json::Value::object({{"subject", "the run"}, {"pawlchain", chain}}));
  };
  const auto first = event(type, "0", json::Value::object({{"subject", "the run"}}));
  EXPECT_EQ(OfferedEvent(first).cause, json::Value::object({{"after", "the run"}, {"chain", 1}}));
  EXPECT_TRUE(OfferedEvent(event("ordered", "1")).cause.is_null());
  EXPECT_EQ(offered(ended("1", engine::kMaxChain - 1), entry), Kind::taken);
  EXPECT_EQ(offered(ended("2", engine::kMaxChain), entry), Kind::in_circle);
}

}  // namespace
}  // namespace pawl::catalog::detail
