#include "storage/database.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/assert.hpp"
#include "storage/detail/call_note.hpp"
#include "storage/detail/data_folder.hpp"
#include "storage/detail/postgres_committer.hpp"
#include "storage/detail/reader_pool.hpp"
#include "storage/detail/restore_mark.hpp"
#include "storage/detail/sqlite_committer.hpp"
#include "storage/detail/writer.hpp"

namespace pawl::storage {

using detail::Connection;

namespace {

constexpr std::uint32_t kReadAttempts = 6;
constexpr Millis kReadPause{400};
/// A connection that has rested for so long is asked before it is lent.
constexpr Millis kPingAfter{1'000};
/// With the defaults PostgreSQL ends after 15 s the session of an engine that is frozen or cut off, and with it the lock.
constexpr int kSilencesOfASession = 3;

}  // namespace

// Members are destroyed from the last to the first.
struct Database::Impl {
  explicit Impl(const DatabaseOptions& a_options) : options(a_options), breaker(a_options.breaker) {}

  DatabaseOptions options;
  detail::FolderLock folder_lock;
  CircuitBreaker breaker;
  std::unique_ptr<detail::Writer> writer;
  std::unique_ptr<detail::ReaderPool> readers;
  std::function<void(const TracedCall&)> traced;  ///< set before there are other threads

