// The engine on real SQLite, in temporary folders.
#include "engine/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "engine/detail/test_support.hpp"
#include "engine/observer.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kThreeSteps = R"(
  - one: {set: {a: 1}}
  - two: {call: noop, with: {b: 2}}
  - three: {call: noop, with: {c: 3}, metadata: {effect: once}})";
constexpr std::string_view kManual = R"(
  - first: {call: noop, with: {n: 1}, metadata: {effect: once}}
  - second: {call: manual, with: {n: 2}})";
constexpr std::string_view kListens = R"(
  - hear: {listen: {to: {one: {with: {type: ping}}}}})";

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

json::Value ping(std::string_view id) {
  return json::Value::object(
      {{"specversion", "1.0"}, {"type", "ping"}, {"source", "https://example.com"}, {"id", id}, {"data", json::Value::object({{"x", 1}})}});
}

class EngineTest : public testing::Test {
 protected:
  TestBench bench_;
};

TEST_F(EngineTest, W5_ARunStartsEndsAndCanBeLookedAt) {
  bench_.boot();
  const auto workflow = bench_.add("three", kThreeSteps);
  const auto view = bench_.execute(workflow, parsed(R"({"in":true})"));
  EXPECT_EQ(view.phase, Phase::completed);
  EXPECT_EQ(json::to_text(view.output), R"({"c":3})");
  const auto again = bench_.view(view.id, true).value();
  EXPECT_EQ(again.phase, Phase::completed);
  EXPECT_EQ(json::to_text(again.input), R"({"in":true})");
  EXPECT_EQ(json::to_text(again.output), R"({"c":3})");
  EXPECT_EQ(json::to_text(again.trigger), R"({"type":"manual"})");
  EXPECT_EQ(again.workflow_name, "three");
  ASSERT_THAT(again.tasks, SizeIs(3));
  EXPECT_EQ(again.tasks[1].reference, "/do/1/two");
  EXPECT_EQ(json::to_text(again.tasks[1].record.output), R"({"b":2})");
  EXPECT_EQ(bench_.view(RunId{}, false).error().code, "run.not_found");
}

TEST_F(EngineTest, ARunOfAnotherOrganizationIsNotFound) {
  bench_.boot();
  const auto view = bench_.execute(bench_.add("three", kThreeSteps), {});
  OrganizationId other;
  other.uuid.bytes[3] = 9;
  EXPECT_EQ(bench_.view_as(other, view.id).error().code, "run.not_found");
}

TEST_F(EngineTest, S4_O1_SaysWhoseARunIs) {
  bench_.boot();
  const auto finished = bench_.execute(bench_.add("finished", "\n  - a: {set: {x: 1}}"), {}).id;
  const auto open = bench_.start(bench_.add("open", "\n  - a: {wait: {hours: 1}}"), {});
  EXPECT_EQ(bench_.owner(finished).value(), bench_.view(finished, false)->organization);
  EXPECT_EQ(bench_.owner(open).value(), bench_.view(open, false)->organization);
  RunId unknown;
  EXPECT_EQ(bench_.owner(unknown).error().code, "run.not_found");
}

TEST_F(EngineTest, ARunThatEndsAtOnceIsOneRowAndOneCommit) {
  bench_.boot();
  const auto workflow = bench_.add("reads", R"(
  - a: {call: noop, with: {n: 1}}
  - b: {call: noop, with: {n: 2}}
  - c: {call: noop, with: {n: 3}})");
  const auto before = bench_.engine().statistics();
  static_cast<void>(bench_.execute(workflow, {}));
  const auto after = bench_.engine().statistics();
  EXPECT_EQ(after.journal_rows, before.journal_rows);
  EXPECT_EQ(after.commits - before.commits, 1U);
}

TEST_F(EngineTest, AnUnknownFunctionIsAConfigurationError) {
  bench_.boot();
  bench_.allow_unknown("missing");
  const auto view = bench_.execute(bench_.add("unknown", "\n  - a: {call: missing}"), {});
  EXPECT_EQ(view.phase, Phase::faulted);
  EXPECT_THAT(json::to_text(view.error), HasSubstr("configuration"));
}

// proves: AI-H4
TEST_F(EngineTest, AFunctionThatThrowsIsARuntimeError) {
  bench_.boot();
  const auto view = bench_.execute(bench_.add("throws", "\n  - a: {call: throws}"), {});
  EXPECT_EQ(view.phase, Phase::faulted);
  EXPECT_THAT(json::to_text(view.error), HasSubstr("out of luck"));
}

