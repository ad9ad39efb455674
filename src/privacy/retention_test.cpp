#include "privacy/retention.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "audit/query.hpp"
#include "audit/testing/chain.hpp"

namespace pawl::privacy {
namespace {

class RetentionRules : public audit::testing::Chain {
 protected:
  void add_run(std::int64_t key, Millis age) {
    const auto written = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(
          "insert into runs (key, id, workflow, version, phase, flags, created_at, started_after, ended_after, history) "
          "values ($1, $2, 1, 1, 6, 0, $3, 0, 1000, $2)",
          {key, storage::Parameter::blob("x"), clock.now() - age}));
      return {};
    });
    ASSERT_FALSE(written.has_error());
  }
  static std::uint64_t of(const std::vector<Purged>& purged, std::string_view type) {
    for (const auto& each : purged) {
      if (each.type == type) return each.count;
    }
    ADD_FAILURE() << "no rule for " << type;
    return 0;
  }
};

constexpr Millis kDay = std::chrono::hours(24);

// proves: FA-17, AI-H11
TEST_F(RetentionRules, FA_17_CountWithoutRemovingAndRemoveInBatches) {
  for (int i = 0; i < 1203; ++i) add_run(i, 181 * kDay);
  add_run(5000, 179 * kDay);
  Retention rules(*database, *log, clock, {});
  EXPECT_EQ(of(*rules.count(), "runs"), 1203U);
  EXPECT_EQ(number("select count(*) from runs"), 1204) << "counting removes nothing";
  const auto commits = database->statistics().commits;
  EXPECT_EQ(of(*rules.purge({}), "runs"), 1203U);
  EXPECT_GE(database->statistics().commits - commits, 3U) << "never long at once";
  EXPECT_EQ(number("select count(*) from runs"), 1);
  EXPECT_EQ(of(*rules.count(), "runs"), 0U);
}

