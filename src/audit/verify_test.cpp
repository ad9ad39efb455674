#include "audit/verify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/detail/chain.hpp"
#include "audit/query.hpp"
#include "audit/testing/chain.hpp"

namespace pawl::audit {
namespace {

using testing::user;

// The trail as it is, and back to that.
constexpr std::string_view kKeep =
    "create table kept_records as select * from audit_records; create table kept_addresses as select * from audit_addresses; "
    "create table kept_head as select * from audit_head";
constexpr std::string_view kPutBack =
    "delete from audit_records; insert into audit_records select * from kept_records; "
    "delete from audit_addresses; insert into audit_addresses select * from kept_addresses; "
    "delete from audit_head; insert into audit_head select * from kept_head";

class Verify : public testing::Chain {
 protected:
  void fill(int count) {
    for (int i = 0; i < count; ++i) add(record("thing.done"));
    log->flush_file();
  }
};

// proves: S4-D4, S4-O8
TEST_F(Verify, S4_D4_FindsAndLocatesAnAlterationOfEveryColumn) {
  struct Case {
    std::string column;
    std::string_view change;
  };
  // Every column of the table; the test below compares the list with the schema.
  const std::vector<Case> cases{
      {"seq", "update audit_records set seq = 77 where seq = 4"},
      {"at", "update audit_records set at = at + 1 where seq = 4"},
      {"organization_id", "update audit_records set organization_id = null where seq = 4"},
      {"actor", "update audit_records set actor = 'system' where seq = 4"},
      {"actor_user", "update audit_records set actor_user = x'00000000000070000000000000000002' where seq = 4"},
      {"actor_key", "update audit_records set actor_key = x'00000000000070000000000000000002' where seq = 4"},
      {"action", "update audit_records set action = 'thing.undone' where seq = 4"},
      {"resource_type", "update audit_records set resource_type = 'other' where seq = 4"},
      {"resource_id", "update audit_records set resource_id = '8' where seq = 4"},
      {"outcome", "update audit_records set outcome = 'failure' where seq = 4"},
      {"network", "update audit_records set network = '10.0.0.0/24' where seq = 4"},
      {"address_digest", "update audit_records set address_digest = null where seq = 4"},
      {"request_id", "update audit_records set request_id = '' where seq = 4"},
      {"run_id", "update audit_records set run_id = null where seq = 4"},
      {"task", "update audit_records set task = '/do/1' where seq = 4"},
      {"duration", "update audit_records set duration = 13 where seq = 4"},
      {"details", "update audit_records set details = '{}' where seq = 4"},
      {"previous", "update audit_records set previous = zeroblob(32) where seq = 4"},
      {"hash", "update audit_records set hash = zeroblob(32) where seq = 4"},
      {"mac", "update audit_records set mac = zeroblob(32) where seq = 4"},
      {"records", "update audit_records set records = 2 where seq = 4"},
      {"earliest", "update audit_records set earliest = at where seq = 4"},
      {"marks", "update audit_records set marks = mac where seq = 4"},
      {"body", "update audit_records set body = mac where seq = 4"},
  };
  fill(7);
  std::vector<std::string> columns;
  const auto read = database->read([&](storage::Session& session) {
    return session.query(
        storage::testing::on_postgresql()
            ? "select column_name from information_schema.columns where table_name = 'audit_records' and table_schema = current_schema()"
            : "select name from pragma_table_info('audit_records')",
        {}, [&](const storage::Row& row) { columns.emplace_back(row.text(0)); });
  });
  ASSERT_FALSE(read.has_error());
  std::vector<std::string> listed;
  for (const auto& each : cases) listed.push_back(each.column);
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(columns));