TEST_F(EngineTest, W5_ADryRunOnlyPlans) {
  bench_.boot();
  StartRequest request = bench_.request(bench_.add("three", kManual));
  request.dry_run = true;
  const auto view = bench_.execute(std::move(request));
  EXPECT_EQ(view.phase, Phase::completed);
  EXPECT_TRUE(view.dry_run);
  EXPECT_EQ(json::to_text(view.output), R"({"dry_run":true,"plan":[{"action":"wait for the test"}]})");
  EXPECT_EQ(bench_.manual().waiting(), 0U);
}

// ---- crashes --------------------------------------------------------------------------------------------------------------------

TEST_F(EngineTest, W7_AnAcknowledgedRunGoesOnAfterTheProcessEnds) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  bench_.kill();
  bench_.boot();
  bench_.manual().wait_for(1);  // started again, since it is idempotent
  EXPECT_EQ(bench_.manual().keys().size(), 2U);
  EXPECT_EQ(bench_.manual().keys()[0], bench_.manual().keys()[1]);
  bench_.manual().answer(Outcome::success("done"));
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::completed);
  EXPECT_EQ(json::to_text(view.output), R"("done")");
  EXPECT_EQ(bench_.noops(), 1U) << "a step whose end was durable does not run again";
}

TEST_F(EngineTest, W7_AnInterruptedOnceStepFaultsInsteadOfRunningTwice) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", "\n  - a: {call: manual, metadata: {effect: once}}"), {});
  bench_.manual().wait_for(1);
  bench_.kill();
  bench_.boot();
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::faulted);
  EXPECT_THAT(json::to_text(view.error), HasSubstr("Outcome unknown"));
  EXPECT_EQ(bench_.manual().keys().size(), 1U);
}

TEST_F(EngineTest, ARunWithoutItsPlanIsSuspendedAndGoesOnWhenThePlanIsBack) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  bench_.kill();
  bench_.hide_plans(true);
  bench_.boot();
  const auto view = bench_.view(run, true).value();
  EXPECT_EQ(view.phase, Phase::suspended);
  EXPECT_THAT(view.waiting_reason, HasSubstr("cannot go on"));
  EXPECT_EQ(bench_.resume(run).error().code, "run.broken");
  bench_.hide_plans(false);
  EXPECT_FALSE(bench_.resume(run).has_error());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("done"));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
}

TEST_F(EngineTest, ARunWithoutItsPlanCanBeCancelled) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  bench_.kill();
  bench_.hide_plans(true);
  bench_.boot();
  EXPECT_FALSE(bench_.cancel(run).has_error());
  EXPECT_EQ(bench_.view(run, false)->phase, Phase::cancelled);
}

TEST_F(EngineTest, AFullDiskPoisonsTheEngine) {
  if (storage::testing::on_postgresql()) GTEST_SKIP() << "of SQLite";
  bench_.limit_pages(160);  // the tables take 120, the input 100
  bench_.boot();
  const auto workflow = bench_.add("three", kThreeSteps);
  StartRequest request = bench_.request(workflow);
  std::string noise;
  SystemRandom random;
  while (noise.size() < 900'000) noise += std::to_string(random.next());
  request.input = json::Value(noise);
  bench_.engine().start_run(std::move(request), {}, {});
  EXPECT_THAT(bench_.wait_for_fatal(), HasSubstr("storage.full"));
  EXPECT_EQ(bench_.view(RunId{}, false).error().code, "engine.poisoned");
}

// ---- commands -------------------------------------------------------------------------------------------------------------------

TEST_F(EngineTest, W5_ARunCanBeCancelled) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  EXPECT_FALSE(bench_.cancel(run).has_error());
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::cancelled);
  EXPECT_EQ(bench_.manual().cancelled(), 1U);
  EXPECT_EQ(bench_.cancel(run).error().code, "run.ended");
}

TEST_F(EngineTest, W5_ASuspendedRunStartsNothingUntilItIsResumed) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", "\n  - a: {call: manual}\n  - b: {call: manual}"), {});
  bench_.manual().wait_for(1);
  EXPECT_FALSE(bench_.suspend(run).has_error());
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(bench_.view(run, false)->phase, Phase::suspended);
  EXPECT_EQ(bench_.manual().waiting(), 0U);
  EXPECT_FALSE(bench_.resume(run).has_error());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(2));
  EXPECT_EQ(json::to_text(bench_.wait_for_end(run).output), "2");
}

