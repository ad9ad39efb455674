#include "storage/database.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/assert.hpp"
#include "storage/detail/connection.hpp"
#include "storage/detail/data_folder.hpp"

namespace pawl::storage {

using detail::Connection;

namespace {

// The log is moved into the file when it has grown to this many pages, sooner when the writer has nothing else to do. A large log costs
// readers time and disk; moving it costs two fsyncs.
constexpr int kBusyLogPages = 4000;
constexpr int kIdleLogPages = 1000;

struct Item {
  Database::Work work;
  Database::Done done;
  std::size_t bytes = 0;
  bool poisons = false;
};

Error poisoned_error() {
  return {ErrorClass::unavailable, "storage.poisoned", "a write to the database has failed; the process must restart and recover"};
}

}  // namespace

struct Database::Impl {
  DatabaseOptions options;
  detail::FolderLock folder_lock;
  std::unique_ptr<Connection> writer;

  std::mutex readers_mutex;
  std::condition_variable reader_free;
  std::vector<std::unique_ptr<Connection>> readers;
  std::vector<Connection*> free_readers;

  std::mutex mutex;
  std::condition_variable work_arrived;
  std::vector<Item> queue;
  bool stopping = false;
  std::atomic<std::size_t> queued_bytes{0};
  std::atomic<bool> poisoned{false};
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> writes{0};
  std::mutex listener_mutex;
  std::function<void(const Error&)> poisoned_listener;  // guarded by listener_mutex
  std::thread thread;

  [[nodiscard]] Transaction transaction() const { return Transaction(*writer); }
  void enqueue(Item item);
  void loop();
  void commit_batch(std::vector<Item>& batch);
  [[nodiscard]] Result<void> run_batch(std::vector<Item>& batch, std::vector<Result<void>>& results);
  [[nodiscard]] Result<void> run_alone(const Work& work);
  void poison(const Error& error);
  void tend_log(bool idle);
};

// ---- sessions -----------------------------------------------------------------------------------------------------------------

Result<void> Session::run_query(std::string_view sql, std::initializer_list<Parameter> parameters, const void* context, Visit visit) {
  PAWL_TRY_VOID(connection_.run(sql, parameters, context, visit));
  return {};
}

Result<std::int64_t> Transaction::execute(std::string_view sql, std::initializer_list<Parameter> parameters) {
  return connection_.run(sql, parameters, nullptr, nullptr);
}

Result<void> Transaction::execute_script(std::string_view sql) { return connection_.script(sql); }

Database::Lease::Lease(Database& database) : database_(database) {
  auto& impl = *database.impl_;
  {
    std::unique_lock lock(impl.readers_mutex);
    impl.reader_free.wait(lock, [&impl] { return !impl.free_readers.empty(); });
    connection_ = impl.free_readers.back();
    impl.free_readers.pop_back();
  }
  auto begun = connection_->run("begin", {}, nullptr, nullptr);
  if (begun.has_error()) error_ = std::move(begun).error();
}

Database::Lease::~Lease() {
  connection_->rollback();  // ends the snapshot: a long reader would keep the log from shrinking
  auto& impl = *database_.impl_;
  {
    const std::lock_guard lock(impl.readers_mutex);
    impl.free_readers.push_back(connection_);
  }
  impl.reader_free.notify_one();
}

// ---- life cycle ---------------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  PAWL_TRY(lock, detail::FolderLock::take(options.folder));
  impl->folder_lock = std::move(lock);
  detail::ConnectionOptions connection{.path = (options.folder / "pawl.db").string(),
                                       .read_only = false,
                                       .synchronous = options.synchronous,
                                       .busy_timeout = options.busy_timeout,
                                       .max_pages = options.max_pages};
  PAWL_TRY(writer, Connection::open(connection));
  impl->writer = std::move(writer);
  connection.read_only = true;
  for (std::uint32_t i = 0; i < std::max(options.readers, 1U); ++i) {
    PAWL_TRY(reader, Connection::open(connection));
    impl->free_readers.push_back(reader.get());
    impl->readers.push_back(std::move(reader));
  }
  std::unique_ptr<Database> database(new Database(std::move(impl)));  // NOLINT: private constructor
  return database;
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->thread = std::thread([this] { impl_->loop(); });
}

