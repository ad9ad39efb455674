// Rows that hold several records: the same to every reader as rows of one.
#include "audit/detail/packed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "audit/detail/chain.hpp"
#include "audit/query.hpp"
#include "audit/testing/chain.hpp"

namespace pawl::audit {
namespace {

using testing::organization;
using testing::user;

class Packed : public testing::Chain {
 protected:
  static std::vector<Record> many(int count, std::uint8_t actor = 1) {
    std::vector<Record> records;
    for (int i = 0; i < count; ++i) {
      records.push_back(record(i % 2 == 0 ? "thing.done" : "other.done", actor));
      records.back().resource.id = std::to_string(i);
    }
    return records;
  }
  [[nodiscard]] std::vector<std::uint64_t> found(const Filter& filter, const Scope& scope = Scope::installation()) {
    std::vector<std::uint64_t> sequences;
    const auto page = list(*database, scope, filter);
    EXPECT_FALSE(page.has_error()) << page.error().message;
    for (const auto& entry : page->entries) sequences.push_back(entry.sequence);
    return sequences;
  }
  /// Does to the one row's body what somebody with access to the database could.
  void alter(std::size_t index, const std::function<void(Entry&)>& change) {
    const auto result = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      std::optional<std::vector<Entry>> entries;
      PAWL_TRY_VOID(transaction.query("select body, records from audit_records where records > 1", {}, [&](const storage::Row& row) {
        entries = detail::unpack(row.blob(0), static_cast<std::size_t>(row.integer(1)));
      }));
      if (!entries) return Error(ErrorClass::internal, "test.body", "the body cannot be read");
      change(entries->at(index));
      detail::Packer packer;
      for (const auto& entry : *entries) EXPECT_TRUE(packer.add(entry));
      PAWL_TRY_VOID(transaction.execute("update audit_records set body = $1 where records > 1", {storage::Parameter::blob(packer.take())}));
      return {};
    });
    ASSERT_FALSE(result.has_error()) << result.error().message;
  }
};

// proves: P6, S4-D4
TEST_F(Packed, S4_D4_RecordsOfOneActorShareARowAndAnAddress) {
  add_together(many(20));
  EXPECT_EQ(number("select count(*) from audit_records"), 1);
  EXPECT_EQ(number("select count(*) from audit_addresses"), 1);
  auto others = many(8, 2);
  const auto third = many(8, 3);
  others.insert(others.end(), third.begin(), third.end());
  add_together(others);
  EXPECT_EQ(number("select count(*) from audit_records"), 3) << "one for each actor";
  add_together(many(2));
  EXPECT_EQ(number("select count(*) from audit_records"), 5) << "a few are not worth it";
  const auto report = verified();
  EXPECT_TRUE(report.ok) << report.problem->detail;
  EXPECT_EQ(report.records, 38U);
  EXPECT_EQ(report.file_lines, 38U);
  EXPECT_EQ(report.first, 1U);
  EXPECT_EQ(report.last, 38U);
}

TEST_F(Packed, IsTheSameChainAsRecordsInRowsOfTheirOwn) {
  const auto without_address = [] {
    auto records = many(30);
    for (auto& each : records) each.address.clear();
    records[7].duration.reset();
    records[8].run.reset();
    records[9].duration = Millis(-5);
    records[10].details = {};
    records[11].outcome = Outcome::refused;
    records[12].at = TimePoint(Millis(5));
    records[13].details = json::Value::object({{"text", std::string(900, 'x')}});
    return records;
  };
  for (const auto& each : without_address()) add(each);
  log->flush_file();
  const auto one_by_one = lines();
  log.reset();
  sql("delete from audit_records; delete from audit_head");
  std::filesystem::remove(file());
  reopen();
  add_together(without_address());
  EXPECT_TRUE(verified().ok);
  EXPECT_EQ(number("select count(*) from audit_records"), 1);
  EXPECT_EQ(lines(), one_by_one);
}

