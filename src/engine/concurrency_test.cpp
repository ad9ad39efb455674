#include "engine/concurrency.hpp"

#include "engine/detail/test_support.hpp"
#include "engine/fair_queue.hpp"

namespace pawl::engine {
namespace {

using Entry = ConcurrencyGate::Decision::Entry;
using Policy = Concurrency::Policy;

RunId run(std::uint8_t number) {
  RunId id;
  id.uuid.bytes[15] = number;
  return id;
}
OrganizationId organization(std::uint8_t number) {
  OrganizationId id;
  id.uuid.bytes[15] = number;
  return id;
}
Seat seat(std::uint32_t limit = 1, std::int32_t priority = 0, std::uint8_t owner = 1) {
  return {organization(owner), "key", limit, priority};
}

TEST(ConcurrencyGate, W9_LetsInAsManyAsTheLimitSaysAndTheRestInOrderOfPriorityAndArrival) {
  ConcurrencyGate gate;
  EXPECT_EQ(gate.enter(run(1), seat(2), Policy::queue).entry, Entry::admitted);
  EXPECT_EQ(gate.enter(run(2), seat(2), Policy::queue).entry, Entry::admitted);
  for (std::uint8_t n = 3; n <= 5; ++n) EXPECT_EQ(gate.enter(run(n), seat(2), Policy::queue).entry, Entry::waits);
  EXPECT_EQ(gate.enter(run(6), seat(2, 5), Policy::queue).entry, Entry::waits);
  EXPECT_NE(gate.waiting_reason(run(6)).find("0 waiting before"), std::string::npos);
  EXPECT_NE(gate.waiting_reason(run(5)).find("3 waiting before"), std::string::npos);
  EXPECT_EQ(gate.waiting_reason(run(1)), "");
  EXPECT_EQ(gate.leave(run(1)), std::vector{run(6)});
  EXPECT_TRUE(gate.leave(run(4)).empty());  // it gave up while it waited
  EXPECT_EQ(gate.leave(run(6)), std::vector{run(3)});
  EXPECT_EQ(gate.leave(run(2)), std::vector{run(5)});
  EXPECT_TRUE(gate.leave(run(2)).empty());
}

TEST(ConcurrencyGate, W9_KeysOfOrganizationsHaveNothingToDoWithEachOther) {
  ConcurrencyGate gate;
  EXPECT_EQ(gate.enter(run(1), seat(1, 0, 1), Policy::queue).entry, Entry::admitted);
  EXPECT_EQ(gate.enter(run(2), seat(1, 0, 2), Policy::queue).entry, Entry::admitted);
}

TEST(ConcurrencyGate, W9_SkipsOrReplacesWhereAskedTo) {
  ConcurrencyGate gate;
  EXPECT_EQ(gate.enter(run(1), seat(), Policy::queue).entry, Entry::admitted);
  EXPECT_EQ(gate.enter(run(2), seat(), Policy::queue).entry, Entry::waits);
  const auto skipped = gate.enter(run(3), seat(), Policy::skip);
  EXPECT_EQ(skipped.entry, Entry::refused);
  EXPECT_EQ(skipped.in_the_way, run(1));
  const auto replacing = gate.enter(run(4), seat(), Policy::replace);
  EXPECT_EQ(replacing.entry, Entry::waits);
  EXPECT_EQ(replacing.replaced, (std::vector{run(2), run(1)}));
  EXPECT_TRUE(gate.leave(run(2)).empty());
  EXPECT_EQ(gate.leave(run(1)), std::vector{run(4)});
}

TEST(ConcurrencyGate, W9_HasABound) {
  ConcurrencyGate gate;
  const auto random_run = [] {
    static SystemRandom random;
    return RunId::make(TimePoint(Millis(1)), random);
  };
  EXPECT_EQ(gate.enter(run(1), seat(), Policy::queue).entry, Entry::admitted);
  for (std::size_t i = 0; i < kMaxWaitingPerKey; ++i) EXPECT_EQ(gate.enter(random_run(), seat(), Policy::queue).entry, Entry::waits);
  EXPECT_EQ(gate.enter(random_run(), seat(), Policy::queue).entry, Entry::full);
}

/// Whatever is asked in whatever order, also across restarts: never more active than the limit, and whoever waits comes in at last.
TEST(ConcurrencyGate, W9_HoldsTheLimitThroughRandomLives) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL;
    const auto roll = [&state](std::uint64_t sides) {
      state ^= state << 13U;
      state ^= state >> 7U;
      state ^= state << 17U;
      return (state >> 11U) % sides;
    };
    const auto limit = static_cast<std::uint32_t>(1 + roll(3));
    auto gate = std::make_unique<ConcurrencyGate>();
    std::map<RunId, bool> admitted;  // what is durable: has a place, or waits
    std::map<RunId, std::int32_t> priorities;
    const auto let_in = [&](const std::vector<RunId>& runs) {
      for (const auto& each : runs) {
        ASSERT_TRUE(admitted.contains(each)) << "seed " << seed;
        ASSERT_FALSE(admitted[each]) << "seed " << seed;
        admitted[each] = true;
      }
    };
    std::uint8_t next = 0;
    for (int step = 0; step < 200; ++step) {
      const auto dice = roll(10);
      if (dice < 5 && next < 250) {
        const auto id = run(++next);
        priorities[id] = static_cast<std::int32_t>(roll(3));
        admitted[id] = gate->enter(id, seat(limit, priorities[id]), Policy::queue).entry == Entry::admitted;
      } else if (dice < 9 && !admitted.empty()) {
        auto gone = admitted.begin();
        std::advance(gone, roll(admitted.size()));
        const auto id = gone->first;
        admitted.erase(gone);
        let_in(gate->leave(id));
      } else {  // the process dies; of those that were let in some are not durable
        gate = std::make_unique<ConcurrencyGate>();
        for (auto& [id, in] : admitted) {
          if (in && roll(4) == 0) in = false;
          gate->restore(id, seat(limit, priorities[id]), in);
        }
        let_in(gate->fill());
      }
      const auto active = std::count_if(admitted.begin(), admitted.end(), [](const auto& each) { return each.second; });
      ASSERT_LE(active, limit) << "seed " << seed;
      const bool somebody_waits = static_cast<std::size_t>(active) < admitted.size();
      ASSERT_TRUE(!somebody_waits || active == limit) << "somebody waits for nothing, seed " << seed;
    }
  }
}

