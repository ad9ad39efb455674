// Errors: raise, try, retry, timeouts, waits.
#include "engine/machine/detail/test_run.hpp"
#include "engine/machine/dry_run.hpp"

namespace pawl::engine {
namespace {

using testing::TestRun;
using namespace std::chrono_literals;

TEST(Errors, StandardTypesCompareByTheirAliases) {
  EXPECT_TRUE(same_error_type("https://serverlessworkflow.io/spec/1.0.0/errors/timeout",
                              "https://open-workflow-specification.org/dsl/errors/types/timeout"));
  EXPECT_FALSE(same_error_type("https://serverlessworkflow.io/spec/1.0.0/errors/timeout",
                               "https://serverlessworkflow.io/spec/1.0.0/errors/runtime"));
  EXPECT_FALSE(same_error_type("https://example.org/spec/1.0.0/errors/timeout", "https://serverlessworkflow.io/spec/1.0.0/errors/timeout"));
  EXPECT_FALSE(same_error_type("https://serverlessworkflow.io/x", "https://serverlessworkflow.io/y"));
  EXPECT_TRUE(same_error_type("urn:mine", "urn:mine"));
}

TEST(Raise, FaultsWithTheReferenceAsInstance) {
  TestRun run(
      "do: [{r: {raise: {error: {status: 400, type: 'https://example.org/compliance', title: Compliance, detail: '${ \"id \\(.id)\" "
      "}'}}}}]",
      R"({"id":9})");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(json::to_text(run.machine().error()),
            R"({"status":400,"type":"https://example.org/compliance","title":"Compliance","detail":"id 9","instance":"/do/0/r"})");
}

constexpr std::string_view kCatch404 = R"(
do:
  - t:
      try: [{get: {call: fetch}}]
      catch:
        errors: {with: {type: 'https://serverlessworkflow.io/dsl/errors/types/communication', status: 404}}
        as: err
        do: [{handle: {set: {error: '${ $err.status }', instance: '${ $err.instance }', input: '${ . }'}}}]
)";

TEST(Try, CatchesWhatTheFilterLetsThrough) {
  TestRun run(kCatch404, R"({"x":1})");
  run.fail("get", 404);
  EXPECT_EQ(run.output(), R"({"error":404,"instance":"/do/0/t/try/0/get","input":{"x":1}})");
  run.verify();
}

TEST(Try, LetsOtherErrorsGoOn) {
  TestRun run(kCatch404);
  run.fail("get", 503);
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("status"), "503");
  EXPECT_EQ(run.history(), "t:faulted get:faulted");
  TestRun other(kCatch404);
  other.fail("get", 404, "runtime");
  EXPECT_EQ(other.phase(), Phase::faulted);
}

TEST(Try, AsksWhenAndExceptWhen) {
  const auto* body = R"(
do:
  - t:
      try: [{get: {call: fetch}}]
      catch: {when: $error.status >= 500, exceptWhen: $error.status == 501, do: [{ok: {set: {caught: '${ $error.status }'}}}]}
)";
  const auto outcome = [&](int status) {
    TestRun run(body);
    run.fail("get", status);
    return std::string(to_text(run.phase()));
  };
  EXPECT_EQ(outcome(500), "completed");
  EXPECT_EQ(outcome(501), "faulted");
  EXPECT_EQ(outcome(404), "faulted");
}

TEST(Try, WithoutDoTheErrorIsSwallowedAndThenIsFollowed) {
  TestRun run(R"(
do:
  - t: {try: [{get: {call: fetch}}], catch: {errors: {with: {status: 503}}, then: record}}
  - go: {set: {status: ok}, then: end}
  - record: {set: {status: failed, input: '${ .x }'}}
)",
              R"({"x":1})");
  run.fail("get", 503);
  EXPECT_EQ(run.output(), R"({"status":"failed","input":1})");
}

TEST(Try, AnErrorInTheHandlerGoesUpToTheNextTry) {
  TestRun run(R"y(
do:
  - outer:
      try:
        - inner:
            try: [{get: {call: fetch}}]
            catch: {do: [{again: {raise: {error: {type: 'urn:second', status: 418, title: '${ "was \($error.status)" }'}}}}]}
      catch: {do: [{ok: {set: {title: '${ $error.title }', at: '${ $error.instance }'}}}]}
)y");
  run.fail("get", 500);
  EXPECT_EQ(run.output(), R"({"title":"was 500","at":"/do/0/outer/try/0/inner/catch/do/0/again"})");
}

std::string retry_with(std::string_view policy, std::string_view more = "") {
  return "do: [{t: {try: [{get: {call: fetch}}], catch: {retry: " + std::string(policy) + std::string(more) + "}}}]";
}

std::vector<Millis> delays(std::string_view policy, int failures) {
  TestRun run(retry_with(policy));
  std::vector<Millis> waited;
  for (int i = 0; i < failures; ++i) {
    run.fail("get", 503);
    if (is_final(run.phase())) break;
    waited.push_back(run.machine().pending_timers().empty() ? 0ms : run.fire());
  }
  run.verify();
  return waited;
}