TEST_F(EngineTest, W5_AFaultedRunCanBeRetried) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::failure(make_error("communication", 503, "Busy", "")));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::faulted);
  EXPECT_EQ(bench_.retry(run, {"/do/9/nowhere", {}}).error().code, "run.unknown_task");
  EXPECT_FALSE(bench_.retry(run, {}).has_error());
  bench_.manual().wait_for(1);
  bench_.kill();  // the retry is as durable as a start
  bench_.boot();
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("now"));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
  EXPECT_EQ(bench_.retry(run, {}).error().code, "run.not_retryable");
  EXPECT_EQ(bench_.noops(), 1U);
}

// The bench refuses a shard a plan that nobody has read for it.
TEST_F(EngineTest, W5_ThePlanOfARunThatEndedBeforeTheProcessBeganIsReadBesideTheShard) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::failure(make_error("communication", 503, "Busy", "")));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::faulted);
  bench_.kill();
  bench_.boot();
  const auto fork = bench_.fork(run, {});
  ASSERT_FALSE(fork.has_error()) << fork.error().message;
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("now"));
  EXPECT_EQ(bench_.wait_for_end(*fork).phase, Phase::completed);
  bench_.kill();
  bench_.boot();
  EXPECT_FALSE(bench_.retry(run, {}).has_error());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("now"));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
}

// ---- time and events ----------------------------------------------------------------------------------------------------------

TEST_F(EngineTest, W5_ARunCanBeForkedFromATaskWithEditedInput) {
  bench_.boot();
  const auto workflow = bench_.add("forked", "\n  - a: {call: noop, with: {x: 1}}\n  - b: {call: manual}\n  - c: {set: {c: '${ . }'}}");
  const auto original = bench_.start(workflow, {});
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(json::to_text(bench_.wait_for_end(original).output), R"({"c":1})");
  EXPECT_EQ(bench_.fork(original, {"/do/7/x", {}}).error().code, "run.unknown_task");
  const auto noops = bench_.noops();
  const auto fork = bench_.fork(original, {"/do/1/b", json::Value("edited")}).value();
  bench_.manual().wait_for(1);
  EXPECT_EQ(bench_.noops(), noops) << "what was done is taken over";
  bench_.kill();
  bench_.boot();
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(2));
  const auto view = bench_.wait_for_end(fork);
  EXPECT_EQ(json::to_text(view.output), R"({"c":2})");
  EXPECT_EQ(view.trigger.get("run_id"), json::Value(original.to_string()));
  EXPECT_GE(*view.started_at, view.created_at);
  ASSERT_EQ(view.tasks.size(), 3U);
  EXPECT_EQ(json::to_text(view.tasks[0].record.output), R"({"x":1})");
  EXPECT_EQ(json::to_text(view.tasks[1].record.input), R"("edited")");
  EXPECT_EQ(json::to_text(bench_.view(original, true)->output), R"({"c":1})") << "the original is left alone";
  // A fork of the fork, further on.
  const auto again = bench_.fork(fork, {"/do/2/c", {}}).value();
  EXPECT_EQ(json::to_text(bench_.wait_for_end(again).output), R"({"c":2})");
  const auto anew = bench_.fork(fork, {}).value();
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(3));
  EXPECT_EQ(json::to_text(bench_.wait_for_end(anew).output), R"({"c":3})");
}

TEST_F(EngineTest, FA_9_AFaultedRunThatNobodyWaitsForLeavesALetterUntilItIsRetried) {
  bench_.boot();
  const auto workflow = bench_.add("letters", kManual);
  const auto start = [&](std::string_view type) {
    auto request = bench_.request(workflow);
    request.input = parsed(R"({"n":1})");
    request.trigger = json::Value::object({{"type", type}});
    const auto run = bench_.start(std::move(request));
    bench_.manual().wait_for(1);
    bench_.manual().answer(Outcome::failure(make_error("communication", 503, "Busy", "")));
    EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::faulted);
    return run;
  };
  static_cast<void>(start("manual"));
  EXPECT_TRUE(bench_.letters().empty());
  const auto run = start("schedule");
  ASSERT_EQ(bench_.letters().size(), 1U);
  EXPECT_EQ(bench_.letters()[0], run.to_string() + R"( {"n":1})");
  EXPECT_FALSE(bench_.retry(run, {}).has_error());
  EXPECT_TRUE(bench_.letters().empty());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::failure(make_error("communication", 503, "Busy", "")));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::faulted);
  EXPECT_EQ(bench_.letters().size(), 1U);
}

