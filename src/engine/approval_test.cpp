// Questions of runs: in the inbox with the commit that makes them durable, decided once, by whom it may be.
#include "engine/approval.hpp"

#include "engine/capabilities.hpp"
#include "engine/detail/test_support.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

constexpr std::string_view kAsk =
    "\n- ask: {call: approval, with: {title: 'Pay ${ .amount }?', data: '${ . }', approvers: {roles: [admin]}, exclude_starter: true}}"
    "\n- out: {set: {approved: '${ .approved }', by: '${ .by }', note: '${ .comment }'}}";

Decider somebody(std::string role, std::string id = "0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d") { return {std::move(id), {}, std::move(role)}; }

class Approvals : public testing::Test {
 protected:
  void SetUp() override { bench_.boot(); }

  [[nodiscard]] RunId ask() { return bench_.start(bench_.add("pay", kAsk), json::Value::object({{"amount", 900}})); }
  /// Of the only question of the run.
  [[nodiscard]] ApprovalDecision decision(const RunId& run, bool approved, Decider by) {
    const auto questions = bench_.questions(run);
    ApprovalDecision made;
    made.number = static_cast<ApprovalId>(questions.size());
    made.digest = questions.back().substr(questions.back().find(' ') + 1);
    made.approved = approved;
    made.by = std::move(by);
    made.comment = "seen";
    return made;
  }
  [[nodiscard]] std::string status(const RunId& run) {
    std::string all;
    for (const auto& question : bench_.questions(run)) all += question.substr(0, question.find(' ')) + ";";
    return all;
  }
  static std::string code(const Result<void>& result) { return result.has_error() ? result.error().code : "done"; }

  TestBench bench_;
};

TEST_F(Approvals, W8_IsInTheInboxWhenTheStartIsAcknowledgedAndIsDecidedOnce) {
  const auto run = ask();
  EXPECT_EQ(status(run), "open;");
  EXPECT_EQ(bench_.view(run, false)->waiting_reason, "approval of \"Pay 900?\" by admin");
  const auto approve = decision(run, true, somebody("owner"));
  EXPECT_EQ(code(bench_.decide(run, approve)), "done");
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(json::to_text(view.output), R"({"approved":true,"by":"0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d","note":"seen"})");
  EXPECT_EQ(status(run), "approved;");
  EXPECT_EQ(code(bench_.decide(run, approve)), "approval.closed");
}

TEST_F(Approvals, W8_SurvivesTheProcessAndLeavesMemoryMeanwhile) {
  bench_.options().snapshot_after = Millis(1);
  bench_.kill();
  bench_.boot();
  const auto run = ask();
  bench_.wait_until_asleep();
  const auto reject = decision(run, false, somebody("admin"));
  bench_.kill();
  bench_.boot();
  EXPECT_EQ(status(run), "open;");
  EXPECT_EQ(code(bench_.decide(run, reject)), "done");
  EXPECT_EQ(json::to_text(bench_.wait_for_end(run).output.get("approved")), "false");
  EXPECT_EQ(status(run), "rejected;");
}

TEST_F(Approvals, W8_OnlyWhoMayDecidesAboutWhatWasShown) {
  const auto run = ask();
  EXPECT_EQ(code(bench_.decide(run, decision(run, true, somebody("member")))), "approval.forbidden");
  EXPECT_EQ(code(bench_.decide(run, decision(run, true, somebody("viewer")))), "approval.forbidden");
  EXPECT_EQ(code(bench_.decide(run, decision(run, true, somebody("owner", std::string(kAdministrator))))), "approval.forbidden");
  auto other = decision(run, true, somebody("admin"));
  other.digest.back() = other.digest.back() == '0' ? '1' : '0';
  EXPECT_EQ(code(bench_.decide(run, other)), "approval.changed");
  auto filled = decision(run, true, somebody("admin"));
  filled.data = json::Value::object({{"x", 1}});
  EXPECT_EQ(code(bench_.decide(run, filled)), "approval.invalid_data");
  EXPECT_EQ(status(run), "open;");
}

TEST_F(Approvals, W8_TwoDecisionsAtOnceAreOne) {
  const auto run = ask();
  const auto approve = decision(run, true, somebody("admin"));
  auto reject = approve;
  reject.approved = false;
  std::promise<std::string> first;
  std::promise<std::string> second;
  const OrganizationId organization = bench_.view(run, false)->organization;
  bench_.engine().decide(organization, run, approve, [&](const Result<void>& result) { first.set_value(code(result)); });
  bench_.engine().decide(organization, run, reject, [&](const Result<void>& result) { second.set_value(code(result)); });
  EXPECT_EQ(first.get_future().get(), "done");
  EXPECT_EQ(second.get_future().get(), "approval.closed");
  EXPECT_EQ(json::to_text(bench_.wait_for_end(run).output.get("approved")), "true");
}

