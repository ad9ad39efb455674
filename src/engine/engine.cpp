#include "engine/engine.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "base/assert.hpp"
#include "engine/detail/shard_driver.hpp"
#include "engine/lifecycle.hpp"
#include "engine/store.hpp"

namespace pawl::engine {

using detail::ShardDriver;

namespace {

/// Starts are refused while the writer has this much before it.
constexpr std::size_t kMaxQueueBytes = 64U << 20U;
/// Sleeping runs are looked up this often, this far ahead of their time.
constexpr Millis kWakePeriod{10'000};
constexpr Millis kWakeAhead{20'000};
constexpr std::uint32_t kWakesAtOnce = 100'000;
constexpr std::size_t kReaders = 2;
constexpr std::size_t kReadQueue = 100'000;

Error poisoned() { return {ErrorClass::unavailable, "engine.poisoned", "a commit has failed; the process must restart and recover"}; }

}  // namespace

struct Engine::Impl {
  Impl(Dependencies world, const EngineOptions& engine_options)
      : dependencies(std::move(world)),
        options(engine_options),
        store(dependencies.database),
        wake_timer(dependencies.threads.context(0)) {}

  Dependencies dependencies;
  EngineOptions options;
  RunStore store;
  ConcurrencyGate gate;
  LifecycleInterest lifecycle;
  LifecycleTaker lifecycle_taker;
  async::BlockingPool readers{"pawl-read", kReaders, kReadQueue};
  boost::asio::steady_timer wake_timer;  // on thread 0
  std::vector<std::shared_ptr<ShardDriver>> shards;
  std::atomic<bool> is_poisoned{false};
  std::atomic<bool> sleepers_listen{false};
  std::atomic<std::size_t> next_shard{0};
  std::atomic<std::uint64_t> next_subscription{1};
  std::mutex ids_mutex;
  TimePoint last_id_time{};      // guarded by ids_mutex
  std::uint32_t id_counter = 0;  // guarded by ids_mutex
  std::mutex listeners_mutex;
  std::vector<std::function<void(const OrganizationId&, const json::Value&)>> event_listeners;
  bool closed = false;
  std::shared_ptr<bool> alive =
      std::make_shared<bool>(true);  // read and cleared on thread 0: a timer may have fired before it was cancelled

  [[nodiscard]] ShardDriver& shard_of(const RunId& run) const { return *shards[Shard::index_of(run, shards.size())]; }
  [[nodiscard]] RunId foreign_id(std::size_t shard);
  void publish(const OrganizationId& organization, json::Value event, bool to_listeners, std::function<void(Result<void>)> done);
  void publish_lifecycle(const OrganizationId& organization, const json::Value& event, bool kept);
  void tell_listeners(const OrganizationId& organization, const json::Value& event);
  void look_for_wakes();
  void close();

  /// Runs `work` on every shard's thread and waits for all of them.
  template <class Work>
  void on_every_shard(Work work) {
    std::vector<std::future<void>> ends;
    for (const auto& driver : shards) {
      auto end = std::make_shared<std::promise<void>>();
      ends.push_back(end->get_future());
      driver->run([&work, driver, end](Shard& shard) {
        work(*driver, shard);
        end->set_value();
      });
    }
    for (auto& end : ends) end.wait();
  }

  /// For commands about one run: refuses when poisoned, else runs on the run's shard.
  template <class Done, class Work>
  void command(const RunId& run, const Done& done, Work work) {
    if (is_poisoned) return done(poisoned());
    shard_of(run).run(std::move(work));
  }
};

/// For a caller on another thread, who cannot reach the shard's own counter. Made the same way (Shard::make_id), so these too grow.
RunId Engine::Impl::foreign_id(std::size_t shard) {
  const std::lock_guard lock(ids_mutex);
  const auto now = dependencies.clock.now();
  if (now > last_id_time) {
    last_id_time = now;
    id_counter = 0;
  } else if (++id_counter > 0xfff) {
    last_id_time += Millis(1);
    id_counter = 0;
  }
  auto uuid = make_uuid_v7(last_id_time, dependencies.random);
  uuid.bytes[6] = static_cast<std::uint8_t>(0x70U | (id_counter >> 8U));
  uuid.bytes[7] = static_cast<std::uint8_t>(id_counter);
  uuid.bytes[8] = static_cast<std::uint8_t>(0x80U | shard);
  return RunId{uuid};
}

Engine::Engine(Dependencies dependencies, const EngineOptions& options) : impl_(std::make_unique<Impl>(std::move(dependencies), options)) {
  auto& impl = *impl_;
  const ShardDriver::World world{
      impl.dependencies.threads,
      impl.dependencies.database,
      impl.readers,
      impl.store,
      impl.gate,
      [&impl](const RunId& run, std::function<void(Shard&)> work) { impl.shard_of(run).run_later(std::move(work)); },
      impl.lifecycle,
      [&impl](const OrganizationId& organization, const json::Value& event, bool kept) {
        impl.publish_lifecycle(organization, event, kept);
      },
      [&impl](const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done) {
        impl.publish(organization, std::move(event), true, std::move(done));
      },
      [&impl] { impl.sleepers_listen = true; }};
  for (std::size_t i = 0; i < impl.dependencies.threads.size(); ++i) {
    impl.shards.push_back(std::make_shared<ShardDriver>(world, impl.dependencies, options, i));
  }
  impl.dependencies.database.on_poisoned([&impl](const Error& error) {
    if (!impl.is_poisoned.exchange(true) && impl.dependencies.on_fatal) impl.dependencies.on_fatal(error);
  });
}

Engine::~Engine() { impl_->close(); }

void Engine::Impl::close() {
  if (std::exchange(closed, true)) return;
  if (dependencies.threads.running()) {
    on_every_shard([this](ShardDriver& driver, Shard&) {
      if (&driver == shards.front().get()) {
        *alive = false;
        wake_timer.cancel();
      }
      driver.close();
    });
  } else {
    for (const auto& driver : shards) driver->close();
  }
  readers.stop();
  // What the shards have appended is written with the help of `store`: not before that may it go.
  static_cast<void>(dependencies.database.write_and_wait([](storage::Transaction&) { return Result<void>(); }));
  dependencies.database.on_poisoned({});
}

Result<void> Engine::start() {
  auto& impl = *impl_;
  PAWL_ASSERT(impl.dependencies.threads.running(), "the io threads run before the engine starts");
  PAWL_TRY_VOID(impl.store.open());
  std::vector<std::vector<OpenRun>> found(impl.shards.size());
  PAWL_TRY_VOID(impl.store.recover([&](OpenRun run) { found[Shard::index_of(run.identity.id, found.size())].push_back(std::move(run)); }));
  PAWL_TRY(listening, impl.store.has_listeners());
  impl.sleepers_listen = listening;
  PAWL_TRY_VOID(impl.store.places([&](const RunStore::StoredPlace& place) { impl.gate.restore(place.run, place.seat, place.admitted); }));
  // First all machines, then what they wait for: a parent finds its child in memory.
  impl.on_every_shard([&](ShardDriver& driver, Shard& shard) {
    const auto index = static_cast<std::size_t>(
        std::find_if(impl.shards.begin(), impl.shards.end(), [&](const auto& each) { return each.get() == &driver; }) -
        impl.shards.begin());
    for (auto& run : found[index]) shard.recover(std::move(run));
  });
  impl.on_every_shard([](ShardDriver& driver, Shard& shard) {
    shard.resume_recovered();
    driver.wake();
  });
  PAWL_TRY(followed, impl.store.lifecycle_listeners());
  for (const auto& organization : followed) impl.lifecycle.follow(organization);
  PAWL_TRY(undelivered, impl.store.lifecycle_events());
  for (const auto& [organization, event] : undelivered) impl.publish_lifecycle(organization, event, true);
  for (const auto& run : impl.gate.fill()) impl.shard_of(run).run_later([run](Shard& shard) { shard.let_in(run); });
  impl.shards.front()->run([&impl](Shard&) { impl.look_for_wakes(); });
  return {};
}

/// On thread 0, periodically: sleeping runs whose time is near.
void Engine::Impl::look_for_wakes() {
  const auto accepted = readers.try_post([this] {
    const auto wakes = store.wakes(dependencies.clock.now() + kWakeAhead, kWakesAtOnce);
    if (wakes.has_error()) return;  // the next look finds them
    std::vector<std::vector<RunStore::Wake>> by_shard(shards.size());
    for (const auto& wake : wakes.value()) by_shard[Shard::index_of(wake.run, shards.size())].push_back(wake);
    for (std::size_t i = 0; i < shards.size(); ++i) {
      if (by_shard[i].empty()) continue;
      shards[i]->run([driver = shards[i], list = std::move(by_shard[i])](Shard& shard) {
        for (const auto& wake : list) shard.wake_at(wake.run, wake.due);
        driver->wake();
      });
    }
  });
  static_cast<void>(accepted);  // a full queue: the next look finds them
  wake_timer.expires_after(kWakePeriod);
  wake_timer.async_wait([this, living = alive](const boost::system::error_code& failed) {
    if (!failed && *living) look_for_wakes();
  });
}

void Engine::stop(Millis drain) {
  auto& impl = *impl_;
  if (impl.closed || !impl.dependencies.threads.running()) return;
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = 0;
  };
  const auto waiting = std::make_shared<Waiting>();
  waiting->left = impl.shards.size();
  for (const auto& driver : impl.shards) {
    driver->run([driver, waiting](Shard&) {
      driver->drain([waiting] {
        const std::lock_guard lock(waiting->mutex);
        --waiting->left;
        waiting->changed.notify_one();
      });
    });
  }
  {
    std::unique_lock lock(waiting->mutex);
    // Where commits fail nothing becomes idle any more.
    waiting->changed.wait_for(lock, impl.is_poisoned ? Millis(0) : drain, [&] { return waiting->left == 0; });
  }
  impl.close();
}

// ---- runs -----------------------------------------------------------------------------------------------------------------------

RunId Engine::start_run(StartRequest request, Started started, Finished finished) {
  auto& impl = *impl_;
  const auto current = impl.dependencies.threads.current();
  const auto wanted =
      request.shard.value_or(current ? *current : impl.next_shard.fetch_add(1, std::memory_order_relaxed)) % impl.shards.size();
  RunId id;
  if (request.id) {
    id = *request.id;
  } else if (current != wanted) {
    id = impl.foreign_id(wanted);
  }
  std::optional<Error> refused;
  if (impl.is_poisoned) refused = poisoned();
  if (impl.dependencies.database.queue_bytes() > kMaxQueueBytes) {
    refused = Error{ErrorClass::unavailable, "engine.overloaded", "the database cannot keep up with the writes"};
  }
  if (refused) {
    if (started) started(*refused);
    return id;
  }
  auto& driver = impl.shard_of(id);
  if (!request.id && current == wanted) {  // the common path: no other thread is involved
    impl.shards[wanted]->run([&](Shard& shard) {
      id = shard.make_id();
      shard.start(id, std::move(request), std::move(started), std::move(finished));
    });
    return id;
  }
  driver.run([id, request = std::move(request), started = std::move(started), finished = std::move(finished)](Shard& shard) mutable {
    shard.start(id, std::move(request), std::move(started), std::move(finished));
  });
  return id;
}

void Engine::owner(const RunId& run, Owned done) {
  auto& impl = *impl_;
  auto* driver = &impl.shard_of(run);
  driver->run([&impl, driver, run, done = std::move(done)](Shard& shard) {
    if (const auto known = shard.owner(run)) return done(*known);
    const bool accepted = impl.readers.try_post([&impl, driver, run, done] {
      auto stored = impl.store.owner(run);
      driver->run([run, done, stored = std::move(stored)](Shard&) {
        if (stored.has_error()) return done(stored.error());
        if (!*stored) return done(Error{ErrorClass::not_found, "run.not_found", "run " + run.to_string() + " does not exist"});
        done(**stored);
      });
    });
    if (!accepted) done(Error{ErrorClass::unavailable, "engine.overloaded", "too many runs are being read"});
  });
}

void Engine::view(const OrganizationId& organization, const RunId& run, bool with_tasks, Viewed done) {
  impl_->command(run, done, [=](Shard& shard) { shard.view(organization, run, with_tasks, done); });
}

void Engine::cancel(const OrganizationId& organization, const RunId& run, std::string reason, Acknowledged done, CancelBy by) {
  const CancelRequested request{std::move(reason), by == CancelBy::person};
  impl_->command(run, done, [=](Shard& shard) { shard.cancel(organization, run, request, done); });
}

void Engine::suspend(const OrganizationId& organization, const RunId& run, Acknowledged done) {
  impl_->command(run, done, [=](Shard& shard) { shard.suspend(organization, run, done); });
}

void Engine::resume(const OrganizationId& organization, const RunId& run, Acknowledged done) {
  impl_->command(run, done, [=](Shard& shard) { shard.resume(organization, run, done); });
}

void Engine::retry(const OrganizationId& organization, const RunId& run, RetryRequested request, Acknowledged done, json::Value requester) {
  impl_->command(run, done, [=](Shard& shard) { shard.retry(organization, run, request, done, requester); });
}

void Engine::fork(const OrganizationId& organization, const RunId& run, ForkRequest request, Started done) {
  impl_->command(run, done, [=](Shard& shard) { shard.fork(organization, run, request, done); });
}

void Engine::deliver(const OrganizationId& organization, const RunId& run, json::Value event, Acknowledged done) {
  auto& impl = *impl_;
  impl.command(run, done, [=](Shard& shard) { shard.deliver(organization, run, event, done); });
}

void Engine::decide(const OrganizationId& organization, const RunId& run, ApprovalDecision decision, Acknowledged done) {
  impl_->command(run, done, [=](Shard& shard) { shard.decide(organization, run, decision, done); });
}

Result<RunPage> Engine::list(const RunFilter& filter) { return impl_->store.list(filter); }

Result<std::vector<std::vector<RunView>>> Engine::newest(const OrganizationId& organization, const std::vector<WorkflowId>& workflows,
                                                         std::uint32_t each) {
  return impl_->store.newest(organization, workflows, each);
}

std::uint64_t Engine::subscribe(const RunId& run, std::uint64_t after_sequence, Updated updated) {
  const auto subscription = impl_->next_subscription.fetch_add(1, std::memory_order_relaxed);
  impl_->shard_of(run).run([=](Shard& shard) { shard.subscribe(run, subscription, after_sequence, updated); });
  return subscription;
}

void Engine::unsubscribe(const RunId& run, std::uint64_t subscription) {
  impl_->shard_of(run).run([=](Shard& shard) { shard.unsubscribe(run, subscription); });
}

// ---- events -----------------------------------------------------------------------------------------------------------------------

void Engine::on_event(std::function<void(const OrganizationId&, const json::Value& event)> listener) {
  const std::lock_guard lock(impl_->listeners_mutex);
  impl_->event_listeners.push_back(std::move(listener));
}

void Engine::Impl::tell_listeners(const OrganizationId& organization, const json::Value& event) {
  decltype(event_listeners) listeners;
  {
    const std::lock_guard lock(listeners_mutex);
    listeners = event_listeners;
  }
  for (const auto& listener : listeners) listener(organization, event);
}

void Engine::publish(const OrganizationId& organization, json::Value event, Acknowledged done) {
  if (impl_->is_poisoned) return done(poisoned());
  impl_->publish(organization, std::move(event), true, std::move(done));
}

/// First every shard gives the event to the runs that it has in memory; then storage is asked for sleepers. A run is in memory, on its way
/// into it (the shard knows), or asleep with its listener rows committed: those rows stay until it next sleeps or ends. So each is reached,
/// some twice, which the machine's memory of source and id makes harmless.
void Engine::Impl::publish(const OrganizationId& organization, json::Value event, bool to_listeners,
                           std::function<void(Result<void>)> done) {
  struct Joint {
    std::atomic<std::size_t> left{0};         // who has still to arrive: shards, sleepers, the question to storage
    std::atomic<std::size_t> shards_left{0};  // shards that have not looked yet
    std::function<void(Result<void>)> done;
    std::mutex mutex;
    std::optional<Error> failed;
    void arrive() {
      if (--left > 0) return;
      done(failed ? Result<void>(*failed) : Result<void>());
    }
    void fail(const Error& error) {
      {
        const std::lock_guard lock(mutex);
        failed = error;
      }
      arrive();
    }
  };
  const auto joint = std::make_shared<Joint>();
  joint->done = std::move(done);
  joint->left = shards.size() + 1;
  joint->shards_left = shards.size();
  const auto wake_sleepers = [this, joint, organization, event] {
    const std::string type(event.get("type").is_string() ? event.get("type").as_string() : std::string_view());
    const auto sleepers = store.listeners(organization, type);
    if (sleepers.has_error()) return joint->fail(sleepers.error());
    joint->left += sleepers->size();
    for (const auto& run : sleepers.value()) {
      shard_of(run).run([=](Shard& shard) { shard.deliver(organization, run, event, [joint](Result<void>) { joint->arrive(); }); });
    }
    joint->arrive();
  };
  const auto ask_storage = [this, joint, wake_sleepers] {
    if (!sleepers_listen) return joint->arrive();
    if (!readers.try_post(wake_sleepers)) {
      joint->fail(Error{ErrorClass::unavailable, "engine.overloaded", "too many runs are being read"});
    }
  };
  const auto first = dependencies.threads.current().value_or(0);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards[i]->run([this, joint, organization, event, ask_storage, tells = to_listeners && i == first](Shard& shard) {
      shard.deliver_to_listeners(organization, event, [joint] { joint->arrive(); });
      if (tells) tell_listeners(organization, event);
      if (--joint->shards_left == 0) ask_storage();
    });
  }
}

void Engine::follow_lifecycle(const OrganizationId& organization) { impl_->lifecycle.follow(organization); }

void Engine::on_lifecycle(LifecycleTaker taker) { impl_->lifecycle_taker = std::move(taker); }

/// To the runs that listen and to the taker; when both have it durably, a kept event goes. Where one fails it stays for the next start.
void Engine::Impl::publish_lifecycle(const OrganizationId& organization, const json::Value& event, bool kept) {
  struct Joint {
    std::atomic<int> left{2};
    std::atomic<bool> failed{false};
  };
  const auto joint = std::make_shared<Joint>();
  const auto arrive = [this, joint, kept, id = std::string(event.get("id").as_string())](const Result<void>& result) {
    if (result.has_error()) joint->failed = true;
    if (--joint->left > 0 || joint->failed || !kept || is_poisoned) return;
    dependencies.database.write(
        [id](storage::Transaction& transaction) { return transaction.queue("delete from lifecycle_events where id = $1", {id}); }, {});
  };
  publish(organization, event, false, arrive);
  if (lifecycle_taker) return lifecycle_taker(organization, event, arrive);
  arrive({});
}

Engine::Statistics Engine::statistics() const {
  Statistics sum;
  for (const auto& driver : impl_->shards) {
    const auto counters = driver->counters();
    sum.runs_in_memory += counters.runs_in_memory;
    sum.runs_started += counters.runs_started;
    sum.runs_finished += counters.runs_finished;
    sum.runs_faulted += counters.runs_faulted;
    sum.runs_cancelled += counters.runs_cancelled;
    sum.run_millis += counters.run_millis;
    sum.journal_rows += counters.journal_rows;
    sum.effects_in_flight += counters.effects_in_flight;
  }
  const auto places = impl_->gate.statistics();
  sum.places_taken = places.active;
  sum.places_wanted = places.waiting;
  sum.commits = impl_->dependencies.database.statistics().commits;
  return sum;
}

}  // namespace pawl::engine
