/// The database of a node: one writer, several readers, group commit.
///
/// It is SQLite in the data folder (WAL, `synchronous=FULL`), or PostgreSQL where the options name a URL. Nothing of either shows here: SQL
/// uses `$1` parameters and what both understand, errors are typed, values are `Parameter` and `Row`.
///
/// Writing: all writes of the process run on one thread, in the order in which they were handed over. The thread takes everything that has
/// queued up, runs it in one transaction and commits once; then it calls every `done`. So a write costs a share of an fsync, and `done`
/// with success means durable. There is no linger: an idle writer commits at once.
///
/// A work may be run more than once before its `done` is called: PostgreSQL's connection may die, and a transaction that guessed wrong is
/// done again. What it leaves in memory must therefore depend on its last run alone, and outlive that the run is undone.
///
/// Reading: a pool of connections; calls block, so they belong on worker threads, not on io threads. A read whose connection died is done
/// again on another, unless its callback has seen rows already.
///
/// Errors: `storage.full`, `storage.io`, `storage.busy`, `storage.corrupt`, `storage.constraint` (a key exists ...), `storage.text`,
/// `storage.sql` (a bug), `storage.locked`, `storage.superseded` (by another process), `storage.poisoned`, `storage.pool_exhausted`,
/// `storage.unavailable` (not reached; at once while the circuit breaker is open), `storage.went_back` (it lost what it had confirmed),
/// `storage.timeout`, `storage.connection_lost` (in the middle of a read), `storage.outcome_unknown` (the connection died during a
/// commit, and for long nobody could be asked how it ended). When it is opened: `storage.pooler` (sessions are lent by the transaction).
///
/// With SQLite a commit that failed, or a full or failing disk during a write, may leave memory and disk different: the database is
/// *poisoned*. Every later write answers `storage.poisoned`, the listener is told once, and the process is to end and recover. PostgreSQL
/// says how a commit ended, so there only what is a bug, or another engine that took the database over, poisons.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/circuit_breaker.hpp"
#include "base/error.hpp"
#include "base/trace_context.hpp"
#include "storage/value.hpp"

namespace pawl::storage {

namespace detail {
struct ReadNote;
struct Transactions;
}  // namespace detail

struct DatabaseOptions {
  std::filesystem::path folder;  ///< created with mode 0700 where missing; with PostgreSQL too: keys and files live there
  std::string url{};             ///< `postgresql://user:password@host/database`; empty: SQLite in the folder
  bool synchronous = true;       ///< false: no fsync at all; only for data that may be lost (temporary folders)

