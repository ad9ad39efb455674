#include "storage/backup.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "storage/detail/postgres_connection.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::storage {
namespace {

namespace fs = std::filesystem;

/// The process can write no file beyond `bytes` for as long as this lives: a disk that is full, without one.
class NoLargeFiles {
 public:
  explicit NoLargeFiles(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~NoLargeFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  NoLargeFiles(const NoLargeFiles&) = delete;
  NoLargeFiles& operator=(const NoLargeFiles&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

/// The process can open nothing for as long as this lives.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit limit{0, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~NoMoreFiles() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  rlimit before_{};
};

class Backup : public ::testing::Test {
 protected:
  Backup() {
    std::string pattern = (fs::temp_directory_path() / "pawl-backup-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~Backup() override { fs::remove_all(root_); }

  [[nodiscard]] DatabaseOptions options_of(const std::string& name) const {
    DatabaseOptions options;
    options.folder = root_ / name;
    options.synchronous = false;
    return testing::with_backend(options);
  }
  [[nodiscard]] std::unique_ptr<Database> open(const std::string& name) const {
    auto opened = Database::open(options_of(name));
    EXPECT_FALSE(opened.has_error()) << opened.error().message;
    auto database = std::move(opened).value();
    EXPECT_FALSE(migrate_up(*database, clock_).has_error());
    return database;
  }
  /// Two rows that belong together, in two tables.
  static Database::Work add_pair(std::int64_t number) {
    return [number](Transaction& transaction) -> Result<void> {
      const auto key = std::to_string(number);
      PAWL_TRY_VOID(transaction.queue("insert into settings (key, value) values ($1, 'x')", {key}));
      Uuid id;
      id.bytes[0] = static_cast<std::uint8_t>(number >> 8);
      id.bytes[1] = static_cast<std::uint8_t>(number);
      return transaction.queue("insert into timers (due, run_id) values ($1, $2)", {number, id});
    };
  }
  static std::int64_t count(Database& database, std::string_view sql) {
    std::int64_t answer = -1;
    const auto read =
        database.read([&](Session& session) { return session.query(sql, {}, [&](const Row& row) { answer = row.integer(0); }); });
    EXPECT_FALSE(read.has_error());
    return answer;
  }
  static void write_file(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  static std::string read_file(const fs::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  /// Of 20 pairs and two files.
  void save_pairs(const std::string& data, const std::string& backup) const {
    {
      const auto database = open(data);
      for (std::int64_t i = 0; i < 20; ++i) ASSERT_FALSE(database->write_and_wait(add_pair(i)).has_error());
    }
    write_file(root_ / data / "secret.key", "the key");
    write_file(root_ / data / "files" / "inner" / "a file", "its text");
    ASSERT_FALSE(back_up(options_of(data), root_ / backup, clock_).has_error());
  }
  /// As `save_pairs` left it: 20 pairs, two files, and nothing of the restore itself.
  void expect_whole(const DatabaseOptions& target) const {
    auto opened = Database::open(target);
    ASSERT_FALSE(opened.has_error()) << opened.error().message;
    EXPECT_EQ(count(**opened, "select count(*) from settings"), 20);
    EXPECT_EQ(count(**opened, "select count(*) from timers"), 20);
    EXPECT_FALSE(verify_migrations(**opened).has_error());
    opened->reset();
    EXPECT_EQ(read_file(target.folder / "secret.key"), "the key");
    EXPECT_EQ(read_file(target.folder / "files" / "inner" / "a file"), "its text");
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(target.folder)) names.insert(entry.path().filename());
    std::set<std::string> expected{"secret.key", "files", "pawl.lock"};
    if (target.url.empty()) expected.insert("pawl.db");
    EXPECT_EQ(names, expected);
    for (const auto& entry : fs::directory_iterator(root_)) {
      EXPECT_EQ(entry.path().string().find(".restoring"), std::string::npos) << entry.path();
    }
  }
  static std::int64_t table_count(const DatabaseOptions& target) {
    auto connection = detail::PostgresConnection::open({.url = target.url});
    EXPECT_FALSE(connection.has_error());
    std::int64_t tables = -1;
    const auto take = [](void* context, const Row& row) { *static_cast<std::int64_t*>(context) = row.integer(0); };
    EXPECT_FALSE((*connection)->run("select count(*) from pg_tables where schemaname = current_schema()", {}, &tables, take).has_error());
    return tables;
  }

  SystemClock clock_;
  fs::path root_;
};

// proves: S4-M5
TEST_F(Backup, IsOneMomentOfAWorkingDatabaseAndComesBackWhole) {
  std::int64_t pairs = 0;
  {
    const auto database = open("data");
    write_file(root_ / "data" / "secret.key", "the key");
    write_file(root_ / "data" / "files" / "inner" / "a file", "its text");
    std::atomic<bool> enough{false};
    std::atomic<std::int64_t> written{0};
    std::thread writer([&] {
      for (std::int64_t i = 0; !enough && i < 60'000; ++i) {
        if (database->write_and_wait(add_pair(i)).has_value()) ++written;
      }
    });
    while (written < 200) std::this_thread::yield();
    const auto at_least = written.load();
    const auto saved = back_up(options_of("data"), root_ / "backup", clock_);
    enough = true;
    writer.join();
    ASSERT_FALSE(saved.has_error()) << saved.error().message;
    const auto restored = restore(options_of("restored"), root_ / "backup", clock_);
    ASSERT_FALSE(restored.has_error()) << restored.error().message;
    EXPECT_EQ(restored->files, saved->files);
    const auto again = open("restored");
    pairs = count(*again, "select count(*) from settings");
    EXPECT_GE(pairs, at_least);
    EXPECT_LE(pairs, written);
    EXPECT_EQ(count(*again, "select count(*) from timers"), pairs);
    EXPECT_EQ(count(*again, "select max(due) from timers"), pairs - 1);  // the first ones, without a gap
    EXPECT_FALSE(verify_migrations(*again).has_error());
    EXPECT_FALSE(again->write_and_wait(add_pair(60'001)).has_error());  // and it works on
  }
  EXPECT_EQ(read_file(root_ / "restored" / "secret.key"), "the key");
  EXPECT_EQ(read_file(root_ / "restored" / "files" / "inner" / "a file"), "its text");
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "backup")) {
    EXPECT_EQ(fs::status(entry.path()).permissions(), entry.is_directory() ? fs::perms::owner_all : fs::perms(0600)) << entry.path();
  }
  EXPECT_EQ(fs::status(root_ / "restored" / "secret.key").permissions(), fs::perms(0600));
}

TEST_F(Backup, OverwritesNothing) {
  open("data").reset();
  write_file(root_ / "backup" / "something", "of mine");
  EXPECT_EQ(back_up(options_of("data"), root_ / "backup", clock_).error().code, "backup.target_not_empty");
  ASSERT_FALSE(back_up(options_of("data"), root_ / "second", clock_).has_error());
  EXPECT_EQ(restore(options_of("data"), root_ / "second", clock_).error().code, "backup.target_not_empty");
  EXPECT_EQ(read_file(root_ / "backup" / "something"), "of mine");
  if (!testing::on_postgresql()) return;
  auto full = options_of("data");
  full.folder = root_ / "fresh folder, full schema";
  EXPECT_EQ(restore(full, root_ / "second", clock_).error().code, "backup.target_not_empty");
}

TEST_F(Backup, IsRefusedWhenAnyByteIsMissingOrAnother) {
  {
    const auto database = open("data");
    for (std::int64_t i = 0; i < 50; ++i) ASSERT_FALSE(database->write_and_wait(add_pair(i)).has_error());
    write_file(root_ / "data" / "secret.key", "the key");
  }
  ASSERT_FALSE(back_up(options_of("data"), root_ / "backup", clock_).has_error());
  ASSERT_FALSE(verify_backup(root_ / "backup").has_error());
  int damages = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "backup")) {
    if (!entry.is_regular_file()) continue;
    const auto original = read_file(entry.path());
    const auto refused = [&](const std::string& how) {
      const auto restored = restore(options_of("restored"), root_ / "backup", clock_);
      EXPECT_TRUE(restored.has_error()) << entry.path() << " " << how;
      if (restored.has_error()) {
        EXPECT_EQ(restored.error().code, "backup.damaged") << entry.path() << " " << how;
      }
      EXPECT_FALSE(fs::exists(root_ / "restored")) << "touched nothing";
      ++damages;
    };
    auto changed = original;
    changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
    write_file(entry.path(), changed);
    refused("with a bit turned");
    write_file(entry.path(), original.substr(0, original.size() - 1));
    refused("cut off");
    fs::remove(entry.path());
    refused("missing");
    write_file(entry.path(), original);
  }
  EXPECT_GE(damages, 9);
  EXPECT_FALSE(restore(options_of("restored"), root_ / "backup", clock_).has_error());
}

// Broken off in the middle (a full disk, a kill), what is there must not be started as if it were a whole or a new installation.
// proves: S4-M5
TEST_F(Backup, ARestoreThatWasBrokenOffIsNoInstallation) {
  open("data").reset();
  write_file(root_ / "data" / "files" / "large", std::string(100'000, 'x'));
  ASSERT_FALSE(back_up(options_of("data"), root_ / "backup", clock_).has_error());
  const auto target = options_of("restored");
  {
    const NoLargeFiles full_disk(50'000);
    EXPECT_EQ(restore(target, root_ / "backup", clock_).error().code, "storage.io");
  }
  EXPECT_EQ(Database::open(target).error().code, "storage.restore_unfinished");
  EXPECT_EQ(back_up(target, root_ / "of half of it", clock_).error().code, "storage.restore_unfinished");
  const auto second = options_of("restored again");
  ASSERT_FALSE(restore(second, root_ / "backup", clock_).has_error());
  EXPECT_FALSE(Database::open(second).has_error());
  ASSERT_FALSE(restore(target, root_ / "backup", clock_).has_error());  // and over the half of it
  EXPECT_FALSE(Database::open(target).has_error());
}

/// Restores in a process that is killed before its step `last` (from 1), or the first that `at` names. Answers the step, or "" where it
/// came to the end before.
std::string killed_restore(const DatabaseOptions& target, const fs::path& backup, int last, std::string_view at = {}) {
  std::array<int, 2> pipe_ends{};
  EXPECT_EQ(pipe(pipe_ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    int taken = 0;
    const SystemClock clock;
    const auto done = restore(target, backup, clock, [&](std::string_view step) {
      if (at.empty() ? ++taken != last : step != at) return;
      static_cast<void>(write(pipe_ends[1], step.data(), step.size()) > 0);
      kill(getpid(), SIGKILL);
    });
    if (done.has_error()) static_cast<void>(write(STDERR_FILENO, done.error().message.data(), done.error().message.size()) > 0);
    _exit(done.has_error() ? 1 : 0);
  }
  close(pipe_ends[1]);
  std::string step;
  std::array<char, 64> text{};
  for (ssize_t got = 0; (got = read(pipe_ends[0], text.data(), text.size())) > 0;) step.append(text.data(), static_cast<std::size_t>(got));
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(step.empty() ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : WIFSIGNALED(status)) << "step " << last << " " << step;
  return step;
}

bool holds_no_more_than_the_lock(const fs::path& folder) {
  return std::all_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const auto& entry) { return entry.path().filename() == "pawl.lock"; });
}

// Whenever it is killed: either nothing was touched, or nobody takes what is there for an installation, and the same command again ends it.
// proves: S4-M5
TEST_F(Backup, ARestoreThatIsKilledAnywhereIsNoInstallationAndGoesOnWhenTriedAgain) {
  save_pairs("data", "backup");
  const auto another = [](DatabaseOptions options) {
    options.folder += " of another node";
    return options;
  };
  for (const bool into_new : {true, false}) {
    int refused = 0;
    for (int last = 1;; ++last) {
      // A restore into PostgreSQL takes its time: there each attempt goes over what the one before has left, and is killed a step later.
      const auto number = testing::on_postgresql() ? std::string("once") : std::to_string(last);
      const auto name = (into_new ? "new " : "empty ") + number;
      const auto target = options_of(name);
      if (!into_new && !fs::exists(target.folder)) fs::create_directory(target.folder);
      const auto step = killed_restore(target, root_ / "backup", last);
      SCOPED_TRACE(name + ": killed before `" + step + "`");
      if (step.empty()) {
        expect_whole(target);
        break;
      }
      const bool untouched = into_new ? !fs::exists(target.folder) : holds_no_more_than_the_lock(target.folder);
      if (!untouched) {
        ++refused;
        const auto opened = Database::open(target);
        ASSERT_TRUE(opened.has_error());
        EXPECT_EQ(opened.error().code, "storage.restore_unfinished");
        EXPECT_NE(opened.error().message.find("pawl restore"), std::string::npos) << opened.error().message;
        EXPECT_EQ(back_up(target, root_ / ("of " + name), clock_).error().code, "storage.restore_unfinished");
        fs::create_directory(target.folder / "files");  // as a server makes it, before it is refused
      }
      // A node that has another data folder sees nothing of the mark in this one.
      if (testing::on_postgresql() && table_count(target) > 0 && step != "release the folder") {
        const auto opened = Database::open(another(target));
        ASSERT_TRUE(opened.has_error());
        EXPECT_EQ(opened.error().code, "storage.restore_unfinished");
        EXPECT_NE(opened.error().message.find(target.folder.string()), std::string::npos) << opened.error().message;
        EXPECT_EQ(back_up(another(target), root_ / ("of other " + name), clock_).error().code, "storage.restore_unfinished");
      }
      if (testing::on_postgresql() && into_new) continue;
      if (testing::on_postgresql() && step != "migrate") continue;  // from here on they do the same
      const auto again = restore(target, root_ / "backup", clock_);
      ASSERT_FALSE(again.has_error()) << again.error().message;
      expect_whole(target);
      if (testing::on_postgresql()) break;
    }
    EXPECT_GE(refused, into_new ? 4 : 3);
  }
}

// The one that is refused must not take away the mark that the other works under.
// proves: S4-M5
TEST_F(Backup, OfTwoRestoresIntoOneFolderOneIsRefusedAndLeavesTheOtherAlone) {
  save_pairs("data", "backup");
  for (const bool into_new : {true, false}) {
    const auto target = options_of(into_new ? "new" : "empty");
    SCOPED_TRACE(target.folder);
    if (!into_new) fs::create_directory(target.folder);
    std::promise<void> other_is_in;
    std::promise<void> may_go_on;
    std::thread other;
    bool is_in = false;
    std::string outcome = "not run";
    const auto refused = restore(target, root_ / "backup", clock_, [&](std::string_view step) {
      if (step != "lock the folder" || other.joinable()) return;
      other = std::thread([&] {
        const auto done = restore(target, root_ / "backup", clock_, [&](std::string_view at) {
          if (at != "empty the folder") return;
          other_is_in.set_value();
          is_in = true;
          may_go_on.get_future().wait();
        });
        if (!is_in) other_is_in.set_value();
        outcome = done.has_error() ? done.error().code + ": " + done.error().message : "restored";
      });
      other_is_in.get_future().wait();
    });
    EXPECT_TRUE(refused.has_error());
    EXPECT_TRUE(fs::exists(target.folder / "restore.unfinished"));
    may_go_on.set_value();
    other.join();
    EXPECT_EQ(outcome, "restored");
    expect_whole(target);
  }
}

// Nor does one that comes when the other has come to its end.
TEST_F(Backup, ARestoreThatIsLateByAnotherRestoreChangesNothing) {
  save_pairs("data", "backup");
  const auto target = options_of("empty");
  fs::create_directory(target.folder);
  bool is_first = true;
  const auto refused = restore(target, root_ / "backup", clock_, [&](std::string_view step) {
    if (step != "lock the folder" || !std::exchange(is_first, false)) return;
    EXPECT_FALSE(restore(target, root_ / "backup", clock_).has_error());
  });
  EXPECT_EQ(refused.error().code, "backup.target_not_empty");
  expect_whole(target);
}

TEST_F(Backup, AFolderWithNoMoreThanALockInItIsEmpty) {
  save_pairs("data", "backup");
  const auto target = options_of("locked once");
  write_file(target.folder / "pawl.lock", "17");
  const auto restored = restore(target, root_ / "backup", clock_);
  ASSERT_FALSE(restored.has_error()) << restored.error().message;
  expect_whole(target);
}

// All is there, the schema's mark is gone, and the folder's still stands: what is in the folder (the keys!) belongs to that schema.
TEST_F(Backup, AnotherBackupDoesNotEmptyTheFolderOfOneThatIsComplete) {
  if (!testing::on_postgresql()) GTEST_SKIP() << "SQLite has no mark beside the folder's";
  save_pairs("data", "backup");
  ASSERT_FALSE(back_up(options_of("data"), root_ / "another", clock_).has_error());  // made at another time
  const auto target = options_of("restored");
  ASSERT_EQ(killed_restore(target, root_ / "backup", 0, "release the folder"), "release the folder");
  EXPECT_EQ(restore(target, root_ / "another", clock_).error().code, "backup.target_not_empty");
  EXPECT_EQ(read_file(target.folder / "secret.key"), "the key");
  ASSERT_FALSE(restore(target, root_ / "backup", clock_).has_error());
  expect_whole(target);
}

TEST_F(Backup, WhatCannotBeTakenAwayIsNotLeftUnsaid) {
  if (!testing::on_postgresql()) GTEST_SKIP() << "SQLite is restored without a second folder";
  save_pairs("data", "backup");
  const auto target = options_of("restored");
  {
    std::optional<NoMoreFiles> limit;
    const auto failed = restore(target, root_ / "backup", clock_, [&](std::string_view step) {
      if (step == "complete") limit.emplace();
    });
    limit.reset();
    EXPECT_EQ(failed.error().code, "storage.io");
    EXPECT_NE(failed.error().message.find("restore.database"), std::string::npos) << failed.error().message;
  }
  EXPECT_EQ(Database::open(target).error().code, "storage.restore_unfinished");
  ASSERT_FALSE(restore(target, root_ / "backup", clock_).has_error());
  expect_whole(target);
}

TEST_F(Backup, OfANewerProgramIsNotRestored) {
  {
    const auto database = open("data");
    ASSERT_FALSE(database
                     ->write_and_wait([](Transaction& transaction) {
                       return transaction.queue("insert into schema_migrations values (9999, 'later', 'x', 0)", {});
                     })
                     .has_error());
  }
  ASSERT_FALSE(back_up(options_of("data"), root_ / "backup", clock_).has_error());
  EXPECT_EQ(restore(options_of("restored"), root_ / "backup", clock_).error().code, "backup.unsupported");
}

}  // namespace
}  // namespace pawl::storage
