/// The database of a node: one writer, several readers, group commit.
///
/// Today it is SQLite in a data folder (WAL, `synchronous=FULL`). Nothing of SQLite shows here: SQL uses `$1` parameters, errors are typed,
/// values are `Parameter` and `Row`.
///
/// Writing: all writes of the process run on one thread, in the order in which they were handed over. The thread takes everything that has
/// queued up, runs it in one transaction and commits once; then it calls every `done`. So a write costs a share of an fsync, and `done`
/// with success means durable. There is no linger: an idle writer commits at once.
///
/// Reading: a small pool of connections; calls block, so they belong on worker threads, not on io threads.
///
/// Errors: `storage.full`, `storage.io`, `storage.busy`, `storage.corrupt`, `storage.constraint` (a key exists already ...), `storage.sql`
/// (a bug), `storage.locked` (another process has the folder), `storage.poisoned`. After a commit that failed, or a full or failing disk
/// during a write, the outcome in memory and on disk may differ: the database is *poisoned*. Every later write answers `storage.poisoned`,
/// the listener is told once, and the process is to end and recover.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "storage/value.hpp"

namespace pawl::storage {

struct DatabaseOptions {
  std::filesystem::path folder;  ///< created with mode 0700 where missing
  std::uint32_t readers = 2;     ///< connections for blocking reads
  bool synchronous = true;       ///< false: no fsync at all; only for data that may be lost (temporary folders)
  Millis busy_timeout{5000};     ///< how long to wait for another process that looks into the file
  std::uint32_t max_pages = 0;   ///< the file may not grow beyond this many pages of 4 KiB; 0: no limit
};

/// Reads within one consistent view. Lives on one thread for the duration of a callback.
class Session {
 public:
  /// Runs a query and calls `each(const Row&)` for every row.
  template <class Each>
  [[nodiscard]] Result<void> query(std::string_view sql, std::initializer_list<Parameter> parameters, Each&& each) {
    auto visit = [](void* context, const Row& row) { (*static_cast<std::remove_reference_t<Each>*>(context))(row); };
    return run_query(sql, parameters, &each, visit);
  }

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
  /// Several statements without parameters, as in a migration.
  [[nodiscard]] Result<void> execute_script(std::string_view sql);

 private:
  friend class Database;
  using Session::Session;
};

class Database {
 public:
  /// Opens or creates the database of a folder and takes the folder's lock. Does not apply migrations (migrations.hpp).
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  /// Finishes what is queued, then closes.
  ~Database();

  using Work = std::function<Result<void>(Transaction&)>;
  using Done = std::function<void(Result<void>)>;
  /// Queues a write; callable from any thread. `work` and `done` run on the writer thread and must not block; `done` (may be empty) comes
  /// after the commit. An error from `work` undoes this write alone.
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
    Lease lease(*this);
    if (lease.failed()) return lease.error();
    Session session(lease.connection());
    return reading(session);
  }

  /// Called once, on the writer thread; an empty one takes the listener away. It must not call `on_poisoned`.
  void on_poisoned(std::function<void(const Error&)> listener);
  [[nodiscard]] bool is_poisoned() const;
  /// One small write through the whole path within `timeout`; for health checks. Blocks.
  [[nodiscard]] Result<void> ping(Millis timeout);

  struct Statistics {
    std::uint64_t commits = 0;
    std::uint64_t writes = 0;  ///< works run
  };
  [[nodiscard]] Statistics statistics() const;
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

   private:
    Database& database_;
    detail::Connection* connection_ = nullptr;
    std::optional<Error> error_;
  };

  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::storage