  log.reset();  // the file is not to follow what happens now
  ASSERT_TRUE(verified().ok);
  for (const auto& each : cases) {
    sql("create table saved as select * from audit_records where seq = 4");
    sql(each.change);
    const auto report = verified(false);
    EXPECT_FALSE(report.ok) << each.column;
    if (report.problem) {
      EXPECT_EQ(report.problem->sequence, 4U) << each.column << ": " << report.problem->detail;
    }
    sql("delete from audit_records where seq in (4, 77)");
    sql("insert into audit_records select * from saved");
    sql("drop table saved");
    ASSERT_TRUE(verified().ok) << each.column;
  }
}

TEST_F(Verify, S4_D4_FindsEveryKindOfRewriting) {
  struct Case {
    std::string name;
    std::vector<std::string> statements;
    std::uint64_t first_bad;
  };
  const std::vector<Case> cases{
      {"one removed from the middle", {"delete from audit_records where seq = 4"}, 4},
      {"one removed, the rest moved up",
       {"delete from audit_records where seq = 4", "update audit_records set seq = -seq where seq > 4",
        "update audit_records set seq = -seq - 1 where seq < 0"},
       4},
      {"two exchanged",
       {"update audit_records set seq = 100 where seq = 3", "update audit_records set seq = 3 where seq = 4",
        "update audit_records set seq = 4 where seq = 100"},
       3},
      {"one doubled at the end",
       {"insert into audit_records select 8, at, organization_id, actor, actor_user, actor_key, action, resource_type, resource_id, "
        "outcome, network, address_digest, request_id, run_id, task, duration, details, previous, hash, mac, 1, null, null, null from "
        "audit_records where seq = 7"},
       8},
      {"one put before the first",
       {"insert into audit_records select -5, at, organization_id, actor, actor_user, actor_key, action, resource_type, resource_id, "
        "outcome, network, address_digest, request_id, run_id, task, duration, details, previous, hash, mac, 1, null, null, null from "
        "audit_records where seq = 7"},
       0},
      {"the newest removed", {"delete from audit_records where seq = 7"}, 7},
      {"the oldest removed", {"delete from audit_records where seq = 1"}, 1},
      {"all removed", {"delete from audit_records"}, 1},
      {"an address altered", {"update audit_addresses set address = '192.0.2.78' where seq = 5"}, 5},
      {"a salt altered", {"update audit_addresses set salt = x'00' where seq = 5"}, 5},
      {"an address removed", {"delete from audit_addresses where seq = 5"}, 5},
      {"the head altered", {"update audit_head set seq = 6"}, 6},
      {"the head's signature altered", {"update audit_head set mac = zeroblob(32)"}, 7},
      {"the head removed", {"delete from audit_head"}, 0},
      {"a checkpoint invented",
       {"insert into audit_checkpoint select 1, seq, hash, at, mac from audit_records where seq = 3",
        "delete from audit_records where seq <= 3"},
       3},
  };
  fill(7);
  sql(kKeep);
  log.reset();  // the file is not to follow what happens now
  for (const auto& each : cases) {
    for (const auto& statement : each.statements) sql(statement);
    const auto report = verified(false);
    EXPECT_FALSE(report.ok) << each.name;
    if (report.problem) {
      EXPECT_EQ(report.problem->sequence, each.first_bad) << each.name << ": " << report.problem->detail;
    }
    sql(kPutBack);
    sql("delete from audit_checkpoint");
    ASSERT_TRUE(verified().ok) << each.name;
  }
}

/// Whoever can write the whole database and knows this program, but not the key.
TEST_F(Verify, S4_D4_FindsAChainThatWasComputedAnewWithoutTheKey) {
  fill(7);
  const auto forged = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    std::vector<detail::Stored> all;
    PAWL_TRY_VOID(transaction.query(PAWL_AUDIT_SELECT "order by r.seq", {}, [&](const storage::Row& row) {
      for (auto& stored : detail::read_row(row).records) all.push_back(std::move(stored));
    }));
    PAWL_TRY_VOID(transaction.execute("delete from audit_records"));
    PAWL_TRY_VOID(transaction.execute("delete from audit_head"));
    all[3].entry.action = "nothing.happened";
    const auto other_key = key_of("another secret");
    detail::Head head;
    std::vector<std::shared_ptr<detail::Stored>> pointers;
    for (const auto& stored : all) pointers.push_back(std::make_shared<detail::Stored>(stored));
    PAWL_TRY_VOID(detail::insert_all(transaction, other_key, head, pointers));
    return detail::set_head(transaction, other_key, head);
  });
  ASSERT_FALSE(forged.has_error());
  const auto report = verified(false);
  ASSERT_FALSE(report.ok);
  EXPECT_EQ(report.problem->kind, "unknown_key");
  EXPECT_EQ(report.problem->sequence, 1U);
  // With the old head kept, which fits no longer: the first record is already signed by somebody else.
  sql("update audit_head set seq = 0");
  EXPECT_FALSE(verified(false).ok);
}

TEST_F(Verify, S4_D4_FindsRecordsMissingFromTheDatabaseThatTheFileHas) {
  fill(3);
  // A state of the database as it was: head and records fit each other.
  sql(kKeep);
  fill(4);
  sql(kPutBack);
  EXPECT_TRUE(verified(false).ok) << "the database alone cannot know";
  const auto report = verified();
  ASSERT_FALSE(report.ok);
  EXPECT_EQ(report.problem->kind, "truncated");
  EXPECT_EQ(report.problem->sequence, 4U);
}

