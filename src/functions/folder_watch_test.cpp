#include "functions/folder_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>

namespace pawl::functions {
namespace {

namespace fs = std::filesystem;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Listing = Result<std::vector<FolderWatch::File>>;

class FolderWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pawl-watch-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    fs::create_directories(folder_ / "root" / "in" / "below");
    fs::create_directories(folder_ / "root" / "secret");
    fs::create_directories(folder_ / "outside");
    auto reading = [this](const std::string& folder) {
      std::unique_lock lock(mutex_);
      reading_.push_back(folder);
      changed_.notify_all();
      changed_.wait(lock, [this] { return !held_; });
    };
    watch_ = FolderWatch::make({(folder_ / "root").string()}, {(folder_ / "root" / "secret").string()}, std::move(reading)).value();
  }
  void TearDown() override {
    watch_.reset();
    fs::remove_all(folder_);
  }

  void write(const std::string& path, const std::string& text) { std::ofstream(folder_ / "root" / path) << text; }
  void follow(FolderWatch::Wish wish) {
    watch_->follow("k", std::move(wish), [this](Listing listing, const FolderWatch::Hold&) {
      const std::lock_guard lock(mutex_);
      last_ = std::move(listing);
      changed_.notify_all();
    });
  }
  static std::vector<std::string> paths(const Listing& listing) {
    std::vector<std::string> out;
    if (listing.has_error()) return {listing.error().code};
    for (const auto& file : *listing) out.push_back(file.path);
    std::sort(out.begin(), out.end());
    return out;
  }
  /// Waits for a listing with these paths; a listing that never comes is ended by the test's own limit of time.
  void wait_for(const std::vector<std::string>& wanted) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return last_ && paths(*last_) == wanted; });
  }
  std::vector<std::string> first() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return last_.has_value(); });
    return paths(*last_);
  }

  /// Follows under a key of its own and notes every listing; `keep`: as somebody does who has not dealt with it yet.
  void note(const std::string& key, FolderWatch::Wish wish, bool keep) {
    watch_->follow(key, std::move(wish), [this, key, keep](Listing listing, FolderWatch::Hold hold) {
      std::unique_lock lock(mutex_);
      told_.push_back(key);
      of_key_.insert_or_assign(key, paths(listing));
      if (listing.has_error()) message_ = listing.error().message;
      if (keep) kept_[key].push_back(std::move(hold));
      changed_.notify_all();
      changed_.wait(lock, [this] { return !blocked_; });
    });
  }
  /// While it is, the thread of the watch stands still in the next listing that it tells.
  void block(bool blocked) {
    const std::lock_guard lock(mutex_);
    blocked_ = blocked;
    changed_.notify_all();
  }
  /// While it is, the thread of the watch stands still in the next folder that it reads, as on a slow disk.
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    reading_.clear();
    changed_.notify_all();
  }
  void wait_reading() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !reading_.empty(); });
  }
  void wait_told(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_.size() >= count; });
  }
  void wait_for(const std::string& key, const std::vector<std::string>& wanted) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return of_key_.contains(key) && of_key_.at(key) == wanted; });
  }
  std::size_t times(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(told_.begin(), told_.end(), key));
  }
  void let_go(const std::string& key) {
    std::vector<FolderWatch::Hold> kept;
    const std::lock_guard lock(mutex_);
    kept.swap(kept_[key]);
  }

  fs::path folder_;
  std::vector<std::string> told_;  // keys in the order of their listings
  std::map<std::string, std::vector<std::string>> of_key_;
  std::map<std::string, std::vector<FolderWatch::Hold>> kept_;
  std::string message_;
  bool blocked_ = false;
  bool held_ = false;
  std::vector<std::string> reading_;  // folders that were read since `hold`
  std::unique_ptr<FolderWatch> watch_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Listing> last_;
};

TEST_F(FolderWatchTest, W6_TellsWhatIsThereAndAgainWhenSomethingHappens) {
  write("in/a.csv", "1");
  write("in/b.txt", "1");
  write("in/.hidden.csv", "1");
  write("in/below/c.csv", "1");
  follow({.folder = "in", .glob = "*.csv"});
  EXPECT_THAT(first(), ElementsAre("in/a.csv"));
  write("in/d.csv", "12345");
  wait_for({"in/a.csv", "in/d.csv"});
  fs::remove(folder_ / "root" / "in" / "a.csv");
  wait_for({"in/d.csv"});
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ((**last_)[0].size, 5U);
    EXPECT_GT((**last_)[0].modified_ns, 1'700'000'000'000'000'000);
  }
  fs::rename(folder_ / "root" / "in" / "b.txt", folder_ / "root" / "in" / "b.csv");
  wait_for({"in/b.csv", "in/d.csv"});
}