TEST_F(EngineTest, W7_ASleepingRunLeavesMemoryAndComesBackWhenItIsDue) {
  bench_.options().snapshot_after = Millis(1);
  bench_.boot();
  const auto run = bench_.start(bench_.add("waits", "\n  - a: {wait: {milliseconds: 400}}\n  - b: {set: {done: true}}"), {});
  bench_.wait_until_asleep();
  EXPECT_EQ(bench_.list({}).runs.at(0).phase, Phase::waiting);
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
}

TEST_F(EngineTest, W7_ASleepingRunSurvivesTheProcess) {
  bench_.options().snapshot_after = Millis(1);
  bench_.boot();
  const auto run = bench_.start(bench_.add("waits", "\n  - a: {wait: {milliseconds: 300}}\n  - b: {set: {done: true}}"), {});
  bench_.wait_until_asleep();
  bench_.kill();
  bench_.boot();
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
}

TEST_F(EngineTest, AMessageWakesASleepingRunOnce) {
  bench_.options().snapshot_after = Millis(1);
  bench_.boot();
  const auto run = bench_.start(bench_.add("listens", kListens), {});
  bench_.wait_until_asleep();
  EXPECT_FALSE(bench_.publish(ping("1")).has_error());
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(json::to_text(view.output), R"([{"x":1}])");
}

TEST_F(EngineTest, AMessageReachesEveryRunThatListensAndIsToldToListeners) {
  bench_.boot();
  std::vector<std::string> told;
  bench_.engine().on_event([&told](const OrganizationId&, const json::Value& event) { told.emplace_back(event.get("id").as_string()); });
  const auto workflow = bench_.add("listens", kListens);
  std::vector<RunId> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(bench_.start(workflow, {}));
  EXPECT_FALSE(bench_.publish(ping("7")).has_error());
  for (const auto& run : runs) EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
  EXPECT_THAT(told, ElementsAre("7"));
}

TEST_F(EngineTest, WhatOneRunEmitsAnotherHears) {
  bench_.boot();
  const auto listener = bench_.start(bench_.add("listens", kListens), {});
  const auto emitter = bench_.execute(
      bench_.add("emits", "\n  - say: {emit: {event: {with: {type: ping, source: 'https://example.com/x', data: {x: 5}}}}}"), {});
  EXPECT_EQ(emitter.phase, Phase::completed);
  EXPECT_EQ(json::to_text(bench_.wait_for_end(listener).output), R"([{"x":5}])");
}

TEST_F(EngineTest, AWorkflowRunsAnotherAndTakesItsOutput) {
  bench_.boot();
  static_cast<void>(bench_.add("child", "\n  - a: {set: '${ {got: .value} }'}"));
  const auto view = bench_.execute(
      bench_.add("parent", "\n  - a: {run: {workflow: {namespace: test, name: child, version: '1.0.0', input: {value: 3}}}}"), {});
  EXPECT_EQ(json::to_text(view.output), R"({"got":3})") << json::to_text(view.error);
  const auto runs = bench_.list({}).runs;
  ASSERT_THAT(runs, SizeIs(2));
}

TEST_F(EngineTest, W7_AParentFindsItsChildAgainAfterTheProcessEnds) {
  bench_.boot();
  static_cast<void>(bench_.add("child", "\n  - a: {call: manual}"));
  const auto parent =
      bench_.start(bench_.add("parent", "\n  - a: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}}}"), {});
  bench_.manual().wait_for(1);
  bench_.kill();
  bench_.boot();
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("from the child"));
  EXPECT_EQ(json::to_text(bench_.wait_for_end(parent).output), R"("from the child")");
  EXPECT_THAT(bench_.list({}).runs, SizeIs(2));
}

// ---- lists and live updates -----------------------------------------------------------------------------------------------------

