#include "functions/folder_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>

namespace pawl::functions {
namespace {

namespace fs = std::filesystem;
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
    watch_ = FolderWatch::make({(folder_ / "root").string()}, {(folder_ / "root" / "secret").string()}).value();
  }
  void TearDown() override {
    watch_.reset();
    fs::remove_all(folder_);
  }

  void write(const std::string& path, const std::string& text) { std::ofstream(folder_ / "root" / path) << text; }
  void follow(FolderWatch::Wish wish) {
    watch_->follow("k", std::move(wish), [this](Listing listing) {
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

  fs::path folder_;
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
  for (std::size_t i = 0; i < FolderWatch::kMaxFolders - 10; ++i) fs::create_directories(folder_ / "root" / "in" / std::to_string(i));
  follow({.folder = "in", .recursive = true});
  EXPECT_THAT(first(), IsEmpty());
  fs::create_directories(folder_ / "root" / "in" / "one-more");
  write("in/one-more/a.csv", "1");
  wait_for({"in/one-more/a.csv"});
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

}  // namespace
}  // namespace pawl::functions