TEST_F(Packed, IsFilteredPagedCountedAndFoundById) {
  using ::testing::ElementsAre;
  add(record("first.done"));
  auto records = many(10);
  records[3].outcome = Outcome::failure;
  records[4].at = clock.now() - std::chrono::hours(30);
  records[5].run = RunId{user(5).uuid};
  records[6].details = json::Value::object({{"note", "Needle"}});
  add_together(records);
  add(record("last.done", 2));
  EXPECT_EQ(found({}).size(), 12U);
  EXPECT_THAT(found({.outcome = Outcome::failure}), ElementsAre(5));
  EXPECT_THAT(found({.resource_id = "9"}), ElementsAre(11));
  EXPECT_THAT(found({.run = RunId{user(5).uuid}}), ElementsAre(7));
  EXPECT_THAT(found({.text = "nEEDLE"}), ElementsAre(8));
  EXPECT_THAT(found({.until = clock.now() - std::chrono::hours(1)}), ElementsAre(6));
  EXPECT_THAT(found({.actor = user(2)}), ElementsAre(12));
  EXPECT_THAT(found({.action = "other"}), ElementsAre(11, 9, 7, 5, 3));
  EXPECT_THAT(found({}, Scope::of(organization(2))), ElementsAre());
  std::vector<std::uint64_t> paged;
  for (std::optional<std::uint64_t> before = 100; before;) {
    const auto page = list(*database, Scope::of(organization(1)), {.limit = 5, .before = before});
    for (const auto& entry : page->entries) {
      paged.push_back(entry.sequence);
      const auto again = get(*database, Scope::of(organization(1)), entry.id());
      ASSERT_FALSE(again.has_error()) << entry.sequence;
      EXPECT_EQ(again->hash, entry.hash);
      EXPECT_EQ(again->address, "192.0.2.77");
    }
    before = page->next;
  }
  EXPECT_THAT(paged, ElementsAre(12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
  const auto counts = stats(*database, Scope::installation(), clock.now(), {});
  EXPECT_EQ(counts->total, 11U) << "without the one of the day before";
  EXPECT_EQ(counts->by_action.at(0), std::pair(std::string("other.done"), std::uint64_t{5}));
  EXPECT_EQ(stats(*database, Scope::installation(), {}, {})->by_day.size(), 2U);
}

TEST_F(Packed, APageLooksAtABoundedNumberOfRecords) {
  add(record("needle.found"));
  for (int i = 0; i < 25; ++i) add_together(many(1000));
  std::size_t pages = 0;
  std::vector<std::uint64_t> all;
  for (std::optional<std::uint64_t> before = 1'000'000; before; ++pages) {
    const auto page = list(*database, Scope::of(organization(1)), {.action = "needle", .before = before});
    for (const auto& entry : page->entries) all.push_back(entry.sequence);
    before = page->next;
  }
  EXPECT_THAT(all, ::testing::ElementsAre(1));
  EXPECT_EQ(pages, 2U);
}

TEST_F(Packed, S4_D4_TheAlteredRecordOfARowIsNamed) {
  struct Case {
    std::string name;
    std::function<void(Entry&)> change;
  };
  const std::vector<Case> cases{
      {"action", [](Entry& entry) { entry.action = "nothing.done"; }},
      {"outcome", [](Entry& entry) { entry.outcome = Outcome::failure; }},
      {"resource", [](Entry& entry) { entry.resource.id = "8"; }},
      {"run", [](Entry& entry) { entry.run.reset(); }},
      {"task", [](Entry& entry) { entry.task = "/do/1"; }},
      {"request", [](Entry& entry) { entry.request_id.clear(); }},
      {"duration", [](Entry& entry) { entry.duration = Millis(13); }},
      {"details", [](Entry& entry) { entry.details = "{}"; }},
  };
  add(record("first.done"));
  add_together(many(10));
  log->flush_file();
  log.reset();
  for (const auto& each : cases) {
    sql("create table saved as select * from audit_records where records > 1");
    alter(6, each.change);
    const auto report = verified(false);
    ASSERT_TRUE(report.problem) << each.name;
    EXPECT_EQ(report.problem->kind, "altered") << each.name;
    EXPECT_EQ(report.problem->sequence, 8U) << each.name;
    sql("delete from audit_records where records > 1");
    sql("insert into audit_records select * from saved");
    sql("drop table saved");
    ASSERT_TRUE(verified().ok) << each.name;
  }
}

TEST_F(Packed, S4_D4_EveryAlteredColumnOfARowIsFound) {
  const std::vector<std::string_view> changes{
      "update audit_records set at = at + 1 where seq = 11",
      "update audit_records set organization_id = null where seq = 11",
      "update audit_records set actor = 'system' where seq = 11",
      "update audit_records set actor_user = x'00000000000070000000000000000002' where seq = 11",
      "update audit_records set actor_key = x'00000000000070000000000000000002' where seq = 11",
      "update audit_records set action = 'a' where seq = 11",
      "update audit_records set resource_type = 'a' where seq = 11",
      "update audit_records set resource_id = 'a' where seq = 11",
      "update audit_records set outcome = 'success' where seq = 11",
      "update audit_records set network = '10.0.0.0/24' where seq = 11",
      "update audit_records set address_digest = null where seq = 11",
      "update audit_records set request_id = 'a' where seq = 11",
      "update audit_records set run_id = mac where seq = 11",
      "update audit_records set task = 'a' where seq = 11",
      "update audit_records set duration = 1 where seq = 11",
      "update audit_records set details = '{}' where seq = 11",
      "update audit_records set previous = zeroblob(32) where seq = 11",
      "update audit_records set hash = zeroblob(32) where seq = 11",
      "update audit_records set mac = zeroblob(32) where seq = 11",
      "update audit_records set records = 9 where seq = 11",
      "update audit_records set records = 1 where seq = 11",
      "update audit_records set earliest = earliest - 1 where seq = 11",
      "update audit_records set earliest = null where seq = 11",
      "update audit_records set marks = mac where seq = 11",
      "update audit_records set marks = null where seq = 11",
      "update audit_records set body = mac where seq = 11",
      "update audit_records set body = null where seq = 11",
      "update audit_records set seq = 77 where seq = 11",
  };
  add(record("first.done"));
  add_together(many(10));
  add(record("last.done"));
  log->flush_file();
  log.reset();
  for (const auto change : changes) {
    sql("create table saved as select * from audit_records where seq = 11");
    sql(change);
    const auto report = verified(false);
    ASSERT_TRUE(report.problem) << change;
    EXPECT_GE(report.problem->sequence, 2U) << change;
    EXPECT_LE(report.problem->sequence, 11U) << change;
    EXPECT_FALSE(list(*database, Scope::installation(), {}).has_error()) << change;
    EXPECT_FALSE(stats(*database, Scope::installation(), {}, {}).has_error()) << change;
    sql("delete from audit_records where seq in (11, 77)");
    sql("insert into audit_records select * from saved");
    sql("drop table saved");
    ASSERT_TRUE(verified().ok) << change;
  }
}

TEST_F(Packed, S4_D4_ARowThatWasComputedAnewWithoutTheKeyIsForged) {
  add_together(many(10));
  log.reset();
  // As somebody would who knows this program: the chain from the altered record on, marks, hash and a signature of another key.
  const auto forged = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    std::vector<detail::Stored> all;
    PAWL_TRY_VOID(
        transaction.query(PAWL_AUDIT_SELECT "order by r.seq", {}, [&](const storage::Row& row) { all = detail::read_row(row).records; }));
    PAWL_TRY_VOID(transaction.execute("delete from audit_records"));
    all[4].entry.action = "nothing.happened";
    std::vector<std::shared_ptr<detail::Stored>> pointers;
    for (const auto& stored : all) pointers.push_back(std::make_shared<detail::Stored>(stored));
    detail::Head head;
    return detail::insert_all(transaction, key_of("another secret"), head, pointers);
  });
  ASSERT_FALSE(forged.has_error());
  EXPECT_EQ(verified(false).problem->kind, "truncated") << "the signed head knows another hash";
  reopen();
  add(record("thing.done"));
  EXPECT_FALSE(verified(false).ok);
}

