// emit and listen.
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using testing::TestRun;

TEST(Emit, SendsACompleteEventAndPutsItOut) {
  TestRun run("do: [{e: {emit: {event: {with: {type: user.greeted, data: {hello: '${ .name }'}}}}}}]", R"({"name":"Ann"})");
  const auto effect = run.pending_effect("e");
  EXPECT_EQ(effect.function, "emit");
  const auto expected =
      std::string(R"({"specversion":"1.0","id":"0190a000-0000-7000-8000-000000000001-0-1","source":"/workflows/tests/machine",)") +
      R"("time":"2025-10-09T08:53:20.000Z","type":"user.greeted","data":{"hello":"Ann"}})";
  EXPECT_EQ(json::to_text(effect.arguments), expected);
  run.succeed("e", "null");
  EXPECT_EQ(run.output(), expected);
  run.verify();
}

TEST(Listen, OneTakesTheFirstEventThatMatches) {
  TestRun run(R"(do: [{l: {listen: {to: {one: {with: {type: order.paid, subject: '/^o-[0-9]+$/', data: '${ .amount > 10 }'}}}}}}])");
  EXPECT_EQ(run.phase(), Phase::waiting);
  EXPECT_EQ(run.machine().listens(), std::vector<std::string>{"order.paid"});
  EXPECT_EQ(run.machine().waiting_reason(), "event of type order.paid");
  EXPECT_EQ(run.count<ListenChanged>(), 1U);
  run.message("order.other", R"({"amount":20})", R"({"subject":"o-1"})");
  run.message("order.paid", R"({"amount":5})", R"({"subject":"o-1"})");
  run.message("order.paid", R"({"amount":20})", R"({"subject":"x-1"})");
  run.message("order.paid", R"("no amount")", R"({"subject":"o-1"})");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.message("order.paid", R"({"amount":20})", R"({"subject":"o-12"})");
  EXPECT_EQ(run.output(), R"([{"amount":20}])");
  EXPECT_TRUE(run.machine().listens().empty());
  run.verify();
}

TEST(Listen, EventsThatComeBeforeAreKeptInOrderAndConsumedOnce) {
  TestRun run(R"(
do:
  - get: {call: fetch}
  - loop:
      for: {each: n, in: '[1,2]'}
      do: [{l: {listen: {to: {one: {with: {type: tick}}}}, output: {as: '$input + .'}}}]
)");
  run.message("tick", "1");
  run.message("tick", "2");
  run.message("tick", "3");
  run.succeed("get", "[]");
  EXPECT_EQ(run.output(), "[1,2]");
  run.verify();
}

TEST(Listen, ARepeatedEventCountsOnce) {
  TestRun run("do: [{l: {listen: {to: {any: [{with: {type: tick}}], until: length == 2}}}}]");
  run.message("tick", "1", R"({"id":"a"})");
  run.message("tick", "1", R"({"id":"a"})");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.message("tick", "2", R"({"id":"a","source":"/other"})");
  EXPECT_EQ(run.output(), "[1,2]");
}

TEST(Listen, AllWaitsForOneEventPerFilter) {
  TestRun run("do: [{l: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}, read: envelope}, output: {as: map(.data)}}}]");
  EXPECT_EQ(run.machine().listens(), (std::vector<std::string>{"a", "b"}));
  run.message("b", "2");
  run.message("b", "3");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.message("a", "1");
  EXPECT_EQ(run.output(), "[2,1]");
}

TEST(Listen, CorrelatesByTheFirstValueOrByExpectation) {
  TestRun run(R"(
do:
  - l:
      listen:
        to:
          all:
            - {with: {type: temperature}, correlate: {room: {from: .roomid}}}
            - {with: {type: humidity}, correlate: {room: {from: .roomid}}}
  - m: {listen: {to: {one: {with: {type: order}, correlate: {id: {from: .data.id, expect: '${ .[0] }'}}}}}}
)");
  run.message("temperature", "20", R"({"roomid":"r1"})");
  run.message("humidity", "70", R"({"roomid":"r2"})");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.message("humidity", "60", R"({"roomid":"r1"})");
  run.message("order", R"({"id":21})");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.message("order", R"({"id":20})");
  EXPECT_EQ(run.output(), R"([{"id":20}])");
  run.verify();
}