  [[nodiscard]] bool traces() const { return traced && current_trace().kept; }
  [[nodiscard]] Result<void> open_sqlite();
  [[nodiscard]] Result<void> open_postgresql();
};

bool is_postgresql_url(std::string_view url) { return url.starts_with("postgresql://") || url.starts_with("postgres://"); }

// ---- sessions -----------------------------------------------------------------------------------------------------------------

Result<void> Session::run_query(std::string_view sql, std::initializer_list<Parameter> parameters, const void* context, Visit visit) {
  detail::CallNote::see(sql);
  PAWL_TRY_VOID(connection_.run(sql, parameters, context, visit));
  return {};
}

Dialect Session::dialect() const { return connection_.dialect(); }

Result<std::int64_t> Transaction::execute(std::string_view sql, std::initializer_list<Parameter> parameters) {
  detail::CallNote::see(sql);
  return connection_.run(sql, parameters, nullptr, nullptr);
}

Result<void> Transaction::queue(std::string_view sql, std::initializer_list<Parameter> parameters) {
  detail::CallNote::see(sql);
  return connection_.queue(sql, parameters);
}

Result<bool> Transaction::try_insert(std::string_view sql, std::initializer_list<Parameter> parameters) {
  detail::CallNote::see(sql);
  return connection_.try_insert(sql, parameters);
}

Result<void> Transaction::execute_script(std::string_view sql) { return connection_.script(sql); }

Database::Lease::Lease(Database& database) : database_(database) {
  if (database_.impl_->traces()) note_ = std::make_unique<detail::ReadNote>();
  auto& readers = *database.impl_->readers;
  for (std::uint32_t attempt = 1;; ++attempt) {
    auto acquired = readers.acquire();
    if (acquired.has_error()) {
      error_ = std::move(acquired).error();
      return;
    }
    auto begun = acquired.value()->begin(Connection::Access::reading);
    if (begun.has_error() && acquired.value()->is_lost() && attempt < kReadAttempts) {
      readers.release(std::move(acquired).value());  // it takes all that rest with it
      continue;
    }
    connection_ = std::move(acquired).value();
    if (begun.has_error()) error_ = std::move(begun).error();
    return;
  }
}

Database::Lease::~Lease() {
  if (note_ != nullptr) note_->note.tell(database_.impl_->traced, error_ ? error_->code : note_->error);
  if (connection_ == nullptr) return;
  connection_->rollback();  // ends the snapshot: a long reader would keep the log from shrinking
  database_.impl_->readers->release(std::move(connection_));
}

bool Database::Lease::is_worth_another(std::uint32_t attempt) {
  if (!connection_->is_lost() || connection_->has_shown_rows() || attempt >= kReadAttempts) return false;
  if (attempt > 1) database_.impl_->readers->pause(kReadPause);
  return true;
}

void Database::Lease::failed_with(const Error& error) {
  if (note_ != nullptr) note_->error = error.code;
}

// ---- life cycle ---------------------------------------------------------------------------------------------------------------

Result<void> Database::Impl::open_sqlite() {
  detail::SqliteOptions connection{.path = (options.folder / "pawl.db").string(),
                                   .read_only = false,
                                   .synchronous = options.synchronous,
                                   .busy_timeout = options.busy_timeout,
                                   .max_pages = options.max_pages};
  PAWL_TRY(opened, detail::SqliteConnection::open(connection));
  writer = std::make_unique<detail::Writer>(std::make_unique<detail::SqliteCommitter>(std::move(opened)));
  connection.read_only = true;
  detail::PoolOptions pool;
  pool.size = std::max(options.readers, 1U);
  pool.patience = options.pool_timeout;
  readers = std::make_unique<detail::ReaderPool>(
      pool,
      [connection]() -> Result<std::unique_ptr<Connection>> {
        PAWL_TRY(reader, detail::SqliteConnection::open(connection));
        return std::unique_ptr<Connection>(std::move(reader));
      },
      breaker);
  return {};
}

Result<void> Database::Impl::open_postgresql() {
  detail::PostgresOptions connection{.url = options.url,
                                     .synchronous = options.synchronous,
                                     .connect_timeout = Millis(5'000),
                                     .statement_timeout = options.statement_timeout,
                                     .lock_timeout = options.lock_timeout,
                                     .answer_timeout = options.statement_timeout + options.silence};
  auto writing = connection;
  writing.silence_ends = options.silence * kSilencesOfASession;
  auto committer = std::make_unique<detail::PostgresCommitter>(std::move(writing), breaker);
  PAWL_TRY_VOID(committer->open());
  writer = std::make_unique<detail::Writer>(std::move(committer));
  detail::PoolOptions pool;
  pool.size = std::max(options.pool_size, 1U);
  pool.overflow = options.max_overflow;
  pool.patience = options.pool_timeout;
  pool.recycle = options.pool_recycle;
  pool.ping_after = kPingAfter;
  readers = std::make_unique<detail::ReaderPool>(
      pool,
      [connection]() -> Result<std::unique_ptr<Connection>> {
        PAWL_TRY(reader, detail::PostgresConnection::open(connection));
        return std::unique_ptr<Connection>(std::move(reader));
      },
      breaker);
  return {};
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  PAWL_TRY(lock, detail::FolderLock::take(options.folder));
  impl->folder_lock = std::move(lock);
  PAWL_TRY_VOID(options.url.empty() ? impl->open_sqlite() : impl->open_postgresql());
  std::unique_ptr<Database> database(new Database(std::move(impl)));  // NOLINT: private constructor
  // SQLite's lies in the folder, whose mark the lock has looked for.
  if (database->dialect() == Dialect::postgresql) {
    PAWL_TRY_VOID(database->read([](Session& session) { return detail::check_no_restore_is_unfinished(session); }));
  }
  return database;
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Database::~Database() {
  // Readers first: one that is open would keep SQLite's log from being emptied.
  impl_->readers.reset();
  impl_->writer.reset();
}

// ---- writing ------------------------------------------------------------------------------------------------------------------

void Database::write(Work work, Done done) {
  if (!impl_->traces()) return impl_->writer->enqueue({std::move(work), std::move(done), 0, false});
  const auto note = std::make_shared<detail::CallNote>(true);
  impl_->writer->enqueue({[note, work = std::move(work)](Transaction& transaction) {
                            const TraceScope scope(note->below());
                            const detail::CallNote::Scope noting(note.get());
                            note->forget();
                            return work(transaction);
                          },
                          [this, note, done = std::move(done)](Result<void> result) {
                            const TraceScope scope(note->below());
                            note->tell(impl_->traced, result.has_error() ? std::string_view(result.error().code) : std::string_view());
                            if (done) done(std::move(result));
                          },
                          0, false});
}

void Database::on_traced_call(std::function<void(const TracedCall&)> listener) { impl_->traced = std::move(listener); }

void Database::write_or_poison(Work work, Done done, std::size_t bytes) {
  impl_->writer->enqueue({std::move(work), std::move(done), bytes, true});
}

Result<void> Database::write_and_wait(Work work) {
  PAWL_ASSERT(!impl_->writer->is_writer_thread(), "the writer cannot wait for itself");
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<void>> outcome;
  write(std::move(work), [&](Result<void> result) {
    const std::lock_guard lock(mutex);
    outcome = std::move(result);
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return outcome.has_value(); });
  return *outcome;
}

Result<void> Database::ping(Millis timeout) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<void>> outcome;
  };
  const auto answer = std::make_shared<Answer>();  // shared: the writer may answer after we have given up
  write([](Transaction& transaction) { return transaction.query("select 1", {}, [](const Row&) {}); },
        [answer](Result<void> result) {
          const std::lock_guard lock(answer->mutex);
          answer->outcome = std::move(result);
          answer->changed.notify_one();
        });
  std::unique_lock lock(answer->mutex);
  if (!answer->changed.wait_for(lock, timeout, [&] { return answer->outcome.has_value(); })) {
    return Error{ErrorClass::timeout, "storage.timeout", "the database did not answer in time"};
  }
  return *answer->outcome;
}

std::size_t Database::queue_bytes() const { return impl_->writer->queued_bytes(); }
void Database::on_poisoned(std::function<void(const Error&)> listener) { impl_->writer->on_poisoned(std::move(listener)); }
bool Database::is_poisoned() const { return impl_->writer->is_poisoned(); }
Database::Statistics Database::statistics() const { return impl_->writer->statistics(); }
Database::PoolStatistics Database::pool() const { return impl_->readers->statistics(); }
CircuitBreaker::Snapshot Database::breaker() const { return impl_->breaker.snapshot(detail::Steady::now()); }
Dialect Database::dialect() const { return impl_->options.url.empty() ? Dialect::sqlite : Dialect::postgresql; }
const std::filesystem::path& Database::folder() const { return impl_->options.folder; }

}  // namespace pawl::storage
