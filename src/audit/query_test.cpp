#include "audit/query.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/testing/chain.hpp"
#include "json/parse.hpp"

namespace pawl::audit {
namespace {

using testing::organization;
using testing::user;

class Query : public testing::Chain {
 protected:
  Query() {
    auto login = record("auth.login");
    login.resource = {"user", "u1"};
    add(login);
    auto failed = record("auth.login", 2);
    failed.outcome = Outcome::failure;
    add(failed);
    clock.advance(std::chrono::hours(24));
    add(record("authors.listed", 2));
    auto foreign = record("auth.login", 3);
    foreign.organization = organization(2);
    add(foreign);
    auto none = record("audit.purged");
    none.organization.reset();
    none.details = json::Value::object({{"note", "100%_sure"}});
    add(none);
  }
  [[nodiscard]] std::vector<std::uint64_t> found(const Filter& filter, const Scope& scope = Scope::installation()) {
    std::vector<std::uint64_t> sequences;
    const auto page = list(*database, scope, filter);
    EXPECT_FALSE(page.has_error()) << page.error().message;
    for (const auto& entry : page->entries) sequences.push_back(entry.sequence);
    return sequences;
  }
};

// proves: P6
TEST_F(Query, FiltersByEverything) {
  using ::testing::ElementsAre;
  EXPECT_THAT(found({}), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(found({.actor = user(2)}), ElementsAre(3, 2));
  EXPECT_THAT(found({.action = "auth"}), ElementsAre(4, 2, 1)) << "a prefix ends at a dot";
  EXPECT_THAT(found({.action = "auth.login"}), ElementsAre(4, 2, 1));
  EXPECT_THAT(found({.action = "a%"}), ElementsAre());
  EXPECT_THAT(found({.resource_type = "user", .resource_id = "u1"}), ElementsAre(1));
  EXPECT_THAT(found({.outcome = Outcome::failure}), ElementsAre(2));
  EXPECT_THAT(found({.since = clock.now()}), ElementsAre(5, 4, 3));
  EXPECT_THAT(found({.until = clock.now()}), ElementsAre(2, 1));
  EXPECT_THAT(found({.text = "100%_SURE"}), ElementsAre(5));
  EXPECT_THAT(found({.text = "1%e"}), ElementsAre()) << "wildcards mean themselves";
  EXPECT_THAT(found({.run = RunId{user(9).uuid}}), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(found({.run = RunId{user(8).uuid}}), ElementsAre());
}

TEST_F(Query, ShowsAnOrganizationItsOwnRecordsOnly) {
  EXPECT_THAT(found({}, Scope::of(organization(1))), ::testing::ElementsAre(3, 2, 1));
  EXPECT_THAT(found({}, Scope::of(organization(2))), ::testing::ElementsAre(4));
  EXPECT_THAT(found({}, Scope::of(organization(3))), ::testing::ElementsAre());
  const auto foreign = list(*database, Scope::of(organization(2)), {})->entries.at(0);
  EXPECT_FALSE(get(*database, Scope::of(organization(2)), foreign.id()).has_error());
  EXPECT_FALSE(get(*database, Scope::installation(), foreign.id()).has_error());
  const auto hidden = get(*database, Scope::of(organization(1)), foreign.id());
  ASSERT_TRUE(hidden.has_error());
  EXPECT_EQ(hidden.error().code, "audit.not_found");
  EXPECT_EQ(stats(*database, Scope::of(organization(2)), {}, {})->total, 1U);
}

TEST_F(Query, GoesOnFromACursor) {
  auto page = list(*database, Scope::installation(), {.limit = 2});
  EXPECT_EQ(page->next, 4U);
  page = list(*database, Scope::installation(), {.limit = 2, .before = page->next});
  EXPECT_EQ(page->entries.at(0).sequence, 3U);
  page = list(*database, Scope::installation(), {.limit = 2, .before = page->next});
  EXPECT_EQ(page->entries.size(), 1U);
  EXPECT_FALSE(page->next);
}

TEST_F(Query, CountsByActionOutcomeAndDay) {
  const auto counts = stats(*database, Scope::installation(), {}, {});
  ASSERT_FALSE(counts.has_error());
  EXPECT_EQ(counts->total, 5U);
  EXPECT_EQ(counts->by_action.at(0), std::pair(std::string("auth.login"), std::uint64_t{3}));
  EXPECT_EQ(counts->by_outcome.at(0), std::pair(std::string("success"), std::uint64_t{4}));
  ASSERT_EQ(counts->by_day.size(), 2U);
  EXPECT_EQ(counts->by_day[0], std::pair(to_rfc3339(clock.now()).substr(0, 10), std::uint64_t{3}));
}

TEST(Csv, KeepsSpreadsheetsFromCalculating) {
  EXPECT_EQ(csv_cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
  EXPECT_EQ(csv_cell("+1"), "'+1");
  EXPECT_EQ(csv_cell("-1"), "'-1");
  EXPECT_EQ(csv_cell("@SUM(A1)"), "'@SUM(A1)");
  EXPECT_EQ(csv_cell("\tx"), "'\tx");
  EXPECT_EQ(csv_cell("\rx"), "\"'\rx\"");
  EXPECT_EQ(csv_cell("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
  EXPECT_EQ(csv_cell("plain = text"), "plain = text");
}

// proves: FA-14
TEST_F(Query, FA_14_ExportsInPiecesOfBoundedSize) {
  auto evil = record("=HYPERLINK(\"http://x\")");
  add(evil);
  for (int i = 0; i < 1200; ++i) ASSERT_FALSE(log->append(record("thing.done")).has_error());
  reopen();
  std::string csv;
  std::size_t pieces = 0;
  std::size_t largest = 0;
  ASSERT_FALSE(export_all(*database, Scope::installation(), {}, ExportFormat::csv, [&](std::string_view piece) {
                 csv += piece;
                 ++pieces;
                 largest = std::max(largest, piece.size());
                 return true;
               }).has_error());
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1207);
  EXPECT_THAT(csv, ::testing::HasSubstr(",\"'=HYPERLINK(\"\"http://x\"\")\","));
  EXPECT_GE(pieces, 4U);
  EXPECT_LT(largest, csv.size() / 2);

  std::string text;
  ASSERT_FALSE(export_all(*database, Scope::of(organization(1)), {.action = "thing"}, ExportFormat::json, [&](std::string_view piece) {
                 text += piece;
                 return true;
               }).has_error());
  const auto document = json::parse(text);
  ASSERT_FALSE(document.has_error());
  EXPECT_EQ(document->size(), 1200U);
}

}  // namespace
}  // namespace pawl::audit
