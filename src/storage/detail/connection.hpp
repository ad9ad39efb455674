/// A connection to a database, whichever it is: `SqliteConnection` or `PostgresConnection`. Belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "storage/database.hpp"
#include "storage/value.hpp"

namespace pawl::storage::detail {

class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  using Parameters = std::initializer_list<Parameter>;
  using Visit = void (*)(void* context, const Row& row);
  /// Runs one statement to its end; answers the rows changed.
  [[nodiscard]] virtual Result<std::int64_t> run(std::string_view sql, Parameters parameters, const void* context, Visit visit) = 0;
  /// Runs one statement of which nobody asks how many rows it changed, now or together with others before the commit.
  [[nodiscard]] virtual Result<void> queue(std::string_view sql, Parameters parameters);
  /// `sql` is an `insert ... on conflict ... do nothing`: whether a row went in.
  [[nodiscard]] virtual Result<bool> try_insert(std::string_view sql, Parameters parameters);
  /// Several statements without parameters.
  [[nodiscard]] virtual Result<void> script(std::string_view sql) = 0;

  [[nodiscard]] virtual Dialect dialect() const = 0;
  enum class Access : std::uint8_t { reading, writing };
  [[nodiscard]] virtual Result<void> begin(Access access) = 0;
  [[nodiscard]] virtual Result<void> commit() = 0;
  virtual void rollback() = 0;
  /// False after the database gave up the transaction by itself, as SQLite does on a full disk.
  [[nodiscard]] virtual bool in_transaction() const = 0;
  /// The connection to the server is gone; nothing works on it any more.
  [[nodiscard]] virtual bool is_lost() const { return false; }
  /// A row was handed out since `begin`: what was read so far cannot be read again unnoticed.
  [[nodiscard]] virtual bool has_shown_rows() const { return true; }
  /// Asks the server whether it still is there.
  [[nodiscard]] virtual bool is_alive() { return true; }

 protected:
  [[nodiscard]] static Row row(void* source, int number) { return {source, number}; }
};

/// Lets text be found in a map of strings without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// True for errors of SQLite after which memory and disk may disagree.
[[nodiscard]] bool is_fatal(const Error& error);
/// True where the same work may succeed on another connection or a little later: lost connections, full disks, locks.
[[nodiscard]] bool is_passing(const Error& error);

}  // namespace pawl::storage::detail