TEST_F(Packed, AnErasedPersonLosesTheAddressOfTheWholeRow) {
  auto records = many(10);
  const auto others = many(10, 2);
  records.insert(records.end(), others.begin(), others.end());
  add_together(records);
  sql("delete from audit_addresses where seq in (select seq from audit_records where actor_user = "
      "x'00000000000070000000000000000001')");
  EXPECT_EQ(verified().problem->kind, "address");
  auto erased = record("data.erased");
  erased.actor = {};
  erased.resource = {"user", user(1).to_string()};
  add(erased);
  EXPECT_TRUE(verified().ok);
  const auto page = list(*database, Scope::installation(), {.actor = user(1)});
  for (const auto& entry : page->entries) EXPECT_EQ(entry.address, "");
  EXPECT_EQ(list(*database, Scope::installation(), {.actor = user(2)})->entries.at(0).address, "192.0.2.77");
}

TEST_F(Packed, RetentionRemovesWholeRows) {
  add_together(many(10));
  clock.advance(std::chrono::hours(48));
  add_together(many(10));
  const auto before = clock.now() - std::chrono::hours(24);
  EXPECT_EQ(*count_older(*database, before), 10U);
  EXPECT_EQ(*remove_older(*database, *log, before, 3), 10U);
  EXPECT_EQ(*remove_older(*database, *log, before, 3), 0U);
  const auto report = verified();
  EXPECT_TRUE(report.ok) << report.problem->detail;
  EXPECT_EQ(report.removed, 10U);
  EXPECT_EQ(report.first, 11U);
}

