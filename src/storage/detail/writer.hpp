/// The one thread that writes: takes whatever has queued up, has it committed at once, and tells everybody how it went.
///
/// How a batch is committed is the `Committer`'s affair, one for each kind of database.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "storage/database.hpp"

namespace pawl::storage::detail {

struct Item {
  Database::Work work;
  Database::Done done;
  std::size_t bytes = 0;
  bool poisons = false;
  Result<void> result{};
};

class Writer;

class Committer {
 public:
  Committer() = default;
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;
  virtual ~Committer() = default;

  /// Sets the items' results. An error here is one that poisons. May answer and remove items itself (`Writer::answer`).
  [[nodiscard]] virtual Result<void> commit(std::vector<Item>& batch, Writer& writer) = 0;
  /// Between batches. `idle`: nothing waits. An error here is one that poisons, too.
  [[nodiscard]] virtual Result<void> tend(bool idle) = 0;
  /// How long to rest at most until the next `tend`; 0: until there is work.
  [[nodiscard]] virtual Millis rest() const { return Millis(0); }
  virtual void close(bool poisoned) = 0;
};

class Writer {
 public:
  explicit Writer(std::unique_ptr<Committer> committer);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  /// Finishes what is queued.
  ~Writer();

  void enqueue(Item item);
  [[nodiscard]] bool is_writer_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  [[nodiscard]] bool is_poisoned() const { return poisoned_; }
  void on_poisoned(std::function<void(const Error&)> listener);
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] Database::Statistics statistics() const { return {commits_, writes_}; }

  // For the committer, on the writer's thread.
  void count_commit(std::size_t writes);
  /// Tells the item's owner; the item is to be removed then.
  void answer(Item& item);
  /// Waits. Where there is a `refusal`, works that arrive in the meantime are answered with it, unless they may not fail. False: the
  /// database is to be closed.
  [[nodiscard]] bool pause(Millis length, const std::optional<Error>& refusal);

 private:
  void loop();
  void commit(std::vector<Item>& batch);
  void tend(bool idle);
  void poison(const Error& error);

  std::unique_ptr<Committer> committer_;
  std::mutex mutex_;
  std::condition_variable work_arrived_;
  std::vector<Item> queue_;  // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
  std::atomic<std::size_t> queued_bytes_{0};
  std::atomic<bool> poisoned_{false};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::mutex listener_mutex_;
  std::function<void(const Error&)> poisoned_listener_;  // guarded by listener_mutex_
  std::optional<Error> poison_;                          // likewise
  std::thread thread_;
};

}  // namespace pawl::storage::detail