Database::~Database() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->work_arrived.notify_one();
  impl_->thread.join();
  impl_->readers.clear();
  if (!impl_->poisoned) impl_->writer->checkpoint(true);
}

// ---- writing ------------------------------------------------------------------------------------------------------------------

void Database::Impl::enqueue(Item item) {
  queued_bytes.fetch_add(item.bytes, std::memory_order_relaxed);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex);
    PAWL_ASSERT(!stopping, "nobody writes to a database that is being closed");
    was_empty = queue.empty();
    queue.push_back(std::move(item));
  }
  if (was_empty) work_arrived.notify_one();
}

void Database::Impl::loop() {
  std::vector<Item> batch;
  for (;;) {
    {
      std::unique_lock lock(mutex);
      if (queue.empty() && !stopping && writer->log_pages() >= kIdleLogPages) {
        lock.unlock();
        tend_log(true);
        lock.lock();
      }
      work_arrived.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      std::swap(batch, queue);
    }
    commit_batch(batch);
    batch.clear();
    tend_log(false);
  }
}

void Database::Impl::commit_batch(std::vector<Item>& batch) {
  std::vector<Result<void>> results(batch.size());
  if (poisoned) {
    for (auto& result : results) result = poisoned_error();
  } else {
    auto committed = run_batch(batch, results);
    if (committed.has_error()) {
      writer->rollback();
      poison(committed.error());
      for (auto& result : results) result = committed.error();
    }
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    queued_bytes.fetch_sub(batch[i].bytes, std::memory_order_relaxed);
    if (batch[i].done) batch[i].done(std::move(results[i]));
  }
}

/// An error here is one that poisons; those of single writes are in `results`.
Result<void> Database::Impl::run_batch(std::vector<Item>& batch, std::vector<Result<void>>& results) {
  PAWL_TRY_VOID(writer->begin_immediate());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].poisons) {
      auto transaction = this->transaction();
      PAWL_TRY_VOID(batch[i].work(transaction));
    } else {
      results[i] = run_alone(batch[i].work);
      if (results[i].has_error() && (detail::is_fatal(results[i].error()) || !writer->in_transaction())) return results[i].error();
    }
  }
  writes.fetch_add(batch.size(), std::memory_order_relaxed);
  PAWL_TRY_VOID(writer->commit());
  commits.fetch_add(1, std::memory_order_relaxed);
  return {};
}

Result<void> Database::Impl::run_alone(const Work& work) {
  PAWL_TRY_VOID(writer->run("savepoint work", {}, nullptr, nullptr));
  auto transaction = this->transaction();
  auto result = work(transaction);
  if (!writer->in_transaction()) return result;
  if (result.has_error()) PAWL_TRY_VOID(writer->run("rollback to work", {}, nullptr, nullptr));
  PAWL_TRY_VOID(writer->run("release work", {}, nullptr, nullptr));
  return result;
}

void Database::Impl::poison(const Error& error) {
  if (poisoned.exchange(true)) return;
  const std::lock_guard guard(listener_mutex);
  if (poisoned_listener) poisoned_listener(error);
}

void Database::Impl::tend_log(bool idle) {
  if (!poisoned && writer->log_pages() >= (idle ? kIdleLogPages : kBusyLogPages)) writer->checkpoint(false);
}

void Database::write(Work work, Done done) { impl_->enqueue({std::move(work), std::move(done), 0, false}); }

void Database::write_or_poison(Work work, Done done, std::size_t bytes) { impl_->enqueue({std::move(work), std::move(done), bytes, true}); }

Result<void> Database::write_and_wait(Work work) {
  PAWL_ASSERT(std::this_thread::get_id() != impl_->thread.get_id(), "the writer cannot wait for itself");
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

std::size_t Database::queue_bytes() const { return impl_->queued_bytes.load(std::memory_order_relaxed); }
void Database::on_poisoned(std::function<void(const Error&)> listener) {
  const std::lock_guard guard(impl_->listener_mutex);
  impl_->poisoned_listener = std::move(listener);
}
bool Database::is_poisoned() const { return impl_->poisoned; }
Database::Statistics Database::statistics() const { return {impl_->commits, impl_->writes}; }
const std::filesystem::path& Database::folder() const { return impl_->options.folder; }

}  // namespace pawl::storage
