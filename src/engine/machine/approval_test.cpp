// Asking people, and what becomes of a call that a crash interrupted.
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using testing::TestRun;

constexpr std::string_view kAsk = R"(
do:
  - ask:
      call: approval
      with:
        title: Pay ${ .amount }
        data: {amount: '${ .amount }'}
        approvers: {roles: [admin], users: [ann@example.com]}
        deadline: 2h
        form: {type: object, properties: {limit: {type: integer}}}
  - after: {set: {approved: '${ .approved }', decision: '${ .decision }', by: '${ .by }', limit: '${ .data.limit }'}}
)";

std::string closing(const TestRun& run) {
  for (const auto& action : run.actions()) {
    if (const auto* closed = std::get_if<CloseApproval>(&action)) {
      constexpr std::string_view kHow[] = {"approved", "rejected", "expired", "withdrawn"};
      return std::string(kHow[static_cast<std::size_t>(closed->how)]);
    }
  }
  return {};
}

TEST(Approval, W8_WaitsInWordsAndGoesOnWithTheDecision) {
  TestRun run(kAsk, R"({"amount":900})");
  EXPECT_EQ(run.phase(), Phase::waiting);
  EXPECT_TRUE(run.pending().empty());
  EXPECT_EQ(run.machine().waiting_reason(), "approval of \"Pay 900\" by admin or ann@example.com until 2025-10-09T10:53:20.000Z");
  ASSERT_EQ(run.machine().pending_approvals().size(), 1U);
  const auto asked = run.machine().pending_approvals().front();
  EXPECT_EQ(asked.request.title, "Pay 900");
  EXPECT_EQ(json::to_text(asked.request.data), R"({"amount":900})");
  EXPECT_EQ(run.count<RequestApproval>(), 1U);
  EXPECT_EQ(run.history(), "ask:waiting");
  run.decide(true, R"({"limit":5})");
  EXPECT_EQ(closing(run), "approved");
  EXPECT_EQ(run.output(), R"({"approved":true,"decision":"approved","by":"ann","limit":5})");
  run.verify();
}

TEST(Approval, ARejectionIsAnAnswerToo) {
  TestRun run(kAsk, R"({"amount":900})");
  run.decide(false);
  EXPECT_EQ(run.output(), R"({"approved":false,"decision":"rejected","by":"ann","limit":null})");
  run.verify();
}

TEST(Approval, OnlyTheFirstDecisionCounts) {
  TestRun run(kAsk, R"({"amount":900})");
  run.apply(SuspendRequested{});
  run.decide(true);
  run.decide(false);
  EXPECT_EQ(run.count<CloseApproval>(), 0U);
  EXPECT_TRUE(run.machine().pending_approvals().empty());
  run.apply(ResumeRequested{});
  EXPECT_EQ(run.output(), R"({"approved":true,"decision":"approved","by":"ann","limit":null})");
  run.verify();
}

TEST(Approval, TheDeadlineDecidesAsItWasTold) {
  const auto end_of = [](std::string_view on_deadline) {
    TestRun run("do: [{ask: {call: approval, with: {title: T, deadline: PT1H, on_deadline: " + std::string(on_deadline) +
                "}}}, {x: {set: '${ [.approved, .decision] }'}}]");
    EXPECT_EQ(run.fire(), std::chrono::hours(1));
    EXPECT_EQ(closing(run), "expired");
    run.decide(true);  // too late
    run.verify();
    return run.phase() == Phase::completed ? run.output() : run.error_kind() + " " + run.error("instance");
  };
  EXPECT_EQ(end_of("reject"), R"([false,"expired"])");
  EXPECT_EQ(end_of("approve"), R"([true,"expired"])");
  EXPECT_EQ(end_of("fault"), "timeout /do/0/ask");
}

TEST(Approval, ADeadlineMayBeATime) {
  TestRun run("do: [{ask: {call: approval, with: {title: T, deadline: '2025-10-09T09:53:20Z'}}}]");
  EXPECT_EQ(run.fire(), std::chrono::hours(1));
  run.verify();
}

