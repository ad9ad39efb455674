#include "storage/detail/writer.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/assert.hpp"

namespace pawl::storage::detail {
namespace {

Error poisoned_error() {
  return {ErrorClass::unavailable, "storage.poisoned", "a write to the database has failed; the process must restart and recover"};
}

}  // namespace

Writer::Writer(std::unique_ptr<Committer> committer) : committer_(std::move(committer)) {
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_arrived_.notify_one();
  thread_.join();
  committer_->close(poisoned_);
}

void Writer::enqueue(Item item) {
  queued_bytes_.fetch_add(item.bytes, std::memory_order_relaxed);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    PAWL_ASSERT(!stopping_, "nobody writes to a database that is being closed");
    was_empty = queue_.empty();
    queue_.push_back(std::move(item));
  }
  if (was_empty) work_arrived_.notify_one();
}

void Writer::loop() {
  std::vector<Item> batch;
  const auto rest = committer_->rest();
  const auto ready = [this] { return stopping_ || !queue_.empty(); };
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      while (!ready()) {
        lock.unlock();
        tend(true);
        lock.lock();
        if (rest > Millis(0)) {
          work_arrived_.wait_for(lock, rest, ready);
        } else {
          work_arrived_.wait(lock, ready);
        }
      }
      if (queue_.empty()) return;
      std::swap(batch, queue_);
    }
    commit(batch);
    batch.clear();
    tend(false);
  }
}

void Writer::commit(std::vector<Item>& batch) {
  if (poisoned_) {
    for (auto& item : batch) item.result = poisoned_error();
  } else {
    auto committed = committer_->commit(batch, *this);
    if (committed.has_error()) {
      poison(committed.error());
      for (auto& item : batch) item.result = committed.error();
    }
  }
  for (auto& item : batch) answer(item);
}

void Writer::tend(bool idle) {
  if (poisoned_) return;
  if (const auto tended = committer_->tend(idle); tended.has_error()) poison(tended.error());
}

void Writer::answer(Item& item) {
  queued_bytes_.fetch_sub(item.bytes, std::memory_order_relaxed);
  if (item.done) item.done(std::move(item.result));
}

void Writer::count_commit(std::size_t writes) {
  writes_.fetch_add(writes, std::memory_order_relaxed);
  commits_.fetch_add(1, std::memory_order_relaxed);
}

bool Writer::pause(Millis length, const std::optional<Error>& refusal) {
  const auto end = std::chrono::steady_clock::now() + length;
  const auto may_fail = [](const Item& item) { return !item.poisons; };
  const auto to_refuse = [&] { return refusal && std::any_of(queue_.begin(), queue_.end(), may_fail); };
  for (;;) {
    std::vector<Item> refused;
    {
      std::unique_lock lock(mutex_);
      if (!work_arrived_.wait_until(lock, end, to_refuse)) return !stopping_;
      const auto first = std::stable_partition(queue_.begin(), queue_.end(), std::not_fn(may_fail));
      std::move(first, queue_.end(), std::back_inserter(refused));
      queue_.erase(first, queue_.end());
    }
    for (auto& item : refused) {
      item.result = *refusal;
      answer(item);
    }
  }
}

void Writer::poison(const Error& error) {
  if (poisoned_.exchange(true)) return;
  const std::lock_guard guard(listener_mutex_);
  poison_ = error;
  if (poisoned_listener_) poisoned_listener_(error);
}

void Writer::on_poisoned(std::function<void(const Error&)> listener) {
  const std::lock_guard guard(listener_mutex_);
  poisoned_listener_ = std::move(listener);
  if (poison_ && poisoned_listener_) poisoned_listener_(*poison_);
}

}  // namespace pawl::storage::detail
