#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "catalog/detail/schedule_folder.hpp"

namespace pawl::catalog::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TimePoint kStart{Millis(1'700'000'000'000)};

/// A folder as the scheduler deals with it; what it starts is noted.
class ScheduleFolderTest : public ::testing::Test {
 protected:
  void watch(FileWatch wish, Overlap overlap) {
    wish.settle = Millis(0);
    policy_.overlap = overlap;
    folder_ = std::make_unique<ScheduleFolder>(std::move(wish), FileWatchState(std::nullopt));
  }
  std::vector<std::string> look(const std::vector<WatchedFile>& listing) {
    std::vector<std::string> started;
    folder_->take(listing, row_, policy_, kStart, [&](const ScheduleDecision& decision, const FileChange& change) {
      started.push_back(std::string(to_text(change.event)) + " " + change.path);
      cancelled_ = decision.cancel;
      RunId run;
      row_.progress.pending.push_back({run, decision.start.at(0), input_of(change), {}});
      if (policy_.overlap != Overlap::allow) row_.progress.times.running.push_back(run);
    });
    folder_->stored();
    return started;
  }

  std::unique_ptr<ScheduleFolder> folder_;
  ScheduleRow row_;
  SchedulePolicy policy_;
  std::vector<RunId> cancelled_;
};

TEST_F(ScheduleFolderTest, W6_CancelOtherStartsTheNewestThatCountsWhateverElseIsNewer) {
  FileWatch wish;
  wish.changed = false;
  watch(wish, Overlap::cancel_other);
  EXPECT_THAT(look({{"known", {1, 1}}}), IsEmpty());
  EXPECT_THAT(look({{"known", {2, 90}}, {"new", {1, 50}}, {"older", {1, 40}}}), ElementsAre("created new"));
  EXPECT_EQ(row_.progress.times.skipped, 1U) << "the older one";
  EXPECT_THAT(look({{"known", {2, 90}}, {"new", {1, 50}}, {"older", {1, 40}}}), IsEmpty()) << "once";
  EXPECT_THAT(look({{"known", {3, 99}}, {"new", {1, 50}}, {"older", {1, 40}}}), IsEmpty()) << "a change that starts nothing";
  EXPECT_EQ(row_.progress.times.skipped, 1U);
  EXPECT_THAT(look({{"known", {3, 99}}, {"last", {1, 98}}, {"new", {1, 50}}, {"older", {1, 40}}}), ElementsAre("created last"));
  EXPECT_EQ(cancelled_.size(), 1U);
}

TEST_F(ScheduleFolderTest, W6_TenThousandFilesAtOnceStartOnceEachAndAHundredAtATime) {
  watch({}, Overlap::allow);
  EXPECT_THAT(look({}), IsEmpty());
  std::vector<WatchedFile> listing;
  for (std::size_t i = 0; i < kMaxWatchedFiles; ++i) listing.push_back({std::to_string(i), {1, static_cast<std::int64_t>(i)}});
  std::set<std::string> started;
  std::size_t rounds = 0;
  for (; started.size() < kMaxWatchedFiles && rounds < 1'000; ++rounds) {
    for (const auto& each : look(listing)) EXPECT_TRUE(started.insert(each).second) << each;
    ASSERT_LE(row_.progress.pending.size(), kMaxPendingFiles);
    if (started.size() == kMaxWatchedFiles) break;
    ASSERT_TRUE(folder_->look_at());
    EXPECT_GT(*folder_->look_at(), kStart) << "there is no room yet";
    row_.progress.pending.resize(kMaxPendingFiles / 2 + 1);
    folder_->make_room(row_.progress.pending.size(), kStart);
    EXPECT_FALSE(folder_->take_look(kStart));
    row_.progress.pending.resize(kMaxPendingFiles / 2);
    folder_->make_room(row_.progress.pending.size(), kStart);
    EXPECT_TRUE(folder_->take_look(kStart)) << "as soon as there is";
  }
  EXPECT_EQ(started.size(), kMaxWatchedFiles);
  EXPECT_THAT(look(listing), IsEmpty());
}

}  // namespace
}  // namespace pawl::catalog::detail
