#include "storage/backup.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

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
  EXPECT_EQ(restore(target, root_ / "backup", clock_).error().code, "backup.target_not_empty");
  const auto second = options_of("restored again");
  ASSERT_FALSE(restore(second, root_ / "backup", clock_).has_error());
  EXPECT_FALSE(Database::open(second).has_error());
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