TEST_F(Verify, S4_D4_FindsTheTruncationOfBothAgainstAHashNotedElsewhere) {
  fill(3);
  const auto noted = verified();
  VerifyOptions wish;
  wish.keys = log->keys();
  wish.expected_sequence = 3;
  wish.expected_hash = noted.head;
  EXPECT_TRUE(verify(*database, wish)->ok);
  wish.expected_hash = std::string(64, '0');
  EXPECT_EQ(verify(*database, wish)->problem->sequence, 3U);
  wish.expected_sequence = 4;
  EXPECT_EQ(verify(*database, wish)->problem->kind, "expected");
}

TEST_F(Verify, S4_D4_FindsAlterationsOfTheFile) {
  fill(5);
  log.reset();
  const auto all = lines();
  struct Case {
    std::string name;
    std::vector<std::string> lines;
    std::uint64_t first_bad;
  };
  auto altered = all;
  altered[2].replace(altered[2].find("because"), 7, "perhaps");
  const std::vector<Case> cases{{"altered", altered, 3},
                                {"removed", {all[0], all[1], all[3], all[4]}, 3},
                                {"reordered", {all[0], all[2], all[1], all[3], all[4]}, 2},
                                {"doubled", {all[0], all[1], all[1], all[2], all[3], all[4]}, 3},
                                {"added", {all[0], all[1], all[2], "{\"hello\":1}", all[3], all[4]}, 4}};
  for (const auto& each : cases) {
    write_lines(each.lines);
    VerifyOptions wish;
    wish.keys = options().keys;
    wish.file = file();
    const auto report = verify(*database, wish);
    ASSERT_FALSE(report.has_error());
    ASSERT_FALSE(report->ok) << each.name;
    EXPECT_EQ(report->problem->kind, "file") << each.name;
    EXPECT_EQ(report->problem->sequence, each.first_bad) << each.name;
  }
  write_lines(all);
}

// proves: FA-17
TEST_F(Verify, FA_17_StillFitsAfterRetentionHasRemovedTheOldest) {
  fill(4);
  clock.advance(std::chrono::hours(48));
  fill(3);
  const auto before = clock.now() - std::chrono::hours(24);
  EXPECT_EQ(*count_older(*database, before), 4U);
  EXPECT_EQ(*remove_older(*database, *log, before, 3), 3U);
  EXPECT_EQ(*remove_older(*database, *log, before, 3), 1U);
  EXPECT_EQ(*remove_older(*database, *log, before, 3), 0U);
  const auto report = verified();
  EXPECT_TRUE(report.ok) << report.problem->detail;
  EXPECT_EQ(report.removed, 4U);
  EXPECT_EQ(report.first, 5U);
  EXPECT_EQ(report.records, 5U) << "three, and two that say that some were removed";
  sql("delete from audit_records where seq = 5");
  EXPECT_EQ(verified().problem->sequence, 5U);
}

TEST_F(Verify, LeavesTheChainAsItIsWhenAPersonIsErased) {
  fill(3);
  sql("delete from audit_addresses where seq = 2");
  EXPECT_EQ(verified().problem->kind, "address");
  auto erased = record("data.erased");
  erased.actor = {};
  erased.resource = {"user", user(1).to_string()};
  add(erased);
  EXPECT_TRUE(verified().ok);
}

TEST_F(Verify, AcceptsRecordsOfAnEarlierKeyAsLongAsThatIsNamed) {
  fill(2);
  log.reset();
  auto changed = options();
  changed.keys = {key_of("a new secret of the installation")};
  log = std::move(Log::open(*database, clock, redactor, changed)).value();
  add(record("thing.done"));
  const auto report = verified();
  EXPECT_FALSE(report.ok);
  EXPECT_EQ(report.problem->kind, "unknown_key");
  EXPECT_EQ(report.problem->sequence, 1U);
  EXPECT_THAT(report.problem->detail, ::testing::HasSubstr("records 1 to 2"));
  VerifyOptions both;
  both.keys = {key_of("a new secret of the installation"), options().keys.front()};
  EXPECT_TRUE(verify(*database, both)->ok);
  // Nobody signs with an earlier key once the present one has.
  log.reset();
  changed.keys = {key_of("yet another secret")};
  log = std::move(Log::open(*database, clock, redactor, changed)).value();
  add(record("thing.done"));
  const auto later = verify(*database, both);
  EXPECT_EQ(later->problem->kind, "forged");
  EXPECT_EQ(later->problem->sequence, 4U);
}

TEST_F(Verify, WalksManyPages) {
  for (int i = 0; i < 2500; ++i) ASSERT_FALSE(log->append(record("thing.done")).has_error());
  reopen();
  const auto report = verified();
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.records, 2500U);
  EXPECT_EQ(report.file_lines, 2500U);
}

}  // namespace
}  // namespace pawl::audit