TEST_F(Approvals, AreWithdrawnWithTheRunAndAskedAgainWithItsRetry) {
  const auto run = ask();
  EXPECT_FALSE(bench_.cancel(run).has_error());
  static_cast<void>(bench_.wait_for_end(run));
  EXPECT_EQ(status(run), "withdrawn;");
  EXPECT_FALSE(bench_.retry(run, {}).has_error());
  EXPECT_EQ(status(run), "withdrawn;open;");
  EXPECT_EQ(code(bench_.decide(run, decision(run, true, somebody("admin")))), "done");
  EXPECT_EQ(bench_.wait_for_end(run).phase, Phase::completed);
  const auto fork = bench_.fork(run, {"/do/0/ask", json::Value::object({{"amount", 5}})});
  ASSERT_TRUE(fork.has_value());
  EXPECT_EQ(status(*fork), "open;");
  EXPECT_EQ(code(bench_.decide(*fork, decision(*fork, true, somebody("admin")))), "done");
}

TEST_F(Approvals, W8_WhoForksOrReplaysARunDoesNotApproveIt) {
  const std::string forker = "0198c5f2-7a10-7c3e-9d4b-000000000001";
  const auto original = ask();
  Engine::ForkRequest request;
  request.requester = json::Value::object({{"type", "manual"}, {"user", forker}});
  const auto fork = bench_.fork(original, request);
  ASSERT_TRUE(fork.has_value());
  EXPECT_EQ(bench_.view(*fork, false)->trigger.get("user"), json::Value(forker));
  EXPECT_EQ(code(bench_.decide(*fork, decision(*fork, true, somebody("owner", forker)))), "approval.forbidden");
  EXPECT_EQ(code(bench_.decide(*fork, decision(*fork, true, somebody("owner", std::string(kAdministrator))))), "approval.forbidden")
      << "it started the original";
  // Whoever has the fork forked is not the first to have had a part in it.
  const auto again = bench_.fork(*fork, {});
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(code(bench_.decide(*again, decision(*again, true, somebody("owner", forker)))), "approval.forbidden");
  EXPECT_EQ(code(bench_.decide(*fork, decision(*fork, true, somebody("owner")))), "done");
}

TEST_F(Approvals, W8_AForkCarriesNothingElseThroughAnApproval) {
  const auto run =
      bench_.start(bench_.add("gated", "\n- ask: {call: approval, with: {title: T}}\n- pay: {call: noop}"), json::Value::object());
  EXPECT_EQ(code(bench_.decide(run, decision(run, true, somebody("owner")))), "done");
  static_cast<void>(bench_.wait_for_end(run));
  const auto edited = bench_.fork(run, {"/do/1/pay", json::Value("edited")});
  EXPECT_EQ(edited.has_error() ? edited.error().code : "forked", "run.not_retryable_from");
  EXPECT_TRUE(bench_.fork(run, {"/do/1/pay", {}}).has_value());
}

TEST_F(Approvals, ADryRunAsksNobody) {
  auto request = bench_.request(bench_.add("pay", kAsk));
  request.input = json::Value::object({{"amount", 1}});
  request.dry_run = true;
  const auto view = bench_.execute(std::move(request));
  EXPECT_EQ(view.phase, Phase::completed);
  EXPECT_TRUE(bench_.questions(view.id).empty());
}

TEST_F(Approvals, WithoutItsPlanARunsQuestionsGoWithIt) {
  const auto run = ask();
  bench_.kill();
  bench_.hide_plans(true);
  bench_.boot();
  EXPECT_FALSE(bench_.cancel(run).has_error());
  EXPECT_EQ(status(run), "withdrawn;");
}

TEST_F(Approvals, SecretsAreNotInTheInbox) {
  bench_.give_secrets(json::Value::object({{"token", "canary-0123456789"}}));
  const auto workflow = bench_.add(
      "leak", "\n- ask: {call: approval, with: {title: 'Use ${ $secrets.token }?', data: '${ $secrets }'}}\nuse: {secrets: [token]}");
  const auto run = bench_.start(workflow, json::Value::object());
  std::string stored;
  ASSERT_FALSE(bench_.database()
                   .read([&](storage::Session& session) {
                     return session.query("select title, asked from approvals where run_id = $1", {run},
                                          [&](const storage::Row& row) { stored = std::string(row.text(0)) + std::string(row.text(1)); });
                   })
                   .has_error());
  EXPECT_NE(stored.find("Use "), std::string::npos);
  EXPECT_EQ(stored.find("canary"), std::string::npos);
  EXPECT_EQ(bench_.view(run, false)->waiting_reason.find("canary"), std::string::npos);
  EXPECT_EQ(code(bench_.decide(run, decision(run, true, somebody("member")))), "done");
}