TEST_F(FolderWatchTest, W6_FoldersThatAppearLaterAreWatchedToo) {
  follow({.folder = ".", .glob = "*.csv", .recursive = true});
  EXPECT_THAT(first(), IsEmpty());
  fs::create_directories(folder_ / "root" / "in" / "new" / "er");
  write("in/new/er/a.csv", "1");
  wait_for({"in/new/er/a.csv"});
  write("in/new/er/b.csv", "1");
  wait_for({"in/new/er/a.csv", "in/new/er/b.csv"});
}

// Security check 26: what is watched lies below a root, whatever stands there.
TEST_F(FolderWatchTest, W6_NothingOutsideOfTheRootsIsWatchedOrTold) {
  std::ofstream(folder_ / "outside" / "x.csv") << "1";
  write("secret/key.csv", "1");
  fs::create_directory_symlink(folder_ / "outside", folder_ / "root" / "in" / "link");
  fs::create_symlink(folder_ / "outside" / "x.csv", folder_ / "root" / "in" / "file.csv");
  for (const auto* folder : {"../outside", "/etc", "in/../../outside"})
    EXPECT_EQ(watch_->check(folder).error().code, "file.outside") << folder;
  follow({.folder = "in", .glob = "*", .recursive = true});
  EXPECT_THAT(first(), IsEmpty());
  last_.reset();
  follow({.folder = ".", .glob = "*", .recursive = true});
  EXPECT_THAT(first(), IsEmpty()) << "the hidden folder stays hidden";
  for (const auto* folder : {"in/link", "secret", "../outside"}) {
    {
      const std::lock_guard lock(mutex_);
      last_.reset();
    }
    follow({.folder = folder});
    EXPECT_THAT(first(), ElementsAre("file.outside")) << folder;
  }
}

TEST_F(FolderWatchTest, W6_AFolderThatIsMissingIsAnErrorUntilItIsLookedForAgain) {
  follow({.folder = "later"});
  EXPECT_THAT(first(), ElementsAre("file.not_found"));
  fs::create_directory(folder_ / "root" / "later");
  write("later/a", "1");
  watch_->look("k");
  wait_for({"later/a"});
}

TEST_F(FolderWatchTest, W6_AFolderThatIsDeletedAndMadeAgainIsWatchedOnceItIsLookedFor) {
  write("in/a", "1");
  follow({.folder = "in"});
  EXPECT_THAT(first(), ElementsAre("in/a"));
  fs::remove_all(folder_ / "root" / "in");
  wait_for({"file.not_found"});
  fs::create_directory(folder_ / "root" / "in");
  write("in/b", "1");
  watch_->look("k");
  wait_for({"in/b"});
  write("in/c", "1");
  wait_for({"in/b", "in/c"});
}

TEST_F(FolderWatchTest, W6_AFolderThatALinkTakesThePlaceOfIsWatchedNoMore) {
  write("in/a", "1");
  std::ofstream(folder_ / "outside" / "key") << "1";
  follow({.folder = "in"});
  EXPECT_THAT(first(), ElementsAre("in/a"));
  fs::remove_all(folder_ / "root" / "in");
  fs::create_directory_symlink(folder_ / "outside", folder_ / "root" / "in");
  watch_->look("k");
  wait_for({"file.outside"});
}

TEST_F(FolderWatchTest, W6_WithoutRootsNothingCanBeWatched) {
  const auto none = FolderWatch::make({}, {}).value();
  const auto checked = none->check("in");
  ASSERT_TRUE(checked.has_error());
  EXPECT_EQ(checked.error().code, "file.outside");
  EXPECT_THAT(checked.error().message, ::testing::HasSubstr("no folder is open to workflows"));
}

TEST_F(FolderWatchTest, W6_TooManyFilesAreAnErrorAndNotAPart) {
  for (std::size_t i = 0; i <= FolderWatch::kMaxFiles; ++i) write("in/" + std::to_string(i), "");
  follow({.folder = "in"});
  EXPECT_THAT(first(), ElementsAre("file.too_many"));
  fs::remove(folder_ / "root" / "in" / "0");
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return last_->has_value(); });
  EXPECT_EQ((**last_).size(), FolderWatch::kMaxFiles);
}

