#include "agents/anomalies.hpp"

#include <gtest/gtest.h>

#include "agents/error_kind.hpp"
#include "json/parse.hpp"

namespace pawl::agents {
namespace {

using engine::Phase;
using Kind = Anomaly::Kind;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// A workflow's life: runs every minute, told from now backwards.
class Life {
 public:
  static constexpr TimePoint kNow{hours(1'000'000)};
  static constexpr TimePoint kSince = kNow - hours(1);

  RunFacts& add(bool is_recent, Phase phase, Millis took) {
    auto& run = runs_.emplace_back();
    run.run.uuid.bytes[15] = static_cast<std::uint8_t>(runs_.size());
    run.workflow.uuid.bytes[0] = 1;
    run.workflow_name = "nightly";
    run.phase = phase;
    run.created_at = is_recent ? kNow - minutes(++recent_ % 60) : kSince - minutes(++past_);
    run.ended_at = run.created_at + took;
    return run;
  }
  /// A past that says something: times differ by a few per cent, as they do.
  Life& usual(int runs, Millis took = seconds(2)) {
    for (int i = 0; i < runs; ++i) add(false, Phase::completed, took + took * (i % 5) / 100).cost = 0.01;
    return *this;
  }
  Life& recent(int runs, Millis took = seconds(2)) {
    for (int i = 0; i < runs; ++i) add(true, Phase::completed, took).cost = 0.01;
    return *this;
  }
  Life& failed(bool is_recent, int runs, std::string error) {
    for (int i = 0; i < runs; ++i) add(is_recent, Phase::faulted, seconds(1)).error = error;
    return *this;
  }
  RunFacts& open(Millis age, Phase phase = Phase::waiting) {
    auto& run = add(true, phase, {});
    run.created_at = kNow - age;
    run.ended_at.reset();
    return run;
  }
  [[nodiscard]] std::vector<Anomaly> found() const { return find_anomalies(runs_, kSince, kNow); }
  [[nodiscard]] std::vector<Kind> kinds() const {
    std::vector<Kind> result;
    for (const auto& anomaly : found()) result.push_back(anomaly.kind);
    return result;
  }

 private:
  std::vector<RunFacts> runs_;
  int recent_ = 0;
  int past_ = 0;
};

TEST(Anomalies, A3_NothingIsUnusualAboutTheUsual) {
  EXPECT_TRUE(Life().found().empty());
  EXPECT_TRUE(Life().usual(50).recent(20).failed(false, 5, "x").failed(true, 2, "x").found().empty());
  Life noisy;
  for (int i = 0; i < 60; ++i) noisy.add(i % 3 == 0, Phase::completed, Millis(1000 + i * 37 % 900));
  EXPECT_TRUE(noisy.found().empty());
}

TEST(Anomalies, A3_AJumpOfTheFailureRateIsMeasuredAgainstThePast) {
  auto found = Life().usual(50).failed(false, 2, "x").recent(4).failed(true, 4, "x").found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Kind::failure_rate);
  EXPECT_EQ(found[0].level, Anomaly::Level::high);
  EXPECT_DOUBLE_EQ(found[0].value, 0.5);
  EXPECT_NEAR(found[0].expected, 0.04, 0.01);
  EXPECT_EQ(found[0].runs.size(), 4U);
  EXPECT_EQ(found[0].workflow_name, "nightly");
  // It always fails half the time: that is bad, and not unusual.
  EXPECT_TRUE(Life().usual(20).failed(false, 20, "x").recent(5).failed(true, 5, "x").found().empty());
  // One failure of a few runs says nothing.
  EXPECT_TRUE(Life().usual(50).failed(false, 1, "x").recent(3).failed(true, 1, "x").found().empty());
}

TEST(Anomalies, A3_WithoutAPastTheAbsoluteRulesHold) {
  EXPECT_EQ(Life().recent(3).failed(true, 3, "x").kinds(), std::vector{Kind::failure_rate});
  EXPECT_TRUE(Life().recent(5).failed(true, 1, "x").found().empty());
  Life old;
  old.open(hours(25));
  EXPECT_EQ(old.kinds(), std::vector{Kind::stuck});
  Life young;
  young.open(hours(23));
  EXPECT_TRUE(young.found().empty());
}

TEST(Anomalies, A3_ARunThatTookMuchLongerIsFoundBesideWildOnesOfThePast) {
  Life life;
  life.usual(40).recent(10);
  life.add(false, Phase::completed, hours(3));  // one wild run of the past changes nothing
  life.add(true, Phase::completed, seconds(30));
  const auto found = life.found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Kind::duration);
  EXPECT_EQ(found[0].level, Anomaly::Level::low);
  EXPECT_DOUBLE_EQ(found[0].value, 30'000);
  EXPECT_NEAR(found[0].expected, 2000, 100);
  EXPECT_EQ(found[0].runs.size(), 1U);
  EXPECT_EQ(Life().usual(40).recent(10, seconds(10)).found().at(0).level, Anomaly::Level::medium);
}

TEST(Anomalies, A3_MillisecondsAreNoNews) { EXPECT_TRUE(Life().usual(40, Millis(2)).recent(10, Millis(40)).found().empty()); }

TEST(Anomalies, A3_WhatIsOpenFarLongerThanUsualIsStuck) {
  Life life;
  life.usual(40).open(hours(2)).waiting_reason = "approval";
  const auto found = life.found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Kind::stuck);
  EXPECT_EQ(found[0].level, Anomaly::Level::high);
  EXPECT_NE(found[0].message.find("approval"), std::string::npos);
  Life suspended;
  suspended.usual(40).open(hours(2), Phase::suspended);
  EXPECT_TRUE(suspended.found().empty()) << "somebody suspended it";
  Life patient;
  patient.usual(40, hours(5)).open(hours(6));
  EXPECT_TRUE(patient.found().empty()) << "it always takes hours";
}