// ---- who ----------------------------------------------------------------------------------------------------------------------

TEST(Deciders, W8_AreWhoTheQuestionNames) {
  struct Case {
    std::vector<std::string> roles;
    std::vector<std::string> users;
    Decider who;
    bool may;
  };
  const std::vector<Case> cases = {
      {{}, {}, {"u", "", "member"}, true},
      {{}, {}, {"u", "", "viewer"}, false},
      {{"admin"}, {}, {"u", "", "member"}, false},
      {{"admin"}, {}, {"u", "", "owner"}, true},
      {{"owner", "member"}, {}, {"u", "", "member"}, true},
      {{"viewer"}, {}, {"u", "", "viewer"}, false},
      {{}, {"U"}, {"u", "", "member"}, true},
      {{}, {"Ann@Example.com"}, {"u", "ann@example.com", "member"}, true},
      {{}, {"ann@example.com"}, {"u", "", "owner"}, false},
      {{}, {"ann@example.com"}, {"u", "ann@example.com", "viewer"}, false},
      {{"owner"}, {"u"}, {"u", "", "member"}, true},
      {{}, {}, {"starter", "", "owner"}, false},
  };
  for (const auto& each : cases) {
    ApprovalRequest request;
    request.roles = each.roles;
    request.users = each.users;
    request.exclude_starter = true;
    EXPECT_EQ(check_decider(request, "starter", each.who).has_value(), each.may) << each.who.id << " " << each.who.role;
  }
}

TEST(Starters, AreWhoAskedAndWhoStartedWhatItComesFrom) {
  const auto manual = *json::parse(R"({"type":"manual","user":"ann"})");
  const auto scheduled = *json::parse(R"({"type":"schedule"})");
  const auto of = [](std::string_view type, std::string_view requester, const json::Value& origin) {
    auto trigger = json::Value::object({{"type", type}});
    set_starters(trigger, *json::parse(requester), origin);
    std::string all;
    for (const auto& id : starters_of(trigger)) all += id + ";";
    return all;
  };
  EXPECT_EQ(of("replay", R"({"type":"manual","user":"bob","api_key":"k"})", manual), "bob;ann;");
  EXPECT_EQ(of("replay", R"({"type":"manual","user":"bob"})", scheduled), "bob;");
  EXPECT_EQ(of("fork", R"({"type":"manual"})", manual), "administrator;ann;");
  EXPECT_EQ(of("workflow", R"({"type":"schedule"})", scheduled), "");
  EXPECT_EQ(of("workflow", R"({"type":"manual"})", *json::parse(R"({"type":"manual"})")), "administrator;");
  EXPECT_EQ(starter_of(*json::parse(R"({"type":"remedy","user":"ann"})")), "ann");
  EXPECT_EQ(starter_of(*json::parse(R"({"type":"remedy"})")), kAdministrator) << "a remedy is applied because somebody approved it";
}

TEST(Right, S4_H3_IsThatOfWhoAskedLastAndOldTriggersHaveIt) {
  auto trigger = *json::parse(R"({"type":"manual","user":"ann"})");
  EXPECT_TRUE(may_destroy(trigger));
  EXPECT_TRUE(may_destroy(json::Value()));
  set_right(trigger, *json::parse(R"({"type":"manual","may_destroy":false})"));
  EXPECT_FALSE(may_destroy(trigger));
  auto child = json::Value::object({{"type", "workflow"}});
  set_starters(child, trigger, trigger);
  EXPECT_FALSE(may_destroy(child));
  auto fork = child;
  set_starters(fork, *json::parse(R"({"type":"manual","user":"bob"})"), child);
  EXPECT_TRUE(may_destroy(fork)) << "bob may";
  EXPECT_EQ(fork.find("may_destroy"), nullptr);
}

TEST(Right, S4_H3_ThatNobodyAskedIsKnownToChildrenUntilSomebodyDoes) {
  auto trigger = *json::parse(R"({"type":"schedule","may_destroy":false})");
  set_right_of_author(trigger, true);
  EXPECT_TRUE(may_destroy(trigger) && is_unattended(trigger));
  auto child = json::Value::object({{"type", "workflow"}});
  set_starters(child, trigger, trigger);
  EXPECT_TRUE(may_destroy(child) && is_unattended(child));
  set_right_of_author(child, false);
  EXPECT_TRUE(!may_destroy(child) && is_unattended(child));
  set_retrier(child, *json::parse(R"({"type":"manual","user":"bob"})"));
  EXPECT_TRUE(may_destroy(child) && !is_unattended(child));
}