TEST_F(EngineTest, W5_ListsAreFilteredAndPagedNewestFirst) {
  bench_.boot();
  const auto first = bench_.add("alpha", kThreeSteps);
  const auto second = bench_.add("beta-x", "\n  - a: {raise: {error: {type: 'https://example.com/e', status: 400, title: no}}}");
  const auto third = bench_.add("open", "\n  - a: {call: manual}");
  std::vector<RunId> newest_first;
  for (int i = 0; i < 4; ++i) newest_first.insert(newest_first.begin(), bench_.execute(first, {}).id);
  newest_first.insert(newest_first.begin(), bench_.execute(second, {}).id);
  newest_first.insert(newest_first.begin(), bench_.start(third, {}));
  const auto ids = [this](const RunFilter& filter) {
    std::vector<RunId> found;
    for (const auto& run : bench_.list(filter).runs) found.push_back(run.id);
    return found;
  };
  EXPECT_EQ(ids({}), newest_first);
  EXPECT_THAT(ids({.workflow = first}), SizeIs(4));
  EXPECT_THAT(ids({.phases = {Phase::faulted}}), ElementsAre(newest_first[1]));
  EXPECT_THAT(ids({.phases = {Phase::running, Phase::waiting}}), ElementsAre(newest_first[0]));
  EXPECT_THAT(ids({.text = "eta-"}), ElementsAre(newest_first[1]));
  EXPECT_THAT(ids({.text = newest_first[2].to_string()}), ElementsAre(newest_first[2]));
  OrganizationId other;
  other.uuid.bytes[2] = 7;
  EXPECT_THAT(ids({.organization = other}), IsEmpty());
  EXPECT_THAT(ids({.until = TimePoint{}}), IsEmpty());

  std::vector<RunId> paged;
  RunFilter filter{.limit = 4};
  for (;;) {
    const auto page = bench_.list(filter);
    for (const auto& run : page.runs) paged.push_back(run.id);
    if (!page.next) break;
    filter.before = page.next;
  }
  EXPECT_EQ(paged, newest_first);

  const auto newest = [&](const OrganizationId& organization) {
    std::vector<std::vector<RunId>> found;
    for (const auto& runs : bench_.newest(organization, {third, first, second}, 3)) {
      auto& listed = found.emplace_back();
      for (const auto& run : runs) listed.push_back(run.id);
    }
    return found;
  };
  EXPECT_THAT(newest(bench_.request(first).organization),
              ElementsAre(ElementsAre(newest_first[0]), ElementsAre(newest_first[2], newest_first[3], newest_first[4]),
                          ElementsAre(newest_first[1])));
  EXPECT_THAT(newest(other), ElementsAre(IsEmpty(), IsEmpty(), IsEmpty()));
}

TEST_F(EngineTest, ASubscriberGetsWhatItMissedAndThenChanges) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  Updates early;
  static_cast<void>(bench_.engine().subscribe(run, 0, early.taker()));
  early.wait_until([](const std::vector<RunUpdate>& all) { return all.size() >= 2; });
  const auto seen = early.last_sequence();
  bench_.manual().answer(Outcome::success("done"));
  early.wait_until([](const std::vector<RunUpdate>& all) { return all.back().phase == Phase::completed; });
  EXPECT_EQ(early.references(), (std::set<std::string>{"/do/0/first", "/do/1/second"}));

  Updates late;  // knows all up to `seen`: gets the rest, of a finished run as well
  static_cast<void>(bench_.wait_for_end(run));
  static_cast<void>(bench_.engine().subscribe(run, seen, late.taker()));
  late.wait_until([](const std::vector<RunUpdate>& all) { return !all.empty() && all.back().phase == Phase::completed; });
  EXPECT_EQ(late.references(), (std::set<std::string>{"/do/1/second"}));
  EXPECT_EQ(late.last_sequence(), early.last_sequence());
}

TEST_F(EngineTest, WhoLeavesAtOnceIsNotToldOfTheEnd) {
  bench_.options().snapshot_after = Millis(1);
  bench_.boot();
  const auto run = bench_.start(bench_.add("listens", kListens), {});
  bench_.wait_until_asleep();
  const auto heard = std::make_shared<std::atomic<bool>>(false);  // what the run is now may come, if it was read at once
  const auto left = bench_.engine().subscribe(run, 0, [heard](const RunUpdate& update) {
    if (update.phase == Phase::completed) *heard = true;
  });
  bench_.engine().unsubscribe(run, left);
  EXPECT_FALSE(bench_.publish(ping("1")).has_error());
  static_cast<void>(bench_.wait_for_end(run));
  Updates stays;  // told after whoever had come before
  static_cast<void>(bench_.engine().subscribe(run, 0, stays.taker()));
  stays.wait_until([](const std::vector<RunUpdate>& all) { return !all.empty() && all.back().phase == Phase::completed; });
  EXPECT_FALSE(*heard);
}

