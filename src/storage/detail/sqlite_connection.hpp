/// One SQLite connection with its cache of prepared statements. With `row.cpp` the only place that knows SQLite's interface.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "storage/detail/connection.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace pawl::storage::detail {

struct SqliteOptions {
  std::string path;
  bool read_only = false;
  bool synchronous = true;
  Millis busy_timeout{5000};
  std::uint32_t max_pages = 0;
};

class SqliteConnection final : public Connection {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SqliteConnection>> open(const SqliteOptions& options);
  ~SqliteConnection() override;

  [[nodiscard]] Result<std::int64_t> run(std::string_view sql, Parameters parameters, const void* context, Visit visit) override;
  [[nodiscard]] Result<void> script(std::string_view sql) override;
  [[nodiscard]] Dialect dialect() const override { return Dialect::sqlite; }
  [[nodiscard]] Result<void> begin(Access access) override;
  [[nodiscard]] Result<void> commit() override;
  void rollback() override;
  [[nodiscard]] bool in_transaction() const override;

  /// Pages in the write-ahead log after the last commit.
  [[nodiscard]] int log_pages() const { return log_pages_; }
  /// Moves the log into the file as far as readers permit. `truncate`: waits for them and empties the log.
  void checkpoint(bool truncate);
  /// Writes all of this database, as it is now, into a new file; other connections go on reading and writing.
  [[nodiscard]] Result<void> copy_to(const std::string& path);

 private:
  explicit SqliteConnection(sqlite3* database) : database_(database) {}
  [[nodiscard]] Result<sqlite3_stmt*> prepared(std::string_view sql);
  [[nodiscard]] Error last_error(std::string_view doing) const;
  [[nodiscard]] Result<void> configure(const SqliteOptions& options);

  sqlite3* database_;
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
  int log_pages_ = 0;
};

}  // namespace pawl::storage::detail