TEST(Starters, S4_H3_ARetriedRunIsThatOfWhoRetriedIt) {
  const auto retried = [](std::string_view trigger, std::string_view requester) {
    auto run = *json::parse(trigger);
    set_retrier(run, *json::parse(requester));
    std::string all;
    for (const auto& id : starters_of(run)) all += id + ";";
    return all + json::to_text(run.get("api_key"));
  };
  constexpr std::string_view kAnn = R"({"type":"manual","user":"ann","api_key":"k"})";
  constexpr std::string_view kKey = R"({"type":"manual"})";
  EXPECT_EQ(retried(kAnn, R"({"type":"manual","user":"bob"})"), "bob;ann;null");
  EXPECT_EQ(retried(kAnn, R"({"type":"manual","user":"bob","api_key":"l"})"), R"(bob;ann;"l")");
  EXPECT_EQ(retried(kAnn, kKey), "administrator;ann;null") << "the installation's own key, and no longer ann";
  EXPECT_EQ(retried(kKey, kAnn), R"(ann;administrator;"k")");
  EXPECT_EQ(retried(R"({"type":"schedule"})", kKey), "administrator;null");
  EXPECT_EQ(retried(R"({"type":"remedy","user":"ann"})", R"({"type":"remedy","user":"eve"})"), "eve;ann;null");
}

TEST(Digest, ChangesWithEveryByteOfWhatIsAsked) {
  const RunId run;
  ApprovalRequest request;
  request.title = "Pay 900";
  const auto digest = approval_digest(run, "/do/0/a", 1, to_json(request));
  EXPECT_EQ(digest.size(), 64U);
  request.title = "Pay 901";
  EXPECT_NE(approval_digest(run, "/do/0/a", 1, to_json(request)), digest);
  request.title = "Pay 900";
  EXPECT_NE(approval_digest(run, "/do/0/a", 2, to_json(request)), digest);
  EXPECT_EQ(approval_digest(run, "/do/0/a", 1, to_json(approval_request(to_json(request)))), digest);
}

// ---- outcome unknown ------------------------------------------------------------------------------------------------------------

class Unknown : public Approvals {
 protected:
  /// The process ends while the call is under way.
  [[nodiscard]] RunId interrupted(std::string_view policy) {
    const auto workflow =
        bench_.add("pay", "\n- pay: {call: manual, with: {n: 1}, metadata: {effect: once, on_unknown: " + std::string(policy) + "}}");
    const auto run = bench_.start(workflow, json::Value::object());
    bench_.manual().wait_for(1);
    bench_.kill();
    bench_.boot();
    return run;
  }
};

TEST_F(Unknown, AskedPeopleDecideAndNothingIsCalledBefore) {
  const auto run = interrupted("ask");
  const auto patience = std::chrono::steady_clock::now() + kPatience;
  while (status(run).empty()) {  // recovery goes on behind the start
    ASSERT_LT(std::chrono::steady_clock::now(), patience);
    std::this_thread::yield();
  }
  EXPECT_EQ(status(run), "open;");
  EXPECT_EQ(bench_.manual().waiting(), 0U);
  auto done = decision(run, true, somebody("member"));
  done.data = *json::parse(R"({"outcome":"done","output":{"receipt":7}})");
  EXPECT_EQ(code(bench_.decide(run, done)), "done");
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(json::to_text(view.output), R"({"receipt":7})");
  EXPECT_EQ(view.tasks.front().record.logs.size(), 2U);
  EXPECT_EQ(bench_.manual().keys().size(), 1U);
}

TEST_F(Unknown, ARepetitionHasTheSameKey) {
  const auto run = interrupted("retry-with-key");
  bench_.manual().wait_for(1);
  const auto keys = bench_.manual().keys();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_FALSE(keys[0].empty());
  bench_.manual().answer(Outcome::success("paid"));
  EXPECT_EQ(json::to_text(bench_.wait_for_end(run).output), "\"paid\"");
}

TEST_F(Unknown, AProbeThatSaysItHappenedKeepsItFromHappeningAgain) {
  const auto run = interrupted("{probe: {call: noop, with: {happened: true, receipt: 4}}}");
  EXPECT_EQ(json::to_text(bench_.wait_for_end(run).output), R"({"happened":true,"receipt":4})");
  EXPECT_EQ(bench_.manual().keys().size(), 1U);
}

TEST_F(Unknown, AProbeThatWouldDoSomethingIsRefused) {
  const auto run = interrupted("{probe: {call: manual, with: {happened: true}}}");
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.error.get("title"), json::Value("Outcome unknown"));
  EXPECT_EQ(bench_.manual().keys().size(), 1U);
}

}  // namespace
}  // namespace pawl::engine