TEST(FairQueue, W9_GivesTheHighestPriorityFirstAndEachOwnerItsTurn) {
  FairQueue<int, int> queue;
  for (int item = 0; item < 4; ++item) queue.push(0, 1, item);
  queue.push(0, 2, 10);
  queue.push(0, 3, 20);
  queue.push(7, 1, 99);
  std::vector<int> order;
  while (!queue.empty()) order.push_back(queue.pop());
  EXPECT_EQ(order, (std::vector{99, 0, 10, 20, 1, 2, 3}));
}

// ---- with the engine ------------------------------------------------------------------------------------------------------------

class ConcurrencyTest : public ::testing::Test {
 protected:
  void SetUp() override { bench_.boot(); }
  [[nodiscard]] StartRequest keyed(const WorkflowId& workflow, Policy policy = Policy::queue, std::int32_t priority = 0) {
    auto request = bench_.request(workflow);
    request.concurrency = Concurrency{"one", 1, policy};
    request.priority = priority;
    return request;
  }
  [[nodiscard]] Phase phase(const RunId& run) { return bench_.view(run, false).value().phase; }
  void wait_for_phase(const RunId& run, Phase wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (phase(run) != wanted) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  TestBench bench_;
};

constexpr std::string_view kCall = "\n  - call: {call: manual, with: {}}";

TEST_F(ConcurrencyTest, W9_RunsOfOneKeyGoOneAfterTheOtherByPriority) {
  const auto workflow = bench_.add("keyed", kCall);
  const auto first = bench_.start(keyed(workflow));
  const auto low = bench_.start(keyed(workflow));
  const auto high = bench_.start(keyed(workflow, Policy::queue, 5));
  bench_.manual().wait_for(1);
  EXPECT_EQ(phase(low), Phase::pending);
  const auto view = bench_.view(low, true).value();
  EXPECT_NE(view.waiting_reason.find("1 active, limit 1, 1 waiting before"), std::string::npos) << view.waiting_reason;
  EXPECT_FALSE(view.started_at.has_value());
  EXPECT_EQ(view.trigger.get("concurrency").get("key"), json::Value("one"));
  EXPECT_EQ(bench_.suspend(low).error().code, "run.pending");
  EXPECT_EQ(bench_.engine().statistics().places_wanted, 2U);

  bench_.manual().answer(Outcome::success("first"));
  EXPECT_EQ(bench_.wait_for_end(first).output, json::Value("first"));
  wait_for_phase(high, Phase::running);
  EXPECT_EQ(phase(low), Phase::pending);
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("high"));
  EXPECT_EQ(bench_.wait_for_end(high).output, json::Value("high"));
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("low"));
  const auto end = bench_.wait_for_end(low);
  EXPECT_EQ(end.output, json::Value("low"));
  EXPECT_GE(*end.started_at, *bench_.view(high, false).value().ended_at);
  EXPECT_EQ(bench_.engine().statistics().places_taken, 0U);
}