// proves: AI-M16
TEST(Retry, WaitsExponentiallyUpToTheCap) {
  EXPECT_EQ(delays("{delay: {seconds: 60}, backoff: {exponential: {}}, limit: {attempt: {count: 6}}}", 6),
            (std::vector<Millis>{60s, 120s, 240s, 300s, 300s, 300s}));
}

TEST(Retry, WaitsLinearlyAndConstantly) {
  EXPECT_EQ(delays("{delay: {seconds: 2}, backoff: {linear: {}}, limit: {attempt: {count: 3}}}", 4), (std::vector<Millis>{2s, 4s, 6s}));
  EXPECT_EQ(delays("{delay: PT1S, backoff: {constant: {}}, limit: {attempt: {count: 2}}}", 4), (std::vector<Millis>{1s, 1s}));
}

TEST(Retry, TakesAnIncrementAndAMultiplier) {
  EXPECT_EQ(delays("{delay: {seconds: 5}, backoff: {linear: {increment: {seconds: 1}}}, limit: {attempt: {count: 3}}}", 3),
            (std::vector<Millis>{5s, 6s, 7s}));
  EXPECT_EQ(delays("{delay: {seconds: 1}, backoff: {exponential: {multiplier: 3}}, limit: {attempt: {count: 3}}}", 3),
            (std::vector<Millis>{1s, 3s, 9s}));
}

TEST(Retry, AddsTheSameJitterOnEveryReplay) {
  const auto first =
      delays("{delay: {seconds: 1}, jitter: {from: {milliseconds: 10}, to: {milliseconds: 900}}, limit: {attempt: {count: 5}}}", 5);
  EXPECT_EQ(first,
            delays("{delay: {seconds: 1}, jitter: {from: {milliseconds: 10}, to: {milliseconds: 900}}, limit: {attempt: {count: 5}}}", 5));
  for (const auto delay : first) EXPECT_TRUE(delay >= 1010ms && delay <= 1900ms) << delay.count();
  EXPECT_NE(first[0], first[1]);
}

TEST(Retry, CountsAttemptsAndSucceeds) {
  TestRun run(retry_with("{delay: {seconds: 1}, limit: {attempt: {count: 5}}}"));
  run.fail("get", 503);
  EXPECT_EQ(run.history(), "t:retrying get:retrying");
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.fire();
  EXPECT_EQ(run.pending_effect("get").step.attempt, 2U);
  run.fail("get", 503);
  run.fire();
  EXPECT_EQ(run.pending_effect("get").step.attempt, 3U);
  run.succeed("get", R"({"ok":true})");
  EXPECT_EQ(run.output(), R"({"ok":true})");
  EXPECT_EQ(run.history(), "t:completed#3 get:completed#3");
  run.verify();
}

TEST(Retry, ThenTheHandlerElseTheErrorGoesOn) {
  TestRun handled(retry_with("{limit: {attempt: {count: 1}}}", ", do: [{ok: {set: {after: '${ $error.status }'}}}]"));
  handled.fail("get", 500);
  handled.fail("get", 502);
  EXPECT_EQ(handled.output(), R"({"after":502})");
  TestRun faulted(retry_with("{limit: {attempt: {count: 1}}}"));
  faulted.fail("get", 500);
  faulted.fail("get", 502);
  EXPECT_EQ(faulted.error("status"), "502");
}

TEST(Retry, AsksItsOwnConditions) {
  TestRun run(retry_with("{when: $error.status == 503, delay: {seconds: 1}}"));
  run.fail("get", 503);
  run.fire();
  run.fail("get", 500);
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Retry, StopsWhenTheNextAttemptWouldComeAfterTheTotalDuration) {
  TestRun run(retry_with("{delay: {seconds: 4}, limit: {duration: {seconds: 10}}}"));
  run.fail("get");
  run.fire();
  run.fail("get");
  run.fire();
  run.fail("get");
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Retry, LimitsTheTimeOfEachAttempt) {
  TestRun run(retry_with("{delay: {seconds: 1}, limit: {attempt: {count: 1, duration: {seconds: 5}}}}"));
  EXPECT_EQ(run.fire(), 5s);
  EXPECT_EQ(run.count<CancelEffect>(), 1U);
  EXPECT_EQ(run.fire(), 1s);
  EXPECT_EQ(run.fire(), 5s);
  EXPECT_EQ(run.error_kind(), "timeout");
  EXPECT_EQ(run.error("instance"), "/do/0/t");
  run.verify();
}