TEST(Anomalies, A3_ANewKindOfErrorIsNewOnlyWhereThePastIsKnown) {
  EXPECT_EQ(Life().usual(20).failed(false, 3, "old").recent(20).failed(true, 1, "new").kinds(), std::vector{Kind::new_error});
  EXPECT_TRUE(Life().usual(20).failed(false, 3, "old").recent(20).failed(true, 1, "old").found().empty());
  EXPECT_TRUE(Life().usual(20).failed(false, 3, "").recent(20).failed(true, 1, "new").found().empty()) << "nobody looked at those";
  EXPECT_EQ(Life().usual(40).failed(false, 20, "old").recent(20).failed(true, 6, "old").kinds(), std::vector{Kind::repeated_error});
}

TEST(Anomalies, A3_CostsThatRiseAreFound) {
  Life life;
  life.usual(20);
  for (int i = 0; i < 4; ++i) life.add(true, Phase::completed, seconds(2)).cost = 0.05;
  const auto found = life.found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Kind::cost);
  EXPECT_NEAR(found[0].value, 0.05, 1e-9);
  EXPECT_NEAR(found[0].expected, 0.01, 1e-9);
}

TEST(Anomalies, A3_EachWorkflowIsMeasuredByItself) {
  std::vector<RunFacts> runs;
  for (int i = 0; i < 40; ++i) {
    RunFacts run;
    const bool is_slow = i % 2 == 0;
    run.workflow.uuid.bytes[0] = is_slow ? 1 : 2;
    run.created_at = i < 30 ? Life::kSince - minutes(i + 1) : Life::kNow - minutes(i);
    run.ended_at = run.created_at + (is_slow ? hours(1) : Millis(seconds(1)));
    runs.push_back(run);
  }
  EXPECT_TRUE(find_anomalies(runs, Life::kSince, Life::kNow).empty());
}

TEST(ErrorKind, A3_WhatDiffersFromTimeToTimeIsLeftOut) {
  const auto kind = [](std::string_view text) { return error_kind(*json::parse(text)); };
  EXPECT_EQ(kind(R"({"type": "https://pawl.dev/errors/communication", "status": 503, "instance": "/do/0/fetch",
                     "detail": "GET /orders/4711 took 30.5 s, request 0198f0aa-1b2c-7d3e-8f40-112233445566"})"),
            "/do/0/fetch communication 503: GET /orders/# took #.# s, request #");
  EXPECT_EQ(kind(R"({"type": "x/timeout", "status": 408, "title": "Timed out"})"), " timeout 408: Timed out");
  EXPECT_EQ(kind(R"({"detail": "added face to a bad feed"})"), "  0: added face to a bad feed");
  EXPECT_EQ(kind("null"), "");
  EXPECT_LE(error_kind(json::Value::object({{"detail", std::string(5000, 'x')}})).size(), kMaxErrorKind);
}

}  // namespace
}  // namespace pawl::agents