TEST(Listen, AnyUntilAConditionOrAnotherEvent) {
  TestRun counted("do: [{l: {listen: {to: {any: [], until: (. | length) > 2}}}}]");
  EXPECT_EQ(counted.machine().listens(), std::vector<std::string>{""});
  for (const auto* data : {"1", "2", "3"}) counted.message("x", data);
  EXPECT_EQ(counted.output(), "[1,2,3]");
  TestRun stopped("do: [{l: {listen: {to: {any: [{with: {type: vitals}}], until: {one: {with: {type: out}}}}}}}]");
  EXPECT_EQ(stopped.machine().listens(), (std::vector<std::string>{"out", "vitals"}));
  stopped.message("vitals", "1");
  stopped.message("vitals", "2");
  EXPECT_EQ(stopped.phase(), Phase::waiting);
  stopped.message("out", "9");
  EXPECT_EQ(stopped.output(), "[1,2]");
  stopped.verify();
}

TEST(Listen, ForeachRunsItsTasksForOneEventAfterTheOther) {
  TestRun run(R"(
do:
  - l:
      listen: {to: {any: [{with: {type: tick}}], until: length == 2}}
      foreach:
        item: event
        at: i
        do: [{post: {call: fetch, with: {event: '${ $event }', i: '${ $i }', room: '${ .room }'}}}]
        output: {as: '{ i: $i, r: . }'}
)",
              R"({"room":"r"})");
  run.message("tick", "10");
  run.message("tick", "20");
  EXPECT_EQ(json::to_text(run.pending_effect("post").arguments), R"({"event":10,"i":0,"room":"r"})");
  EXPECT_EQ(run.machine().pending_effects().size(), 1U);
  run.succeed("post", "1");
  EXPECT_EQ(json::to_text(run.pending_effect("post").arguments), R"({"event":20,"i":1,"room":"r"})");
  EXPECT_EQ(run.pending_effect("post").step.iteration, std::vector<std::uint32_t>{1});
  run.succeed("post", "2");
  EXPECT_EQ(run.output(), R"([{"i":0,"r":1},{"i":1,"r":2}])");
  run.verify();
}

TEST(Listen, AnEventGoesToTheListenThatWaitsLongest) {
  TestRun run(R"(
do:
  - f:
      fork:
        branches:
          - a: {listen: {to: {one: {with: {type: tick}}}}}
          - b: {listen: {to: {one: {with: {type: tick}}}}}
)");
  run.message("tick", "1");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.message("tick", "2");
  EXPECT_EQ(run.output(), "[[1],[2]]");
}

TEST(Listen, KeepsOnlySoManyEventsThatNobodyConsumes) {
  MachineLimits limits;
  limits.max_messages = 3;
  TestRun run("do: [{g: {call: fetch}}, {l: {listen: {to: {any: [{with: {type: tick}}], until: length == 3}}}}]", "{}", limits);
  for (int i = 1; i <= 10; ++i) run.message("tick", std::to_string(i));
  run.succeed("g");
  EXPECT_EQ(run.output(), "[8,9,10]");
}

TEST(Listen, UntilAnyEventEndsWithTheFirstOne) {
  TestRun run("do: [{l: {listen: {to: {any: [{with: {type: tick}}], until: {any: []}}}}}]");
  run.message("other", "1");
  EXPECT_EQ(run.output(), "[]");
}

TEST(Listen, EmptyAnyTakesWhateverComesFirst) {
  TestRun run("do: [{l: {listen: {to: {any: []}, read: raw}}}]");
  run.message("whatever", R"({"x":1})");
  EXPECT_EQ(run.output(), R"([{"x":1}])");
}

TEST(Subscription, ForeachRunsItsTasksForEachItemOfTheAnswer) {
  TestRun run(R"(
do:
  - s:
      call: asyncapi
      with:
        document: {endpoint: 'https://example.org/api.json'}
        operation: get
        subscription:
          consume: {amount: 2}
          foreach: {item: m, do: [{note: {call: fetch, with: {m: '${ $m }'}}}]}
)");
  run.succeed("s", R"(["a","b"])");
  EXPECT_EQ(json::to_text(run.pending_effect("note").arguments), R"({"m":"a"})");
  run.succeed("note", "1");
  run.succeed("note", "2");
  EXPECT_EQ(run.output(), "[1,2]");
  run.verify();
}

TEST(Listen, TimesOut) {
  TestRun run("do: [{l: {listen: {to: {one: {with: {type: never}}}}, timeout: {after: {seconds: 9}}}}]");
  EXPECT_EQ(run.machine().waiting_reason(), "event of type never or timer due 2025-10-09T08:53:29.000Z");
  run.fire();
  EXPECT_EQ(run.error_kind(), "timeout");
  EXPECT_TRUE(run.machine().listens().empty());
}

}  // namespace
}  // namespace pawl::engine