TEST(Approval, IsWithdrawnWhenTheTaskEndsWithoutIt) {
  TestRun timed("do: [{ask: {call: approval, timeout: {after: {minutes: 5}}, with: {title: T, deadline: PT1H}}}]");
  timed.fire();
  EXPECT_EQ(closing(timed), "withdrawn");
  EXPECT_EQ(timed.error_kind(), "timeout");
  timed.verify();
  TestRun cancelled("do: [{ask: {call: approval, with: {title: T}}}]");
  cancelled.apply(CancelRequested{"enough"});
  EXPECT_EQ(closing(cancelled), "withdrawn");
  cancelled.apply(RetryRequested{});
  EXPECT_EQ(cancelled.count<RequestApproval>(), 1U);
  EXPECT_EQ(cancelled.machine().pending_approvals().front().approval, 2U);
  cancelled.decide(true, "null", 1);  // of the question that was withdrawn
  EXPECT_EQ(cancelled.phase(), Phase::waiting);
  cancelled.decide(true, "null", 2);
  EXPECT_EQ(cancelled.phase(), Phase::completed);
  cancelled.verify();
}

TEST(Approval, SeveralAtOnceAreToldApart) {
  TestRun run(R"(
do:
  - both:
      fork:
        branches:
          - a: {call: approval, with: {title: A}}
          - b: {call: approval, with: {title: B}}
      output: {as: map(.approved)}
)");
  EXPECT_EQ(run.machine().waiting_reason(),
            "approval of \"A\" by whoever may execute the workflow or approval of \"B\" by whoever may execute the workflow");
  run.decide(false, "null", 2);
  EXPECT_EQ(run.phase(), Phase::waiting);
  run.decide(true, "null", 1);
  EXPECT_EQ(run.output(), "[true,false]");
  run.verify();
}

TEST(Approval, SaysWhatIsWrongWithAQuestion) {
  for (const std::string_view with :
       {"{title: ''}", "{title: '${ 5 }'}", "{title: T, approvers: [ann]}", "{title: T, approvers: {roles: [king]}}",
        "{title: T, deadline: soon}", "{title: T, on_deadline: panic}", "{title: T, form: {type: 7}}", "{title: T, form: [1]}"}) {
    TestRun run("do: [{ask: {call: approval, with: " + std::string(with) + "}}]");
    EXPECT_EQ(run.phase(), Phase::faulted) << with;
    EXPECT_EQ(run.error("title"), "Invalid approval") << with;
  }
}

// ---- gates ----

/// Whether a run that ended may start again there; `input` edited.
std::string retry_of(TestRun& run, std::string from, bool edited = false) {
  RetryRequested request{std::move(from), {}};
  if (edited) request.input = json::Value("edited");
  const auto checked = run.machine().check_retry(request);
  return checked.has_error() ? checked.error().code : "possible";
}

TEST(Gates, W8_ARetryDoesNotLeapOverAnApproval) {
  constexpr std::string_view kRefused = "run.not_retryable_from";
  // Where the question lies does not matter: in the list itself, below a task of it, or in a function that it calls.
  for (const std::string_view ask :
       {"{call: approval, with: {title: T, deadline: PT1H, on_deadline: fault}}",
        "{do: [{x: {for: {each: i, in: '[1]'}, do: [{ask: {call: approval, with: {title: T, deadline: PT1H, on_deadline: fault}}}]}}]}",
        "{call: asking}"}) {
    TestRun run(
        "use: {functions: {asking: {call: approval, with: {title: T, deadline: PT1H, on_deadline: fault}}}}\ndo: [{a: {set: {a: 1}}}, "
        "{ask: " +
        std::string(ask) + "}, {pay: {call: charge}}]");
    run.fire();
    ASSERT_EQ(run.phase(), Phase::faulted) << ask;
    EXPECT_EQ(retry_of(run, "/do/2/pay"), kRefused) << ask;
    run.apply(RetryRequested{"/do/2/pay", {}});
    EXPECT_EQ(run.phase(), Phase::faulted) << ask;
    EXPECT_EQ(retry_of(run, {}), "possible") << ask;
    EXPECT_EQ(retry_of(run, "/do/0/a", true), "possible") << ask;
    EXPECT_EQ(retry_of(run, "/do/1/ask", true), "possible") << ask;
  }
}

