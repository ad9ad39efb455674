#include "bench/yardstick.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

namespace pawl::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kTime{500};

double seconds_since(SteadyClock::time_point begin) { return std::chrono::duration<double>(SteadyClock::now() - begin).count(); }

Error failed(const std::string& what) { return Error(ErrorClass::internal, "bench.yardstick", what); }

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

}  // namespace

Result<double> syncs_per_second(const std::string& folder) {
  const auto path = folder + "/yardstick.bin";
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed("cannot write to " + folder + ": " + std::strerror(errno));
  const std::vector<char> page(4096, 'x');
  const auto begin = SteadyClock::now();
  std::uint64_t syncs = 0;
  bool broken = false;
  while (!broken && SteadyClock::now() - begin < kTime) {
    broken = ::pwrite(file, page.data(), page.size(), static_cast<off_t>(syncs % 1024) * 4096) != 4096 || ::fdatasync(file) != 0;
    ++syncs;
  }
  const double seconds = seconds_since(begin);
  ::close(file);
  ::unlink(path.c_str());
  if (broken) return failed("writing failed");
  return static_cast<double>(syncs) / seconds;
}

Result<double> sqlite_rows_per_second(const std::string& folder, std::uint32_t batch, std::uint32_t row_bytes) {
  const auto path = folder + "/yardstick.db";
  for (const auto* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
  sqlite3* opened = nullptr;
  const int status = sqlite3_open(path.c_str(), &opened);
  const std::unique_ptr<sqlite3, CloseDatabase> database(opened);
  if (status != SQLITE_OK) return failed("cannot open " + path);
  const auto execute = [&](const char* sql) { return sqlite3_exec(database.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK; };
  if (!execute("pragma journal_mode=wal") || !execute("pragma synchronous=full") ||
      !execute("create table rows(id blob, sequence integer, data blob, primary key(id, sequence)) without rowid")) {
    return failed(sqlite3_errmsg(database.get()));
  }
  sqlite3_stmt* prepared = nullptr;
  sqlite3_prepare_v2(database.get(), "insert into rows values(?1, ?2, ?3)", -1, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, Finalize> insert(prepared);
  const std::vector<char> data(row_bytes, 'x');
  std::array<std::uint64_t, 2> key{};
  const auto begin = SteadyClock::now();
  std::uint64_t rows = 0;
  while (SteadyClock::now() - begin < kTime) {
    bool good = execute("begin immediate");
    for (std::uint32_t i = 0; good && i < batch; ++i) {
      key[0] = __builtin_bswap64(rows / 8);  // eight rows a run, keys ascending as UUIDv7 does
      sqlite3_bind_blob(insert.get(), 1, key.data(), sizeof key, SQLITE_STATIC);
      sqlite3_bind_int64(insert.get(), 2, static_cast<std::int64_t>(rows % 8));
      sqlite3_bind_blob(insert.get(), 3, data.data(), static_cast<int>(data.size()), SQLITE_STATIC);
      good = sqlite3_step(insert.get()) == SQLITE_DONE && sqlite3_reset(insert.get()) == SQLITE_OK;
      ++rows;
    }
    if (!good || !execute("commit")) return failed(sqlite3_errmsg(database.get()));
  }
  const double rate = static_cast<double>(rows) / seconds_since(begin);
  for (const auto* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
  return rate;
}

namespace {

template <class Operation>
Result<double> median_ms(std::uint32_t times, const Operation& operation) {
  std::vector<double> taken;
  for (std::uint32_t i = 0; i < times; ++i) {
    const auto begin = SteadyClock::now();
    PAWL_TRY_VOID(operation());
    taken.push_back(seconds_since(begin) * 1000);
  }
  std::sort(taken.begin(), taken.end());
  return taken[taken.size() / 2];
}

using Opened = std::unique_ptr<sqlite3, CloseDatabase>;

Result<Opened> open_file(const std::string& path) {
  sqlite3* opened = nullptr;
  const int status = sqlite3_open(path.c_str(), &opened);
  Opened database(opened);
  if (status != SQLITE_OK) return failed("cannot open " + path);
  return database;
}

}  // namespace

Result<double> spawn_ms(const std::vector<std::string>& arguments, std::uint32_t times) {
  std::vector<char*> words;
  for (const auto& word : arguments) words.push_back(const_cast<char*>(word.c_str()));  // posix_spawn's signature; it does not write
  words.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  return median_ms(times, [&]() -> Result<void> {
    pid_t pid = -1;
    int status = 0;
    if (::posix_spawn(&pid, words[0], nullptr, nullptr, words.data(), environment.data()) != 0 || ::waitpid(pid, &status, 0) != pid ||
        status != 0) {
      return failed("cannot run " + arguments.front());
    }
    return {};
  });
}

Result<void> make_table(const std::string& path) {
  PAWL_TRY(database, open_file(path));
  std::string statements = "create table if not exists items(id integer primary key, name text); delete from items;";
  for (int i = 0; i < 10; ++i) statements += "insert into items(name) values('item');";
  if (sqlite3_exec(database.get(), statements.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return failed(sqlite3_errmsg(database.get()));
  return {};
}

Result<double> query_ms(const std::string& path, std::uint32_t times) {
  return median_ms(times, [&]() -> Result<void> {
    PAWL_TRY(database, open_file(path));
    int rows = 0;
    const auto count = [](void* counter, int, char**, char**) {
      ++*static_cast<int*>(counter);
      return 0;
    };
    if (sqlite3_exec(database.get(), "select id, name from items", count, &rows, nullptr) != SQLITE_OK || rows != 10) {
      return failed("the rows are not there");
    }
    return {};
  });
}

}  // namespace pawl::bench