TEST_F(FolderWatchTest, W6_WhatIsWatchedAlreadyCountsOnceWhenAFolderIsAdded) {
  for (std::size_t i = 0; i < FolderWatch::kMaxFoldersOfOwner - 10; ++i)
    fs::create_directories(folder_ / "root" / "in" / std::to_string(i));
  follow({.folder = "in", .recursive = true});
  EXPECT_THAT(first(), IsEmpty());
  fs::create_directories(folder_ / "root" / "in" / "one-more");
  write("in/one-more/a.csv", "1");
  wait_for({"in/one-more/a.csv"});
}

// What was there under the name before lives on elsewhere, and tells nothing of the new one.
TEST_F(FolderWatchTest, W6_AFolderIsWatchedAgainWhenOneAboveItWasReplaced) {
  fs::create_directories(folder_ / "root" / "in" / "below" / "deep");
  write("in/below/deep/a", "1");
  follow({.folder = "in/below/deep"});
  EXPECT_THAT(first(), ElementsAre("in/below/deep/a"));
  fs::rename(folder_ / "root" / "in", folder_ / "root" / "old");
  wait_for({"file.not_found"});
  fs::create_directories(folder_ / "root" / "in" / "below" / "deep");
  write("in/below/deep/b", "1");
  wait_for({"in/below/deep/b"});
  write("in/below/deep/c", "1");
  wait_for({"in/below/deep/b", "in/below/deep/c"});
  // So quickly that nobody saw it missing.
  fs::create_directories(folder_ / "root" / "next" / "deep");
  write("next/deep/d", "1");
  fs::rename(folder_ / "root" / "in" / "below", folder_ / "root" / "in" / "before");
  fs::rename(folder_ / "root" / "next", folder_ / "root" / "in" / "below");
  wait_for({"in/below/deep/d"});
  write("in/below/deep/e", "1");
  wait_for({"in/below/deep/d", "in/below/deep/e"});
}

TEST_F(FolderWatchTest, W6_AFolderThatIsMadeLaterIsFoundWithoutAsking) {
  follow({.folder = "later/and/deeper"});
  EXPECT_THAT(first(), ElementsAre("file.not_found"));
  fs::create_directories(folder_ / "root" / "later" / "and" / "deeper");
  write("later/and/deeper/a", "1");
  wait_for({"later/and/deeper/a"});
}

TEST_F(FolderWatchTest, W6_OneListingOfAnOwnerIsOnItsWayAtATime) {
  fs::create_directories(folder_ / "root" / "of-b");
  note("a1", {.owner = "a", .folder = "in"}, true);
  wait_told(1);
  note("a2", {.owner = "a", .folder = "in/below"}, true);
  for (int i = 0; i < 20; ++i) write("in/" + std::to_string(i), "1");
  note("b", {.owner = "b", .folder = "of-b"}, false);
  wait_for("b", {});
  write("of-b/x", "1");
  wait_for("b", {"of-b/x"});
  write("of-b/y", "1");
  wait_for("b", {"of-b/x", "of-b/y"});
  EXPECT_EQ(times("a1") + times("a2"), 1U) << "the first one has not been dealt with";
  let_go("a1");
  wait_for("a2", {});
  EXPECT_EQ(times("a1") + times("a2"), 2U);
  let_go("a1");
  let_go("a2");
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return of_key_.contains("a2") && of_key_.at("a1").size() == 20; });
}

TEST_F(FolderWatchTest, W6_ListingsOnTheirWayAreLimitedInAll) {
  for (std::size_t i = 0; i < FolderWatch::kMaxOnTheirWay; ++i)
    note("k" + std::to_string(i), {.owner = "o" + std::to_string(i), .folder = "in"}, true);
  wait_told(FolderWatch::kMaxOnTheirWay);
  note("one-more", {.owner = "one-more", .folder = "in"}, false);
  EXPECT_EQ(times("one-more"), 0U);
  let_go("k3");
  wait_for("one-more", {});
  EXPECT_EQ(times("one-more"), 1U);
}

TEST_F(FolderWatchTest, W6_OwnersTakeTurns) {
  block(true);
  note("first", {.owner = "a", .folder = "in"}, false);
  wait_told(1);
  for (int i = 0; i < 100; ++i) note("a" + std::to_string(i), {.owner = "a", .folder = "in"}, false);
  note("b", {.owner = "b", .folder = "in"}, false);
  note("z", {.owner = "c", .folder = "in"}, false);
  block(false);
  wait_told(103);
  const std::lock_guard lock(mutex_);
  EXPECT_LE(std::find(told_.begin(), told_.end(), "b") - told_.begin(), 3);
  EXPECT_LE(std::find(told_.begin(), told_.end(), "z") - told_.begin(), 3);
}