TEST(Gates, W8_BehindAnApprovalARunStartsAgainWithWhatWasApproved) {
  constexpr std::string_view kSteps = R"(
do:
  - ask: {call: approval, with: {title: T}}
  - pay: {if: .approved, call: charge}
  - ship: {call: fetch}
)";
  const auto ended = [&](bool approved) {
    TestRun run(kSteps);
    run.decide(approved);
    if (approved) run.succeed("pay", "1");
    run.fail("ship");
    return run;
  };
  auto approved = ended(true);
  EXPECT_EQ(retry_of(approved, {}), "possible");
  EXPECT_EQ(retry_of(approved, "/do/1/pay"), "possible");
  EXPECT_EQ(retry_of(approved, "/do/1/pay", true), "run.not_retryable_from");
  EXPECT_EQ(retry_of(approved, {}, true), "run.not_retryable_from");
  EXPECT_EQ(retry_of(approved, "/do/0/ask", true), "possible");
  auto rejected = ended(false);
  EXPECT_EQ(retry_of(rejected, {}), "possible");
  EXPECT_EQ(retry_of(rejected, "/do/1/pay"), "run.not_retryable_from");
}

TEST(Gates, AQuestionThatTheRunDidNotHaveToAskIsNone) {
  TestRun run("do: [{ask: {if: 'false', call: approval, with: {title: T}}}, {a: {call: fetch}}, {b: {call: fetch}}]");
  run.fail("a");
  EXPECT_EQ(retry_of(run, "/do/2/b"), "possible");
  TestRun around(
      "do: [{s: {switch: [{small: {when: 'true', then: pay}}]}}, {ask: {call: approval, with: {title: T}}}, "
      "{pay: {call: charge}}, {b: {call: fetch}}]");
  around.succeed("pay", "1");
  around.fail("b");
  EXPECT_EQ(retry_of(around, "/do/2/pay"), "possible");
  EXPECT_EQ(retry_of(around, "/do/1/ask"), "possible");
}

// ---- outcome unknown ----------------------------------------------------------------------------------------------------------

std::string charging(std::string_view on_unknown) {
  return "do: [{pay: {call: charge, with: {amount: '${ .n }'}, metadata: {effect: once, on_unknown: " + std::string(on_unknown) + "}}}]";
}

/// The process ends while `pay` is under way.
TestRun interrupted(std::string_view on_unknown) {
  TestRun run(charging(on_unknown), R"({"n":3})");
  const auto effect = run.effect_of("pay");
  run.apply(EffectBegun{effect});
  run.apply(EffectInterrupted{effect});
  return run;
}

std::string warnings(TestRun& run) {
  std::string text;
  for (const auto& line : run.machine().records()[0].logs) text += line.text + ";";
  return text;
}

TEST(OutcomeUnknown, FailsWhereNothingElseIsDeclared) {
  auto run = interrupted("fail");
  EXPECT_EQ(run.error("title"), "Outcome unknown");
  EXPECT_EQ(run.count<StartEffect>(), 0U);
}

TEST(OutcomeUnknown, RepeatsWithTheSameKey) {
  TestRun run(charging("retry-with-key"), R"({"n":3})");
  const auto first = run.pending_effect("pay");
  run.apply(EffectBegun{first.effect});
  run.apply(EffectInterrupted{first.effect});
  const auto second = run.pending_effect("pay");
  EXPECT_NE(second.effect, first.effect);
  EXPECT_EQ(idempotency_key(run.machine().info().id, second.step), idempotency_key(run.machine().info().id, first.step));
  EXPECT_EQ(second.arguments, first.arguments);
  EXPECT_EQ(warnings(run), "outcome unknown: repeated with the same key;");
  run.succeed("pay", "1");
  EXPECT_EQ(run.output(), "1");
  run.verify();
}

TEST(OutcomeUnknown, AsksPeopleWhetherItHappened) {
  auto done = interrupted("ask");
  EXPECT_EQ(done.phase(), Phase::waiting);
  EXPECT_EQ(done.count<StartEffect>(), 0U);
  const auto asked = done.machine().pending_approvals().front().request;
  EXPECT_EQ(asked.title, "Did it happen? charge in /do/0/pay");
  EXPECT_EQ(json::to_text(asked.data), R"({"function":"charge","arguments":{"amount":3}})");
  done.decide(true, R"({"outcome":"done","output":{"receipt":7}})");
  EXPECT_EQ(done.output(), R"({"receipt":7})");
  EXPECT_EQ(warnings(done), "outcome unknown: people are asked whether it happened;somebody said that it happened;");
  done.verify();
  auto repeated = interrupted("ask");
  repeated.decide(true, R"({"outcome":"repeat"})");
  EXPECT_EQ(json::to_text(repeated.pending_effect("pay").arguments), R"({"amount":3})");
  repeated.succeed("pay", "2");
  EXPECT_EQ(repeated.output(), "2");
  auto failed = interrupted("ask");
  failed.decide(false);
  EXPECT_EQ(failed.error("title"), "Outcome unknown");
  failed.verify();
}

