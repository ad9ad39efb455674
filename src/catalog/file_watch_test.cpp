#include "catalog/file_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "json/parse.hpp"

namespace pawl::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Millis kSettle{2'000};
const TimePoint kStart{Millis(1'700'000'000'000)};

std::vector<std::string> texts(const std::vector<FileChange>& changes) {
  std::vector<std::string> out;
  for (const auto& each : changes) out.push_back(std::string(to_text(each.event)) + " " + each.path);
  return out;
}

class FileWatchTest : public ::testing::Test {
 protected:
  /// What is ripe, and dealt with then.
  std::vector<std::string> look(const std::vector<WatchedFile>& listing, Millis at) {
    last_ = state_.look(listing, kSettle, kStart + at);
    for (const auto& each : last_.ripe) state_.settle(each);
    return texts(last_.ripe);
  }
  FileWatchState state_{std::nullopt};
  FileWatchState::Look last_;
};

TEST_F(FileWatchTest, W6_WhatWasThereBeforeStartsNothing) {
  EXPECT_FALSE(state_.has_baseline());
  state_.take_baseline({{"old", {1, 1}}});
  EXPECT_TRUE(state_.has_baseline());
  EXPECT_THAT(look({{"old", {1, 1}}}, Millis(0)), IsEmpty());
  EXPECT_FALSE(last_.look_again);
}

TEST_F(FileWatchTest, W6_AFileIsTakenOnceItHasStayedAsItIs) {
  state_.take_baseline({});
  EXPECT_THAT(look({{"a", {1, 10}}}, Millis(0)), IsEmpty());
  EXPECT_EQ(last_.look_again, kStart + kSettle);
  EXPECT_THAT(look({{"a", {2, 20}}}, Millis(1'500)), IsEmpty()) << "it grows";
  EXPECT_EQ(last_.look_again, kStart + Millis(3'500));
  EXPECT_THAT(look({{"a", {2, 20}}}, Millis(2'500)), IsEmpty());
  EXPECT_THAT(look({{"a", {2, 20}}}, Millis(3'500)), ElementsAre("created a"));
  EXPECT_THAT(look({{"a", {2, 20}}}, Millis(9'000)), IsEmpty()) << "once";
}

TEST_F(FileWatchTest, W6_ChangesAndRemovalsAreToldApartAndTheOldestComesFirst) {
  state_.take_baseline({{"changed", {1, 1}}, {"removed", {1, 5}}, {"same", {1, 1}}});
  const std::vector<WatchedFile> now = {{"changed", {2, 9}}, {"new", {1, 7}}, {"same", {1, 1}}};
  EXPECT_THAT(look(now, Millis(0)), IsEmpty());
  EXPECT_THAT(look(now, kSettle), ElementsAre("removed removed", "created new", "changed changed"));
  EXPECT_THAT(look(now, kSettle * 2), IsEmpty());
}

TEST_F(FileWatchTest, W6_AFileThatComesAndGoesInTheMeantimeStartsNothing) {
  state_.take_baseline({});
  EXPECT_THAT(look({{"a", {1, 1}}}, Millis(0)), IsEmpty());
  EXPECT_THAT(look({}, kSettle), IsEmpty());
  EXPECT_FALSE(last_.look_again);
}

TEST_F(FileWatchTest, W6_WhatIsNotDealtWithIsFoundAgain) {
  state_.take_baseline({});
  const std::vector<WatchedFile> now = {{"a", {1, 1}}, {"b", {1, 2}}};
  static_cast<void>(state_.look(now, kSettle, kStart));
  const auto first = state_.look(now, kSettle, kStart + kSettle);
  ASSERT_EQ(first.ripe.size(), 2U);
  state_.settle(first.ripe[0]);
  EXPECT_THAT(texts(state_.look(now, kSettle, kStart + kSettle).ripe), ElementsAre("created b"));
}

TEST_F(FileWatchTest, W6_WhatCameWhileNobodyLookedIsFoundFromWhatWasKept) {
  FileWatchState kept(std::map<std::string, FileStamp>{{"a", {1, 1}}});
  EXPECT_TRUE(kept.has_baseline());
  static_cast<void>(kept.look({{"a", {1, 1}}, {"b", {1, 2}}}, kSettle, kStart));
  EXPECT_THAT(texts(kept.look({{"a", {1, 1}}, {"b", {1, 2}}}, kSettle, kStart + kSettle).ripe), ElementsAre("created b"));
}

Result<std::optional<FileWatch>> read(std::string_view metadata) {
  dsl::Plan plan;
  plan.metadata = json::parse(metadata).value();
  return file_watch_of(plan);
}

TEST(FileWatchDocument, W6_WhatIsNotSaidHasADefaultAndComesBackFromItsRow) {
  EXPECT_FALSE(read("{}").value().has_value());
  const auto plain = **read(R"({"files": {}})");
  EXPECT_EQ((std::tuple(plain.folder, plain.glob, plain.recursive, plain.created, plain.changed, plain.removed, plain.settle)),
            (std::tuple(".", "*", false, true, true, false, Millis(2'000))));
  const auto given =
      **read(R"({"files": {"folder": "in", "glob": "*.csv", "recursive": true, "on": ["removed"], "settle": {"minutes": 1}}})");
  const auto kept = file_watch_from(to_details(given));
  EXPECT_EQ((std::tuple(kept.folder, kept.glob, kept.recursive, kept.created, kept.changed, kept.removed, kept.settle)),
            (std::tuple("in", "*.csv", true, false, false, true, Millis(60'000))));
}

TEST(FileWatchDocument, W6_WhatIsWrongIsAFindingWithItsPlace) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"files": []})", "/document/metadata/files"},
      {R"({"files": {"folders": "x"}})", "/document/metadata/files"},
      {R"({"files": {"folder": ""}})", "/document/metadata/files/folder"},
      {R"({"files": {"folder": 7}})", "/document/metadata/files/folder"},
      {R"({"files": {"glob": "a/b"}})", "/document/metadata/files/glob"},
      {R"({"files": {"recursive": "yes"}})", "/document/metadata/files/recursive"},
      {R"({"files": {"on": []}})", "/document/metadata/files/on"},
      {R"({"files": {"on": ["opened"]}})", "/document/metadata/files/on"},
      {R"({"files": {"settle": {"milliseconds": 99}}})", "/document/metadata/files/settle"},
      {R"({"files": {"settle": {"days": 1}}})", "/document/metadata/files/settle"},
  };
  for (const auto& [metadata, pointer] : cases) {
    const auto refused = read(metadata);
    ASSERT_TRUE(refused.has_error()) << metadata;
    EXPECT_EQ(refused.error().code, "workflow.files");
    ASSERT_EQ(refused.error().findings.size(), 1U);
    EXPECT_EQ(refused.error().findings[0].pointer, pointer) << metadata;
  }
}

}  // namespace
}  // namespace pawl::catalog