TEST_F(Packed, ARowIsBoundedAndWhatIsBeyondGoesIntoTheNext) {
  add_together(many(static_cast<int>(detail::kMaxPackedRecords) * 2 + 2));
  EXPECT_EQ(number("select count(*) from audit_records"), 4) << "two full ones, and two records that are not worth it";
  auto large = many(1000);
  for (auto& each : large) {
    auto text = json::Value::object();
    for (int i = 0; i < 6; ++i) text.set("t" + std::to_string(i), std::string(990, static_cast<char>('a' + i)));
    each.details = std::move(text);
  }
  add_together(large);
  EXPECT_EQ(number("select count(*) from audit_records"), 6);
  reopen();
  EXPECT_TRUE(verified().ok);
}

TEST_F(Packed, IsWrittenAgainAfterARollback) {
  Log::Prepared batch;
  for (auto& each : many(10)) log->prepare(batch, std::move(each));
  const auto failed = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    EXPECT_FALSE(log->write(transaction, batch).has_error());
    return Error(ErrorClass::conflict, "test.failed", "the act did not work");
  });
  EXPECT_TRUE(failed.has_error());
  add(record("between.done"));
  ASSERT_FALSE(database->write_and_wait([&](storage::Transaction& transaction) { return log->write(transaction, batch); }).has_error());
  const auto report = verified();
  EXPECT_TRUE(report.ok) << report.problem->detail;
  EXPECT_EQ(report.file_lines, 11U);
}

/// Bytes that somebody put there are read as damage, never beyond their end.
TEST(PackedBody, SurvivesArbitraryBytes) {
  std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  detail::Packer packer;
  Entry entry;
  entry.action = "thing.done";
  entry.details = R"({"why":"because"})";
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(packer.add(entry));
  const auto good = packer.take();
  ASSERT_TRUE(detail::unpack(good, 20));
  EXPECT_FALSE(detail::unpack(good, 19));
  EXPECT_FALSE(detail::unpack(good, 21));
  EXPECT_FALSE(detail::unpack("", 0));
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = good;
    for (auto changes = 1 + random() % 4; changes > 0; --changes) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    static_cast<void>(detail::unpack(bytes, 1 + random() % 30));
  }
}

}  // namespace
}  // namespace pawl::audit