TEST(OutcomeUnknown, AProbeDecides) {
  constexpr std::string_view kProbe = "{probe: {call: fetch, with: {of: '${ .n }'}}}";
  auto happened = interrupted(kProbe);
  const auto probe = happened.pending_effect("pay");
  EXPECT_EQ(probe.function, "fetch");
  EXPECT_EQ(json::to_text(probe.arguments), R"({"of":3})");
  EXPECT_EQ(probe.declared, dsl::EffectClass::read);
  happened.succeed("pay", R"({"happened":true,"receipt":9})");
  EXPECT_EQ(happened.output(), R"({"happened":true,"receipt":9})");
  happened.verify();
  auto missing = interrupted(kProbe);
  missing.succeed("pay", R"({"happened":false})");
  EXPECT_EQ(missing.pending_effect("pay").function, "charge");
  missing.succeed("pay", "1");
  EXPECT_EQ(missing.output(), "1");
  missing.verify();
  auto silent = interrupted(kProbe);
  silent.succeed("pay", "{}");
  EXPECT_EQ(silent.error("title"), "Outcome unknown");
  auto broken = interrupted(kProbe);
  broken.fail("pay");
  EXPECT_EQ(broken.error("title"), "Outcome unknown");
  broken.verify();
  auto judged = interrupted("{probe: {call: fetch, happened: '.status == 200', output: '{receipt: .id}'}}");
  judged.succeed("pay", R"({"status":200,"id":4})");
  EXPECT_EQ(judged.output(), R"({"receipt":4})");
  judged.verify();
}

TEST(OutcomeUnknown, PeopleAreShownNoMoreThanTheyCanLookAt) {
  TestRun run("do: [{pay: {call: charge, with: {amount: '${ .amount }', scan: '${ .scan }'}, metadata: {effect: once, on_unknown: ask}}}]",
              R"({"amount":3,"scan":")" + std::string(std::size_t{300} << 10U, 'x') + "\"}");
  const auto effect = run.effect_of("pay");
  run.apply(EffectBegun{effect});
  run.apply(EffectInterrupted{effect});
  const auto shown = json::to_text(run.machine().pending_approvals().front().request.data.get("arguments"));
  EXPECT_EQ(shown, R"json({"amount":3,"scan":"(too large to be shown)"})json");
  run.decide(true, R"({"outcome":"repeat"})");
  EXPECT_EQ(run.pending_effect("pay").arguments.get("scan").as_string().size(), std::size_t{300} << 10U) << "but the call has all of it";
  run.verify();
}

TEST(OutcomeUnknown, WhatIsSaidToHaveHappenedIsTreatedLikeAnAnswer) {
  constexpr std::string_view kKept = "do: [{pay: {run: {return: none, shell: {command: x}}, metadata: {effect: once, on_unknown: ";
  const auto interrupted_in = [&](std::string_view policy) {
    TestRun run(std::string(kKept) + std::string(policy) + "}}}]", R"({"n":3})");
    const auto effect = run.effect_of("pay");
    run.apply(EffectBegun{effect});
    run.apply(EffectInterrupted{effect});
    return run;
  };
  auto told = interrupted_in("ask");
  told.decide(true, R"({"outcome":"done","output":{"receipt":7}})");
  EXPECT_EQ(told.output(), R"({"n":3})");
  auto probed = interrupted_in("{probe: {call: fetch}}");
  probed.succeed("pay", R"({"happened":true})");
  EXPECT_EQ(probed.output(), R"({"n":3})");
}

TEST(OutcomeUnknown, ASuspendedRunDoesNothingAboutItYet) {
  TestRun run(charging("retry-with-key"), R"({"n":3})");
  const auto effect = run.effect_of("pay");
  run.apply(EffectBegun{effect});
  run.apply(SuspendRequested{});
  run.apply(EffectInterrupted{effect});
  EXPECT_EQ(run.count<StartEffect>(), 0U);
  run.apply(ResumeRequested{});
  EXPECT_EQ(run.count<StartEffect>(), 1U);
  run.succeed("pay", "1");
  EXPECT_EQ(run.output(), "1");
  run.verify();
}

}  // namespace
}  // namespace pawl::engine
