// What can be asked of a run that undoes what it did, or has.
#include <gmock/gmock.h>

#include "engine/detail/test_support.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

class WindUpTest : public ::testing::Test {
 protected:
  /// A run whose first task is being undone: by the call that comes after `calls` others.
  RunId undoing(std::size_t calls) {
    const auto workflow = bench_.add("undoing", "\n  - a: {call: noop, metadata: {compensate: {call: manual}}}\n  - b: {call: manual}");
    const auto run = bench_.start(workflow, {});
    bench_.manual().wait_for(calls + 1);
    EXPECT_FALSE(bench_.cancel(run).has_error());
    bench_.manual().wait_for(calls + 2);
    return run;
  }
  TestBench bench_;
};

TEST_F(WindUpTest, W10_NoCancelBreaksItOffUnlessTheRunIsSuspended) {
  bench_.boot();
  const auto run = undoing(0);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(bench_.cancel(run).has_error()) << "as by a schedule that replaces it, again and again";
  EXPECT_EQ(bench_.manual().cancelled(), 1U) << "what was under way in the main part";
  EXPECT_EQ(bench_.view(run, false)->phase, Phase::running);
  EXPECT_EQ(bench_.view(run, false)->ending, Phase::cancelled) << "what it will be";
  bench_.manual().answer(Outcome::success(0));  // of that: nobody waits for it any more
  bench_.manual().answer(Outcome::success(1));
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::cancelled);
  EXPECT_EQ(view.ending, std::nullopt) << "it is";
  EXPECT_EQ(view.error.find("compensation_failures"), nullptr);
  EXPECT_EQ(bench_.retry(run, {}).error().code, "run.not_retryable") << "all is undone";

  const auto stuck = undoing(0);
  EXPECT_FALSE(bench_.suspend(stuck).has_error());
  EXPECT_FALSE(bench_.cancel(stuck).has_error());
  const auto broken_off = bench_.wait_for_end(stuck);
  EXPECT_EQ(broken_off.phase, Phase::cancelled);
  EXPECT_EQ(broken_off.error.get("cause").get("compensation_failures").size(), 1U);
  EXPECT_FALSE(bench_.retry(stuck, {}).has_error());
}

TEST_F(WindUpTest, W10_NothingButAPersonBreaksOffWhatASuspendedRunUndoes) {
  bench_.boot();
  const auto run = undoing(0);
  EXPECT_FALSE(bench_.suspend(run).has_error());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(bench_.cancel(run, Engine::CancelBy::machine).has_error()) << "a newer run, a client that left";
  EXPECT_EQ(bench_.view(run, false)->phase, Phase::suspended);
  bench_.kill();  // and it is the same when the journal is read again
  bench_.boot();
  EXPECT_EQ(bench_.view(run, false)->phase, Phase::suspended);
  EXPECT_EQ(bench_.view(run, false)->ending, Phase::cancelled);
  EXPECT_FALSE(bench_.resume(run).has_error());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(1));
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::cancelled);
  EXPECT_EQ(view.error.find("compensation_failures"), nullptr) << json::to_text(view.error);
}

TEST_F(WindUpTest, W10_ACallerThatEndsBreaksNothingOffThatItsSuspendedCalleeUndoes) {
  bench_.boot();
  static_cast<void>(bench_.add("callee", "\n  - a: {call: noop, metadata: {compensate: {call: manual}}}\n  - b: {call: manual}"));
  const auto caller =
      bench_.start(bench_.add("caller", "\n  - r: {run: {workflow: {namespace: test, name: callee, version: '1.0.0'}}}"), {});
  bench_.manual().wait_for(1);
  const auto runs = bench_.list({}).runs;
  const auto callee = std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run.id != caller; });
  ASSERT_NE(callee, runs.end());
  EXPECT_FALSE(bench_.cancel(callee->id).has_error());
  bench_.manual().wait_for(2);
  EXPECT_FALSE(bench_.suspend(callee->id).has_error());
  EXPECT_FALSE(bench_.cancel(caller).has_error());
  EXPECT_EQ(bench_.wait_for_end(caller).phase, Phase::cancelled);
  EXPECT_EQ(bench_.view(callee->id, false)->phase, Phase::suspended);
  EXPECT_FALSE(bench_.resume(callee->id).has_error());
  bench_.manual().answer(Outcome::success(0));
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(bench_.wait_for_end(callee->id).error.find("compensation_failures"), nullptr);
}

TEST_F(WindUpTest, W10_AForkTakesNothingOverThatATryHasUndone) {
  bench_.boot();
  const auto workflow = bench_.add("tried", R"(
  - t:
      try: [{a: {call: noop, with: {x: 1}, metadata: {compensate: {call: noop, with: {x: -1}}}}}, {b: {call: manual}}]
      metadata: {compensate: true}
      catch: {do: [{k: {call: noop, with: {x: 2}}}]}
  - z: {call: noop, with: {x: 3}})");
  const auto run = bench_.start(workflow, {});
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::failure(make_error("communication", 503, "Busy", "")));
  ASSERT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
  ASSERT_EQ(bench_.noops(), 4U);
  EXPECT_EQ(bench_.fork(run, {"/do/0/t/try/1/b", {}}).error().code, "run.not_forkable") << "`a` was undone";
  EXPECT_EQ(bench_.noops(), 4U);
  for (const auto* from : {"/do/1/z", "/do/0/t/catch/do/0/k"}) {
    const auto fork = bench_.fork(run, {from, {}});
    ASSERT_FALSE(fork.has_error()) << from << fork.error().message;
    EXPECT_EQ(bench_.wait_for_end(*fork).phase, Phase::completed) << from;
  }
  const auto again = bench_.fork(run, {"/do/0/t/try/0/a", {}});
  ASSERT_FALSE(again.has_error());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(bench_.wait_for_end(*again).phase, Phase::completed);
}

TEST_F(WindUpTest, W10_AForkOfARunThatHasNotUndoneAnythingTakesItsTasksOver) {
  bench_.boot();
  const auto workflow =
      bench_.add("kept",
                 "\n  - t: {try: [{a: {call: noop, metadata: {compensate: {call: noop}}}}], metadata: {compensate: true}, catch: {}}\n"
                 "  - b: {call: noop}");
  const auto run = bench_.start(workflow, {});
  ASSERT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
  const auto fork = bench_.fork(run, {"/do/1/b", {}});
  ASSERT_FALSE(fork.has_error());
  EXPECT_EQ(bench_.wait_for_end(*fork).phase, Phase::completed);
  EXPECT_EQ(bench_.noops(), 3U);
}

}  // namespace
}  // namespace pawl::engine