TEST_F(RetentionRules, KeepForEverWhereTheSettingIsZero) {
  add_run(1, 10'000 * kDay);
  RetentionOptions options;
  options.runs = 0;
  Retention rules(*database, *log, clock, options);
  EXPECT_EQ(of(*rules.purge({}), "runs"), 0U);
  EXPECT_EQ(number("select count(*) from runs"), 1);
}

TEST_F(RetentionRules, AreAuditedWithTheOneWhoAsked) {
  add_run(1, 200 * kDay);
  Retention rules(*database, *log, clock, {});
  ASSERT_FALSE(rules.purge(audit::Actor::of_user(audit::testing::user(3))).has_error());
  reopen();
  const auto page = audit::list(*database, audit::Scope::installation(), {.action = "retention.purged"});
  ASSERT_EQ(page->entries.size(), 1U);
  EXPECT_EQ(page->entries[0].actor.user, audit::testing::user(3));
  EXPECT_EQ(page->entries[0].details, R"({"runs":1})");
}

TEST_F(RetentionRules, RemoveOldAuditRecordsSoThatTheRestVerifies) {
  add(record("old.done"));
  clock.advance(2556 * kDay);
  add(record("new.done"));
  Retention rules(*database, *log, clock, {});
  EXPECT_EQ(of(*rules.count(), "audit_records"), 1U);
  EXPECT_EQ(of(*rules.purge({}), "audit_records"), 1U);
  EXPECT_TRUE(verified().ok);
}

TEST_F(RetentionRules, StopBetweenTwoBatchesWhenToldTo) {
  for (int i = 0; i < 1203; ++i) add_run(i, 181 * kDay);
  Retention rules(*database, *log, clock, {});
  int asked = 0;
  EXPECT_EQ(of(*rules.purge({}, [&] { return ++asked <= 1; }), "runs"), 500U);
}

// proves: FA-17, AI-H11
TEST_F(RetentionRules, FA_17_TheSchedulePurgesSoonAfterTheStartAndAgainAndAgain) {
  const auto wait_until_gone = [&] {
    while (number("select count(*) from runs") > 1) std::this_thread::yield();
  };
  add_run(1, 179 * kDay);
  add_run(2, 181 * kDay);
  Retention rules(*database, *log, clock, {});
  {
    const RetentionSchedule schedule(rules, [](const Error& error) { ADD_FAILURE() << error.message; },
                                     {.first = Millis(1), .period = Millis(1)});
    wait_until_gone();
    add_run(3, 181 * kDay);
    wait_until_gone();
  }
  add_run(4, 181 * kDay);
  EXPECT_EQ(of(*rules.count(), "runs"), 1U) << "it has ended";
  reopen();
  const auto page = audit::list(*database, audit::Scope::installation(), {.action = "retention.purged"});
  ASSERT_EQ(page->entries.size(), 2U);
  for (const auto& entry : page->entries) EXPECT_EQ(entry.details, R"({"runs":1})");
}

// proves: FA-17
TEST_F(RetentionRules, FA_17_RunsAreLookedForByTheTimeInTheirKeysOnly) {
  RetentionOptions options;
  options.runs = 30;
  Retention rules(*database, *log, clock, options);
  const auto key_at = [&](Millis age) {
    return (std::chrono::duration_cast<Millis>((clock.now() - age).time_since_epoch()).count() - 1'577'836'800'000) * 4'194'304;
  };
  add_run(key_at(31 * kDay), 31 * kDay);
  add_run(key_at(1 * kDay), 31 * kDay);  // never: a run is not older than its id
  EXPECT_EQ(of(*rules.count(), "runs"), 1U);
  EXPECT_EQ(of(*rules.purge({}), "runs"), 1U);
  EXPECT_EQ(number("select count(*) from runs"), 1);
}

// proves: FA-17
TEST_F(RetentionRules, FA_17_DocumentsThatAreListedNowhereGoWithTheirDryRuns) {
  const auto add = [&](std::uint8_t number, Millis age, Millis removed_after) {
    const std::string bytes(16, static_cast<char>(number));
    const auto id = storage::Parameter::blob(bytes);
    const auto at = clock.now() - age;
    const auto written = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(
          transaction.execute("insert into workflows (id, organization_id, name, is_active, created_at, updated_at, deleted_at) "
                              "values ($1, $1, 'draft', 0, $2, $2, $3)",
                              {id, at, at + removed_after}));
      PAWL_TRY_VOID(
          transaction.execute("insert into workflow_versions (workflow_id, version, definition, created_at, document_namespace, "
                              "document_name, document_version) "
                              "values ($1, 1, 'x', $2, 'n', 'n', '1.0.0')",
                              {id, at}));
      PAWL_TRY_VOID(transaction.execute("insert into run_workflows (ref, organization_id, workflow_id, name) values ($1, $2, $2, 'draft')",
                                        {static_cast<std::int64_t>(number), id}));
      return {};
    });
    ASSERT_FALSE(written.has_error()) << written.error().message;
  };
  const auto run_of = [&](std::int64_t key, std::uint8_t number, Millis age, bool dry) {
    add_run(key, age);
    const auto written = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute("update runs set workflow = $2, flags = $3 where key = $1",
                                        {key, static_cast<std::int64_t>(number), static_cast<std::int64_t>(dry)}));
      return {};
    });
    ASSERT_FALSE(written.has_error()) << written.error().message;
  };
  add(1, 8 * kDay, Millis(0));
  add(2, 6 * kDay, Millis(0));
  add(3, 8 * kDay, Millis(0));
  run_of(10, 3, 8 * kDay, true);
  add(4, 8 * kDay, Millis(0));
  run_of(11, 4, 6 * kDay, true);
  add(5, 8 * kDay, Millis(0));
  run_of(12, 5, 8 * kDay, false);  // of `pawl run`: kept as any other run, and its document with it
  add(6, 8 * kDay, Millis(1));     // was listed, and then removed
  run_of(13, 6, 8 * kDay, true);
  Retention rules(*database, *log, clock, {});
  EXPECT_EQ(of(*rules.count(), "draft_runs"), 1U);
  EXPECT_EQ(of(*rules.count(), "drafts"), 1U) << "the one whose dry run goes first counts then";
  const auto purged = rules.purge({});
  ASSERT_FALSE(purged.has_error()) << purged.error().message;
  EXPECT_EQ(of(*purged, "draft_runs"), 1U);
  EXPECT_EQ(of(*purged, "drafts"), 2U);
  EXPECT_EQ(number("select count(*) from workflows"), 4);
  EXPECT_EQ(number("select count(*) from workflow_versions"), 4);
  EXPECT_EQ(number("select count(*) from runs"), 3);
  RetentionOptions for_ever;
  for_ever.drafts = 0;
  clock.advance(100 * kDay);
  Retention none(*database, *log, clock, for_ever);
  EXPECT_EQ(of(*none.count(), "drafts"), 0U);
}

/// Every rule runs on the schema as it is, and every one is in the policy.
TEST_F(RetentionRules, AreAllInThePolicy) {
  Retention rules(*database, *log, clock, {});
  const auto policy = rules.policy();
  const auto counts = rules.count();
  ASSERT_FALSE(counts.has_error()) << counts.error().message;
  ASSERT_FALSE(rules.purge({}).has_error());
  ASSERT_EQ(policy.size(), counts->size());
  for (std::size_t i = 0; i < policy.size(); ++i) EXPECT_EQ(policy[i].type, (*counts)[i].type);
}

}  // namespace
}  // namespace pawl::privacy