TEST_F(ConcurrencyTest, W9_WhoWaitsSurvivesTheProcessAndLeavesMemory) {
  bench_.kill();
  bench_.options().snapshot_after = Millis(0);
  bench_.boot();
  const auto workflow = bench_.add("keyed", kCall);
  const auto first = bench_.start(keyed(workflow));
  auto request = keyed(workflow);
  request.input = json::Value::object({{"n", 2}});
  const auto second = bench_.start(std::move(request));
  bench_.manual().wait_for(1);
  bench_.kill();
  bench_.boot();
  bench_.manual().wait_for(1);
  EXPECT_EQ(phase(first), Phase::running);
  const auto waiting = bench_.view(second, false).value();
  EXPECT_EQ(waiting.phase, Phase::pending);
  EXPECT_EQ(waiting.input, json::Value::object({{"n", 2}}));
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(bench_.wait_for_end(first).phase, Phase::completed);
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success(2));
  EXPECT_EQ(bench_.wait_for_end(second).phase, Phase::completed);
}

TEST_F(ConcurrencyTest, W9_SkipRefusesAndReplaceCancelsTheOthers) {
  const auto workflow = bench_.add("keyed", kCall);
  const auto first = bench_.start(keyed(workflow));
  bench_.manual().wait_for(1);
  std::promise<std::string> refused;
  bench_.engine().start_run(keyed(workflow, Policy::skip), [&](Result<RunId> id) { refused.set_value(id.error().code); }, {});
  EXPECT_EQ(refused.get_future().get(), "run.concurrency_busy");
  const auto waiting = bench_.start(keyed(workflow));
  const auto last = bench_.start(keyed(workflow, Policy::replace));
  const auto ended = bench_.wait_for_end(first);
  EXPECT_EQ(ended.phase, Phase::cancelled);
  EXPECT_NE(std::string(ended.error.get("detail").as_string()).find(last.to_string()), std::string::npos);
  const auto never_started = bench_.wait_for_end(waiting);
  EXPECT_EQ(never_started.phase, Phase::cancelled);
  EXPECT_TRUE(never_started.tasks.empty());
  wait_for_phase(last, Phase::running);
  EXPECT_EQ(bench_.retry(first, {}).error().code, "run.concurrency_busy");
}