/// Writes down what it is told of the runs of one organization.
class Watcher final : public RunObserver {
 public:
  [[nodiscard]] bool wants(const OrganizationId&) const override { return awake; }
  void changed(const RunNotice& notice) override {
    const std::lock_guard lock(mutex_);
    auto line = notice.phase ? std::string(to_text(*notice.phase))
                             : std::string(notice.task_name) + " " + std::string(to_text(notice.record->status));
    lines_.push_back(std::string(notice.workflow_name) + ": " + std::move(line));
    grows_ = grows_ && notice.sequence >= last_;
    last_ = notice.sequence;
  }
  [[nodiscard]] std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    last_ = 0;
    return std::exchange(lines_, {});
  }
  [[nodiscard]] bool grows() {
    const std::lock_guard lock(mutex_);
    return grows_;
  }
  std::atomic<bool> awake{true};

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::uint64_t last_ = 0;
  bool grows_ = true;
};

/// The engine ends before its observer does, also where a test stops half-way.
class ObservedEngineTest : public EngineTest {
 protected:
  void SetUp() override { bench_.watch(watcher_); }
  void TearDown() override { bench_.kill(); }

  Watcher watcher_;
};

TEST_F(ObservedEngineTest, P9_AnObserverIsToldOfEveryRunInOrderAndOfItsEndLast) {
  bench_.boot();
  const auto workflow = bench_.add("three", kThreeSteps);
  static_cast<void>(bench_.execute(workflow, {}));
  std::vector<std::string> lines;
  while (lines.empty() || lines.back() != "three: completed") {  // the caller is told a moment before
    for (auto& line : watcher_.take()) lines.push_back(std::move(line));
  }
  EXPECT_THAT(lines, testing::Contains("three: running"));
  EXPECT_THAT(lines, testing::IsSupersetOf({"three: two running", "three: two completed", "three: three completed"}));
  EXPECT_TRUE(watcher_.grows());
  watcher_.awake = false;
  static_cast<void>(bench_.execute(workflow, {}));
  EXPECT_THAT(watcher_.take(), IsEmpty());
}

TEST_F(ObservedEngineTest, AnObserverIsNotToldOfReplay) {
  bench_.boot();
  const auto run = bench_.start(bench_.add("manual", kManual), {});
  bench_.manual().wait_for(1);
  static_cast<void>(watcher_.take());
  bench_.kill();
  bench_.boot();
  bench_.manual().wait_for(1);
  for (const auto& line : watcher_.take()) EXPECT_THAT(line, testing::Not(HasSubstr("first")));
  bench_.manual().answer(Outcome::success("done"));
  static_cast<void>(bench_.wait_for_end(run));
}

TEST_F(EngineTest, ALoopOfHeavyExpressionsDoesNotHoldItsThread) {
  bench_.boot();
  // All of it is one event. It would take hours, and goes when the test ends.
  const auto heavy = bench_.add("heavy", R"(
  - loop: {for: {each: i, in: '${ [range(100000)] }'}, do: [{work: {set: {n: '${ [range(50000)] | length }'}}}]})");
  const auto light = bench_.add("light", kThreeSteps);
  for (int i = 0; i < 4; ++i) bench_.engine().start_run(bench_.request(heavy), {}, {});
  // Runs land on the shards by turns or by chance: some of these share a thread with a heavy one.
  for (int i = 0; i < 8; ++i) EXPECT_EQ(bench_.execute(light, json::Value::object()).phase, Phase::completed);
}

// proves: AI-M12
TEST_F(EngineTest, StopWaitsForWhatIsInFlight) {
  bench_.boot();
  const auto workflow = bench_.add("three", kThreeSteps);
  std::atomic<int> finished{0};
  for (int i = 0; i < 200; ++i) bench_.engine().start_run(bench_.request(workflow), {}, [&finished](const RunView&) { ++finished; });
  bench_.engine().stop(Millis(10'000));
  bench_.kill();
  bench_.boot();
  const auto runs = bench_.list({.limit = 200}).runs;
  EXPECT_THAT(runs, SizeIs(200));
}

}  // namespace
}  // namespace pawl::engine
