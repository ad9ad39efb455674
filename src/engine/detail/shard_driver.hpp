/// The thin shell around a shard: its thread's event loop, its timer, the ways to the database and to functions. Private to the engine.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "engine/shard.hpp"
#include "engine/store.hpp"

namespace pawl::engine::detail {

/// Shared by the engine and by whatever may still call back after it is gone: answers of functions, of the writer, of the loop. After
/// `close` all of those come to nothing.
class ShardDriver final : public ShardHost, public std::enable_shared_from_this<ShardDriver> {
 public:
  using Publish = std::function<void(const OrganizationId&, json::Value event, std::function<void(Result<void>)> done)>;
  struct World {
    async::IoThreads& threads;
    storage::Database& database;
    async::BlockingPool& readers;
    RunStore& store;
    ConcurrencyGate& gate;
    std::function<void(const RunId&, std::function<void(Shard&)>)> on_shard_of;  ///< always later
    LifecycleInterest& lifecycle;
    std::function<void(const OrganizationId&, json::Value event, bool kept)> publish_lifecycle;
    Publish publish;
    std::function<void()> sleeper_listens;  ///< a run that listens leaves memory
  };
  ShardDriver(World world, const Engine::Dependencies& dependencies, const EngineOptions& options, std::size_t index);
  ~ShardDriver() override;

  /// Runs `work(Shard&)` on the shard's thread: at once where that is the calling one.
  template <class Work>
  void run(Work work) {
    if (world_.threads.on_thread(index_)) {
      if (!closed_) work(*shard_);
      return;
    }
    world_.threads.post(index_, [self = shared_from_this(), work = std::move(work)]() mutable {
      if (!self->closed_) work(*self->shard_);
    });
  }
  /// On the shard's thread, or when that has ended: drops the shard.
  void close();
  /// Stops new work and tells `idle` once nothing is in flight. On the shard's thread.
  void drain(std::function<void()> idle);
  [[nodiscard]] Shard::Counters counters() const;

  void append(Batch batch) override;
  [[nodiscard]] std::optional<Outcome> start_function(Function& function, Invocation call, EffectId effect, Cancel& cancel) override;
  void load(const RunId& run) override;
  void resolve(WorkflowCall call) override;
  void publish(const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done) override;
  void wake() override;
  void publish_lifecycle(const OrganizationId& organization, json::Value event, bool kept) override {
    world_.publish_lifecycle(organization, std::move(event), kept);
  }
  void on_shard_of(const RunId& run, std::function<void(Shard&)> work) override { world_.on_shard_of(run, std::move(work)); }
  /// As `run`, but never at once.
  void run_later(std::function<void(Shard&)> work);

 private:
  struct Call;
  struct Completion {
    RunId run;
    EffectId effect = 0;
    Outcome outcome;
  };
  void complete(Completion completion);
  void post_drain();
  void drain_inbox();
  void turn();
  void arm();

  World world_;
  PlanSource& plans_;
  std::size_t index_;
  std::unique_ptr<Shard> shard_;
  std::optional<boost::asio::steady_timer> timer_;  // none once closed: the loop may go before the last answer comes
  std::optional<TimePoint> armed_for_;
  EffectObserver* effects_;
  Clock& clock_;
  bool closed_ = false;  // on the shard's thread
  bool turn_posted_ = false;
  std::function<void()> on_idle_;

  std::mutex mutex_;
  std::vector<Completion> completions_;  // guarded by mutex_
  bool gone_ = false;                    // guarded by mutex_
  std::atomic<bool> drain_posted_{false};
  std::atomic<std::uint64_t> durable_{0};

  std::atomic<std::uint64_t> runs_in_memory_{0};
  std::atomic<std::uint64_t> runs_started_{0};
  std::atomic<std::uint64_t> runs_finished_{0};
  std::atomic<std::uint64_t> runs_faulted_{0};
  std::atomic<std::uint64_t> runs_cancelled_{0};
  std::atomic<std::uint64_t> run_millis_{0};
  std::atomic<std::uint64_t> journal_rows_{0};
  std::atomic<std::uint64_t> effects_in_flight_{0};
};

}  // namespace pawl::engine::detail