TEST(Retry, NestedAttemptsNeverShareAStepKey) {
  TestRun run(R"(
do:
  - outer:
      try:
        - inner: {try: [{get: {call: fetch}}], catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}}
        - poll: {call: charge}
        - again: {switch: [{more: {when: .more, then: poll}}]}
      catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}
)");
  for (int i = 0; i < 3; ++i) {  // TestRun checks the keys
    run.fail("get");
    run.fire();
    run.fail("get");
    run.fire();
    run.succeed("get");
    run.succeed("poll", R"({"more":true})");
    run.fail("poll");
    if (i < 2) run.fire();
  }
  EXPECT_EQ(run.phase(), Phase::faulted);
  run.verify();
}

TEST(Wait, TakesItsTimeAndPassesItsInputOn) {
  TestRun run("do: [{w: {wait: {seconds: 30}}}]", R"({"x":1})");
  EXPECT_EQ(run.phase(), Phase::waiting);
  EXPECT_EQ(run.history(), "w:waiting");
  EXPECT_EQ(run.machine().waiting_reason(), "timer due 2025-10-09T08:53:50.000Z");
  EXPECT_EQ(run.fire(), 30s);
  EXPECT_EQ(run.output(), R"({"x":1})");
  run.verify();
}

TEST(Timeout, OfATaskCancelsWhatIsBelowAndCanBeCaught) {
  const auto* body = R"(
do:
  - t:
      try: [{slow: {do: [{get: {call: fetch}}], timeout: {after: {seconds: 5}}}}]
      catch:
        errors: {with: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/timeout'}}
        do: [{ok: {set: {at: '${ $error.instance }'}}}]
)";
  TestRun run(body);
  EXPECT_EQ(run.fire(), 5s);
  EXPECT_EQ(run.count<CancelEffect>(), 1U);
  EXPECT_EQ(run.output(), R"({"at":"/do/0/t/try/0/slow"})");
  EXPECT_EQ(run.history(), "t:completed slow:faulted get:cancelled ok:completed");
  run.verify();
  TestRun quick(body);
  quick.succeed("get", "1");
  EXPECT_EQ(quick.output(), "1");
  EXPECT_EQ(quick.count<CancelTimer>(), 1U);
}

TEST(Timeout, OfTheWorkflowFaultsTheRun) {
  TestRun run("timeout: {after: {minutes: 1}}\ndo: [{get: {call: fetch}}]");
  EXPECT_EQ(run.phase(), Phase::running);
  EXPECT_EQ(run.fire(), 60s);
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("status"), "408");
  EXPECT_EQ(run.history(), "get:cancelled");
}

Machine dry_run(std::string_view body) {
  auto info = testing::test_info();
  info.dry_run = true;
  Machine machine(testing::plan_of(body), std::move(info), {});
  std::vector<Action> actions;
  machine.apply({TimePoint{}, RunStarted{json::Value::object()}}, actions);
  return machine;
}

TEST(Retry, ADryRunWaitsForNoneAndMakesFew) {
  const auto failing = [](std::string_view policy) {
    return dry_run("do: [{t: {try: [{a: {set: '${ error(\"no\") }'}}], catch: {retry: " + std::string(policy) + "}}}]");
  };
  for (const auto* const policy : {"{delay: {hours: 1}, limit: {attempt: {count: 3}}}", "{delay: {hours: 1}}",
                                   "{delay: {hours: 1}, limit: {duration: {days: 365}}}", "{limit: {duration: {days: 365}}}"}) {
    SCOPED_TRACE(policy);
    const auto machine = failing(policy);
    EXPECT_EQ(machine.phase(), Phase::faulted);
    EXPECT_EQ(machine.error().get("detail").as_string().substr(0, 2), "no") << json::to_text(machine.error());
  }
  EXPECT_EQ(failing("{delay: {hours: 1}, limit: {attempt: {count: 3}}}").records()[0].attempt, 4U);
  EXPECT_EQ(failing("{delay: {hours: 1}}").records()[0].attempt, kDryRunRetries + 1);

  auto graph = dry_run("name: list\ntasks: [{id: a, type: fetch, max_retries: 2}]");
  for (int attempt = 0; attempt < 3; ++attempt) {
    ASSERT_EQ(graph.pending_effects().size(), 1U) << attempt;
    std::vector<Action> actions;
    graph.apply({TimePoint{}, EffectFailed{graph.pending_effects()[0].effect, make_error("runtime", 500, "Failed", {}), {}}}, actions);
  }
  EXPECT_EQ(graph.phase(), Phase::faulted);
}

TEST(Timeout, ADryRunHasOneOfItsOwn) {
  const auto due = [](std::string_view timeout) {
    const auto timers = dry_run("do: [{get: {call: fetch}}]" + std::string(timeout)).pending_timers();
    return timers.size() == 1 ? timers[0].due - TimePoint{} : Millis(-1);
  };
  EXPECT_EQ(due(""), kDryRunTime);
  EXPECT_EQ(due("\ntimeout: {after: {hours: 1}}"), kDryRunTime);
  EXPECT_EQ(due("\ntimeout: {after: {seconds: 1}}"), Millis(1000));
}

}  // namespace
}  // namespace pawl::engine