TEST_F(ConcurrencyTest, W9_ARunThatWaitsCanBeCancelledAndForkedFromTheBeginning) {
  const auto workflow = bench_.add("keyed", kCall);
  const auto first = bench_.start(keyed(workflow));
  const auto second = bench_.start(keyed(workflow));
  bench_.manual().wait_for(1);
  ASSERT_FALSE(bench_.cancel(second).has_error());
  EXPECT_EQ(bench_.wait_for_end(second).phase, Phase::cancelled);
  EXPECT_EQ(bench_.fork(second, {}).error().code, "run.concurrency_busy");
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(bench_.wait_for_end(first).phase, Phase::completed);
  const auto fork = bench_.fork(second, {}).value();
  bench_.manual().wait_for(1);
  EXPECT_EQ(phase(fork), Phase::running);
}

TEST_F(ConcurrencyTest, W9_ChildrenAndDryRunsTakeNoPlace) {
  const auto child = bench_.add("child", kCall);
  static_cast<void>(child);
  const auto parent = bench_.add("parent", "\n  - start: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}}}");
  const auto run = bench_.start(keyed(parent));
  bench_.manual().wait_for(1);
  auto dry = keyed(parent, Policy::skip);
  dry.dry_run = true;
  EXPECT_EQ(bench_.execute(std::move(dry)).phase, Phase::completed);
  bench_.manual().answer(Outcome::success(1));
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
}

// ---- lifecycle events -------------------------------------------------------------------------------------------------------------

TEST_F(ConcurrencyTest, W6_ARunHearsOfTheEndOfAnotherOnlyWhereItListens) {
  const auto worker = bench_.add("worker", kCall);
  const auto listener = bench_.add("listener",
                                   "\n  - hear: {listen: {to: {one: {with: {type: io.serverlessworkflow.workflow.completed.v1, "
                                   "workflowname: worker}}}, read: envelope}}");
  const auto hears = bench_.start(listener, json::Value::object());
  wait_for_phase(hears, Phase::waiting);
  const auto works = bench_.start(worker, json::Value::object());
  bench_.manual().wait_for(1);
  bench_.manual().answer(Outcome::success("done"));
  const auto heard = bench_.wait_for_end(hears).output.items()[0];
  EXPECT_EQ(heard.get("subject"), json::Value(works.to_string()));
  EXPECT_EQ(heard.get("data").get("output"), json::Value("done"));
  EXPECT_EQ(heard.get("data").get("outputUri"), json::Value("/api/runs/" + works.to_string()));
  EXPECT_EQ(heard.get("data").get("definition").get("name"), json::Value("worker"));
}

TEST_F(ConcurrencyTest, W6_AnEndThatWasNotDeliveredIsDeliveredByTheNextProcess) {
  struct Taken {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<json::Value> events;
    void wait_for(std::size_t count) {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(changed.wait_for(lock, kPatience, [&] { return events.size() >= count; }));
    }
  };
  const auto taken = std::make_shared<Taken>();
  const auto take = [taken](bool acknowledges) {
    return [taken, acknowledges](const OrganizationId&, json::Value event, Engine::Acknowledged done) {
      if (event.get("type") != json::Value("io.serverlessworkflow.workflow.completed.v1")) return done({});
      {
        const std::lock_guard lock(taken->mutex);
        taken->events.push_back(std::move(event));
      }
      taken->changed.notify_one();
      if (acknowledges) done({});
    };
  };
  const auto workflow = bench_.add("short", "\n  - say: {set: {x: 1}}");
  bench_.engine().on_lifecycle(take(false));
  bench_.engine().follow_lifecycle(bench_.request(workflow).organization);
  EXPECT_EQ(bench_.execute(workflow, json::Value::object()).phase, Phase::completed);
  taken->wait_for(1);
  bench_.kill();
  bench_.before_start([&](Engine& engine) { engine.on_lifecycle(take(true)); });
  bench_.boot();
  taken->wait_for(2);
  EXPECT_EQ(taken->events[0].get("id"), taken->events[1].get("id"));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (bench_.undelivered_events() > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  bench_.kill();
  bench_.boot();
  EXPECT_EQ(bench_.execute(workflow, json::Value::object()).phase, Phase::completed);
  const std::lock_guard lock(taken->mutex);
  EXPECT_EQ(taken->events.size(), 2U) << "what was delivered is not delivered again";
}

}  // namespace
}  // namespace pawl::engine
