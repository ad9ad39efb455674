/// One statement against a database, for `sql-query`: PostgreSQL by libpq without blocking, SQLite by a file below the roots. Both run on a
/// thread that may block, and look at the cancel flag at least every 50 ms.
///
/// Read-only is kept by the database itself. PostgreSQL: a read-only transaction that has a snapshot already (so that it cannot be made a
/// writing one) and the extended protocol, which takes a single statement. SQLite: the file is opened for reading and an authorizer allows
/// nothing else. What PostgreSQL lets a *privileged* role do in a read-only transaction (`pg_terminate_backend`, `copy ... to program`) it
/// lets it do here too: give workflows a role without such rights.
///
/// Errors: `sql.connection`, `sql.parameters`, `sql.statement` (invalid), `sql.read_only` (denied), `sql.timeout`, `sql.cancelled`,
/// `sql.too_large`, `sql.unavailable`, `net.*` of the address guard, those of contained_path.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "functions/detail/contained_path.hpp"
#include "json/value.hpp"
#include "net/address_policy.hpp"

namespace pawl::functions {

struct SqlStatement {
  std::string text;
  json::Value parameters;  ///< object: by name (`:name`), array: by number (`$1`), null: none
  bool read_only = true;
  std::size_t limit = 1'000;           ///< rows that are kept; a reading statement ends there
  std::size_t max_bytes = 16U << 20U;  ///< of all values that are kept
  std::chrono::steady_clock::time_point deadline{};
};

/// `{rows: [{...}], columns, count, limited}`, and `rows_affected` of a statement that writes.
[[nodiscard]] Result<json::Value> query_sqlite(const Place& file, const SqlStatement& statement, const std::atomic<bool>& cancelled);

struct PostgresAddress {
  std::string host;
  std::string port = "5432";
  std::string database;
  std::string user;
  std::string password;
  std::string sslmode{};  ///< empty: not said

  /// As it was said; else encryption is required of a server in the public internet, and elsewhere used where it is offered.
  [[nodiscard]] std::string sslmode_for(const std::vector<std::string>& addresses) const;
  /// For people: no password.
  [[nodiscard]] std::string display() const;
  /// A URL or `key=value` text. Error `sql.connection`: another key than those above (files of this machine among them), several
  /// hosts, a socket of this machine.
  [[nodiscard]] static Result<PostgresAddress> parse(std::string_view connection_string);
};
[[nodiscard]] Result<json::Value> query_postgres(const PostgresAddress& address, const net::AddressPolicy& policy,
                                                 const SqlStatement& statement, const std::atomic<bool>& cancelled);

/// `:name` outside of texts, comments, quoted names and casts becomes `$n`. Error `sql.parameters`: a name that `given` does not have.
struct NumberedSql {
  std::string text;
  std::vector<std::string> names;  ///< of $1, $2 ...
};
[[nodiscard]] Result<NumberedSql> number_parameters(std::string_view sql, const json::Value& given);

/// Gathers rows under the limits.
class SqlRows {
 public:
  SqlRows(const SqlStatement& statement, std::vector<std::string> names);
  /// False: the limit is reached, and this row is one too many.
  [[nodiscard]] bool wants_more();
  [[nodiscard]] Result<void> add(std::vector<json::Value> values, std::size_t bytes);
  [[nodiscard]] json::Value finish() &&;

 private:
  const SqlStatement& statement_;
  std::vector<json::Value> names_;
  json::Value rows_ = json::Value::array();
  std::size_t bytes_ = 0;
  bool limited_ = false;
};

}  // namespace pawl::functions