  std::uint32_t readers = 2;         ///< SQLite: connections for blocking reads
  Millis busy_timeout{5'000};        ///< SQLite: how long to wait for another process that looks into the file
  std::uint32_t max_pages = 0;       ///< SQLite: the file may not grow beyond this many pages of 4 KiB; 0: no limit
  std::uint32_t pool_size = 10;      ///< PostgreSQL: connections for reads that are kept
  std::uint32_t max_overflow = 20;   ///< PostgreSQL: more of them for moments when all are out
  Millis pool_timeout{30'000};       ///< how long a read waits for a connection
  Millis pool_recycle{3'600'000};    ///< PostgreSQL: a connection that is older is replaced; 0: never
  Millis statement_timeout{60'000};  ///< PostgreSQL
  Millis lock_timeout{10'000};       ///< PostgreSQL
  Millis silence{5'000};             ///< PostgreSQL: a server that says nothing for longer than `statement_timeout` and this is given up
  CircuitBreakerOptions breaker{};   ///< PostgreSQL: around connecting
};

/// Whether this is a URL that `Database` understands as PostgreSQL's.
[[nodiscard]] bool is_postgresql_url(std::string_view url);

enum class Dialect : std::uint8_t { sqlite, postgresql };

/// Reads within one consistent view. Lives on one thread for the duration of a callback.
class Session {
 public:
  /// Runs a query and calls `each(const Row&)` for every row.
  template <class Each>
  [[nodiscard]] Result<void> query(std::string_view sql, std::initializer_list<Parameter> parameters, Each&& each) {
    auto visit = [](void* context, const Row& row) { (*static_cast<std::remove_reference_t<Each>*>(context))(row); };
    return run_query(sql, parameters, &each, visit);
  }
  /// For the few statements that differ: catalogues, maintenance.
  [[nodiscard]] Dialect dialect() const;

 protected:
  explicit Session(detail::Connection& connection) : connection_(connection) {}
  detail::Connection& connection_;

 private:
  friend class Database;
  using Visit = void (*)(void* context, const Row& row);
  Result<void> run_query(std::string_view sql, std::initializer_list<Parameter> parameters, const void* context, Visit visit);
};

/// Reads and writes within the transaction of the moment. On the writer thread only.
class Transaction : public Session {
 public:
  /// Number of rows changed.
  [[nodiscard]] Result<std::int64_t> execute(std::string_view sql, std::initializer_list<Parameter> parameters = {});
  /// The same where nobody asks how many rows that were: PostgreSQL is sent it together with others, and an error may show only at the
  /// commit, whose works are then run again one by one.
  [[nodiscard]] Result<void> queue(std::string_view sql, std::initializer_list<Parameter> parameters);
  /// Whether a row went in. `sql` is an `insert ... on conflict ... do nothing` that seldom meets a conflict: PostgreSQL is sent it
  /// together with others, too, on the guess that there is none.
  [[nodiscard]] Result<bool> try_insert(std::string_view sql, std::initializer_list<Parameter> parameters);
  /// Several statements without parameters, as in a migration.
  [[nodiscard]] Result<void> execute_script(std::string_view sql);
  /// How many commits of this process are behind us. The same for all runs of a work until one of them is committed, more afterwards.
  [[nodiscard]] std::uint64_t commits() const { return commits_; }

 private:
  friend struct detail::Transactions;
  Transaction(detail::Connection& connection, std::uint64_t commits) : Session(connection), commits_(commits) {}
  std::uint64_t commits_;
};

/// One `read` or `write` that was part of a trace. Views are valid during the call.
struct TracedCall {
  TraceContext below;  ///< whose part it was
  bool writes = false;
  std::string_view statement;  ///< the first one, as the program wrote it: values are `$1` and never here
  std::uint32_t statements = 0;
  std::chrono::nanoseconds took{};  ///< waiting for the connection, or for the writer and the commit, included
  std::string_view error{};         ///< code; empty: it worked
};

class Database {
 public:
  /// Opens or creates the database and takes the folder's lock; with PostgreSQL also the database's: one engine for each. Does not apply
  /// migrations (migrations.hpp).
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  /// Finishes what is queued, then closes.
  ~Database();

  using Work = std::function<Result<void>(Transaction&)>;
  using Done = std::function<void(Result<void>)>;
  /// Queues a write; callable from any thread. `work` and `done` run on the writer thread and must not block; `done` (may be empty) comes
  /// after the commit. An error from `work` undoes this write alone. `work` can be run again (see above).
  void write(Work work, Done done);
  /// The same, and waits for the end. Never from the writer thread or an io thread.
  [[nodiscard]] Result<void> write_and_wait(Work work);
  /// A write that may not fail: where `work` answers with an error the database is poisoned, since the caller's memory is ahead of the
  /// disk. Cheaper than `write` (no savepoint). `bytes`: about how much it holds, for `queue_bytes`.
  void write_or_poison(Work work, Done done, std::size_t bytes);
  /// Bytes of `write_or_poison` that wait for the writer: callers slow down beyond their own limit.
  [[nodiscard]] std::size_t queue_bytes() const;

  /// Blocks until a reader is free, then calls `reading(Session&)`, which returns a Result, and hands that on.
  template <class Reading>
  [[nodiscard]] auto read(Reading&& reading) -> decltype(reading(std::declval<Session&>())) {
    for (std::uint32_t attempt = 1;; ++attempt) {
      Lease lease(*this);
      if (lease.failed()) return lease.error();
      Session session(lease.connection());
      auto result = reading(session);
      if (result.has_error()) lease.failed_with(result.error());
      if (result.has_value() || !lease.is_worth_another(attempt)) return result;
    }
  }

  /// Told of every `read` and `write` that happens within a kept trace (`base/trace_context.hpp`), on the thread where it ends. Called
  /// before any other thread uses the database. What `write_or_poison` writes is shared by many and not told.
  void on_traced_call(std::function<void(const TracedCall&)> listener);

  /// Called once, on the writer thread, or at once where it has happened before; an empty one takes the listener away. It must not call
  /// `on_poisoned`.
  void on_poisoned(std::function<void(const Error&)> listener);
  [[nodiscard]] bool is_poisoned() const;
  /// One small write through the whole path within `timeout`; for health checks. Blocks.
  [[nodiscard]] Result<void> ping(Millis timeout);

  struct Statistics {
    std::uint64_t commits = 0;
    std::uint64_t writes = 0;  ///< works run
  };
  [[nodiscard]] Statistics statistics() const;
  /// Of the connections for reading.
  struct PoolStatistics {
    std::uint32_t size = 0;          ///< connections that are kept at most
    std::uint32_t max_overflow = 0;  ///< further ones at most
    std::uint32_t in = 0;            ///< open and at rest
    std::uint32_t out = 0;           ///< lent
    std::uint32_t overflow = 0;      ///< open beyond `size`
    std::uint32_t waiters = 0;       ///< threads that wait for one
    std::uint64_t exhausted = 0;     ///< how often somebody waited in vain
  };
  [[nodiscard]] PoolStatistics pool() const;
  [[nodiscard]] CircuitBreaker::Snapshot breaker() const;
  [[nodiscard]] Dialect dialect() const;
  [[nodiscard]] const std::filesystem::path& folder() const;

 private:
  struct Impl;
  /// A reader connection and its read transaction, given back on destruction.
  class Lease {
   public:
    explicit Lease(Database& database);
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    [[nodiscard]] bool failed() const { return error_.has_value(); }
    [[nodiscard]] const Error& error() const { return *error_; }
    [[nodiscard]] detail::Connection& connection() const { return *connection_; }
    /// After a failed reading: the connection died before a row was seen. Waits a moment, but not after the first attempt.
    [[nodiscard]] bool is_worth_another(std::uint32_t attempt);
    void failed_with(const Error& error);

   private:
    Database& database_;
    std::unique_ptr<detail::Connection> connection_;
    std::optional<Error> error_;
    std::unique_ptr<detail::ReadNote> note_;  ///< null where nobody traces
  };

  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::storage
