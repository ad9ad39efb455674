/// One SQLite connection with its cache of prepared statements. The only place, with its .cpp, that knows SQLite's interface.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.hpp"
#include "storage/value.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace pawl::storage::detail {

struct ConnectionOptions {
  std::string path;
  bool read_only = false;
  bool synchronous = true;
  Millis busy_timeout{5000};
  std::uint32_t max_pages = 0;
};

class Connection {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const ConnectionOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  using Visit = void (*)(void* context, const Row& row);
  /// Runs one statement to its end; answers the rows changed.
  [[nodiscard]] Result<std::int64_t> run(std::string_view sql, std::initializer_list<Parameter> parameters, const void* context,
                                         Visit visit);
  [[nodiscard]] Result<void> script(std::string_view sql);
  [[nodiscard]] Result<void> begin_immediate();
  [[nodiscard]] Result<void> commit();
  void rollback();
  /// False after SQLite gave up the transaction by itself, as it does on a full disk.
  [[nodiscard]] bool in_transaction() const;
  /// Pages in the write-ahead log after the last commit.
  [[nodiscard]] int log_pages() const { return log_pages_; }
  /// Moves the log into the file as far as readers permit. `truncate`: waits for them and empties the log.
  void checkpoint(bool truncate);

 private:
  explicit Connection(sqlite3* database) : database_(database) {}
  [[nodiscard]] Result<sqlite3_stmt*> prepared(std::string_view sql);
  [[nodiscard]] Error last_error(std::string_view doing) const;
  [[nodiscard]] Result<void> configure(const ConnectionOptions& options);

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  sqlite3* database_;
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
  int log_pages_ = 0;
};

/// True for errors after which memory and disk may disagree.
[[nodiscard]] bool is_fatal(const Error& error);

}  // namespace pawl::storage::detail