TEST_F(FolderWatchTest, W6_EachOwnerHasItsShareOfWhatIsWatched) {
  for (std::size_t i = 0; i < FolderWatch::kMaxFoldersOfOwner - 100; ++i)
    fs::create_directories(folder_ / "root" / "in" / std::to_string(i));
  for (std::size_t i = 0; i < 200; ++i) fs::create_directories(folder_ / "root" / "more" / std::to_string(i));
  note("a1", {.owner = "a", .folder = "in", .recursive = true}, false);
  wait_for("a1", {});
  note("a2", {.owner = "a", .folder = "more", .recursive = true}, false);
  wait_for("a2", {"file.too_many"});
  EXPECT_THAT(message_, ::testing::HasSubstr("1000 folders watched in all, which is its share"));
  note("b", {.owner = "b", .folder = "more", .recursive = true}, false);
  wait_for("b", {});
  write("in/5/x", "1");
  wait_for("a1", {"in/5/x"});
  for (std::size_t i = 50; i < 200; ++i) fs::remove(folder_ / "root" / "more" / std::to_string(i));
  watch_->look("a2");
  wait_for("a2", {});
}

// The kernel drops events when nobody takes them: what it dropped is found all the same, in every folder.
TEST_F(FolderWatchTest, W6_NothingIsLostWhenTheKernelsQueueRunsOver) {
  std::size_t queue = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
  if (queue == 0 || queue > 200'000) GTEST_SKIP() << "the queue of this system is too long to be filled";
  fs::create_directories(folder_ / "root" / "other");
  note("other", {.owner = "b", .folder = "other"}, false);
  wait_for("other", {});
  block(true);
  note("in", {.owner = "a", .folder = "in"}, false);
  wait_told(2);
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < 5'000; ++i) wanted.push_back("in/" + std::to_string(i));
  for (const auto& path : wanted) write(path, "1");
  // Alternately: of two equal events in a row the kernel keeps one.
  std::ofstream one(folder_ / "root" / "in" / "0");
  std::ofstream two(folder_ / "root" / "in" / "1");
  for (std::size_t i = 0; i < queue / 2; ++i) {
    one << "x" << std::flush;
    two << "x" << std::flush;
  }
  write("other/late", "1");
  block(false);
  std::sort(wanted.begin(), wanted.end());
  wait_for("in", wanted);
  wait_for("other", {"other/late"});
}

TEST_F(FolderWatchTest, W6_WhoIsForgottenHearsNothingMore) {
  follow({.folder = "in"});
  EXPECT_THAT(first(), IsEmpty());
  watch_->forget("k");
  last_.reset();  // nobody else touches it any more
  write("in/a", "1");
  follow({.folder = "in", .glob = "b"});
  EXPECT_THAT(first(), IsEmpty());
}

// The scheduler forgets on the thread on which it fires: one slow folder of one organization would hold up all schedules.
TEST_F(FolderWatchTest, W6_ForgettingDoesNotWaitForAFolderThatIsBeingRead) {
  hold(true);
  note("slow", {.owner = "a", .folder = "in", .recursive = true}, false);
  wait_reading();
  watch_->forget("slow");
  write("in/x", "1");
  hold(false);
  note("next", {.owner = "a", .folder = "in"}, false);
  wait_for("next", {"in/x"});
  EXPECT_EQ(times("slow"), 0U) << "nobody is told of what nobody wanted";
  const std::lock_guard lock(mutex_);
  EXPECT_THAT(reading_, Each("in")) << "the folder below was not read any more";
}

TEST_F(FolderWatchTest, W6_WhoFollowsAnewWhileAFolderIsBeingReadHearsOfTheNewWishOnly) {
  write("in/a.csv", "1");
  write("in/b.txt", "1");
  hold(true);
  note("k", {.folder = "in", .glob = "*.csv"}, false);
  wait_reading();
  note("k", {.folder = "in", .glob = "*.txt"}, false);
  hold(false);
  wait_told(1);
  wait_for("k", {"in/b.txt"});
  EXPECT_EQ(times("k"), 1U);
  write("in/c.txt", "1");
  wait_for("k", {"in/b.txt", "in/c.txt"});
}

TEST_F(FolderWatchTest, W6_AFolderIsNotDeafWhenWhoWatchedItBeforeIsForgottenWhileItIsBeingRead) {
  note("first", {.owner = "a", .folder = "in"}, false);
  wait_for("first", {});
  hold(true);
  note("second", {.owner = "b", .folder = "in"}, false);
  wait_reading();
  watch_->forget("first");
  hold(false);
  wait_for("second", {});
  write("in/x", "1");
  wait_for("second", {"in/x"});
}

}  // namespace
}  // namespace pawl::functions
