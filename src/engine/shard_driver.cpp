#include <boost/asio/error.hpp>

#include <algorithm>

#include "base/trace_context.hpp"
#include "engine/detail/shard_driver.hpp"

namespace pawl::engine::detail {
namespace {

/// The timer waits on the steady clock; no longer than this, so that a change of the wall clock is noticed.
constexpr Millis kLongestWait{10'000};

}  // namespace

ShardDriver::ShardDriver(World world, const Engine::Dependencies& dependencies, const EngineOptions& options, std::size_t index)
    : world_(std::move(world)),
      plans_(dependencies.plans),
      index_(index),
      shard_(std::make_unique<Shard>(
          Shard::Dependencies{*this, dependencies.functions, dependencies.plans, dependencies.clock, dependencies.random, world_.gate,
                              world_.lifecycle, dependencies.secrets, dependencies.observer, dependencies.effects, dependencies.run_ended},
          options, index, world_.threads.size())),
      timer_(std::in_place, world_.threads.context(index)),
      effects_(dependencies.effects),
      clock_(dependencies.clock) {}

ShardDriver::~ShardDriver() = default;

void ShardDriver::close() {
  closed_ = true;
  timer_.reset();
  on_idle_ = nullptr;
  shard_.reset();
  const std::lock_guard lock(mutex_);
  gone_ = true;
}

void ShardDriver::drain(std::function<void()> idle) {
  on_idle_ = std::move(idle);
  shard_->drain();
  wake();
}

Shard::Counters ShardDriver::counters() const {
  return {runs_in_memory_, runs_started_, runs_finished_, runs_faulted_, runs_cancelled_, run_millis_, journal_rows_, effects_in_flight_};
}

void ShardDriver::run_later(std::function<void(Shard&)> work) {
  world_.threads.post(index_, [self = shared_from_this(), work = std::move(work)] {
    if (!self->closed_) work(*self->shard_);
  });
}

// ---- turns --------------------------------------------------------------------------------------------------------------------

void ShardDriver::wake() {
  if (turn_posted_) return;
  turn_posted_ = true;
  // Behind what is in the loop's queue already: all of that shares the turn, and so the commit.
  world_.threads.post(index_, [self = shared_from_this()] {
    if (!self->closed_) self->turn();
  });
}

void ShardDriver::turn() {
  const TraceScope shared({});  // by many: whoever happened to ask for it is not whose work this is
  turn_posted_ = false;
  shard_->tick();
  shard_->turn();
  const auto counters = shard_->counters();
  runs_in_memory_ = counters.runs_in_memory;
  runs_started_ = counters.runs_started;
  runs_finished_ = counters.runs_finished;
  runs_faulted_ = counters.runs_faulted;
  runs_cancelled_ = counters.runs_cancelled;
  run_millis_ = counters.run_millis;
  journal_rows_ = counters.journal_rows;
  effects_in_flight_ = counters.effects_in_flight;
  arm();
  if (on_idle_ && shard_->idle()) std::exchange(on_idle_, nullptr)();
}

void ShardDriver::arm() {
  const auto due = shard_->next_due();
  if (!due || (armed_for_ && *armed_for_ <= *due)) return;
  armed_for_ = due;
  const auto wait = std::clamp(std::chrono::duration_cast<Millis>(*due - clock_.now()), Millis(0), kLongestWait);
  timer_->expires_after(wait);
  timer_->async_wait([self = shared_from_this()](const boost::system::error_code& failed) {
    if (self->closed_ || failed == boost::asio::error::operation_aborted) return;
    self->armed_for_.reset();
    self->turn();
  });
}

// ---- from other threads -----------------------------------------------------------------------------------------------------------

void ShardDriver::complete(Completion completion) {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  completions_.push_back(std::move(completion));
  post_drain();
}

/// One job in the loop for all that arrives until it runs.
void ShardDriver::post_drain() {
  if (drain_posted_.exchange(true)) return;
  world_.threads.post(index_, [self = shared_from_this()] {
    if (!self->closed_) self->drain_inbox();
  });
}

void ShardDriver::drain_inbox() {
  const TraceScope shared({});
  drain_posted_ = false;
  std::vector<Completion> completions;
  {
    const std::lock_guard lock(mutex_);
    std::swap(completions, completions_);
  }
  shard_->durable(durable_);
  for (auto& each : completions) shard_->effect_ended(each.run, each.effect, std::move(each.outcome));
  wake();
}

void ShardDriver::append(Batch batch) {
  const auto bytes = batch.bytes;
  const auto number = batch.number;
  auto shared = std::make_shared<const Batch>(std::move(batch));
  world_.database.write_or_poison(
      [&store = world_.store, shared,
       observed = effects_ == nullptr ? EffectObserver::Work() : effects_->take()](storage::Transaction& transaction) -> Result<void> {
        PAWL_TRY_VOID(store.apply(transaction, *shared));
        return observed ? observed(transaction) : Result<void>();
      },
      [self = shared_from_this(), number](Result<void> result) {
        if (result.has_error()) return;  // poisoned: nothing is acknowledged any more
        self->durable_ = number;
        self->post_drain();
      },
      bytes);
  for (const auto& run : shared->runs) {
    if (run.sleep && !run.sleep->listens.empty()) return world_.sleeper_listens();
  }
}

// ---- functions ------------------------------------------------------------------------------------------------------------------

/// A call in the air. Its answer may come inside of `start`, or later, from any thread.
struct ShardDriver::Call {
  enum State : std::uint8_t { starting, running, answered };
  std::shared_ptr<ShardDriver> driver;
  Completion completion;
  std::atomic<bool> taken{false};
  std::atomic<std::uint8_t> state{starting};

  void answer(Outcome outcome) {
    if (taken.exchange(true)) return;  // only the first answer counts
    completion.outcome = std::move(outcome);
    std::uint8_t expected = starting;
    if (state.compare_exchange_strong(expected, answered)) return;  // `start_function` is still there and takes it
    driver->complete(std::move(completion));
  }
};

std::optional<Outcome> ShardDriver::start_function(Function& function, Invocation invocation, EffectId effect, Cancel& cancel) {
  auto call = std::make_shared<Call>();
  call->driver = shared_from_this();
  call->completion.run = invocation.run;
  call->completion.effect = effect;
  cancel = function.start(std::move(invocation), [call](Outcome outcome) { call->answer(std::move(outcome)); });
  std::uint8_t expected = Call::starting;
  if (call->state.compare_exchange_strong(expected, Call::running)) return std::nullopt;
  return std::move(call->completion.outcome);
}

// ---- storage and events -----------------------------------------------------------------------------------------------------------

namespace {

const RunIdentity* identity_of(const StoredRun& stored) {
  if (const auto* const open = std::get_if<OpenRun>(&stored)) return &open->identity;
  const auto* const finished = std::get_if<FinishedRun>(&stored);
  return finished == nullptr ? nullptr : &finished->identity;
}

}  // namespace

void ShardDriver::load(const RunId& run) {
  const bool accepted = world_.readers.try_post([self = shared_from_this(), run] {
    auto stored = self->world_.store.load(run);
    // Read here where it is not in memory, so that the shard finds it there.
    if (const auto* const identity = stored.has_value() ? identity_of(stored.value()) : nullptr; identity != nullptr) {
      static_cast<void>(self->plans_.plan(identity->workflow, identity->version));
    }
    self->run([run, stored = std::move(stored)](Shard& shard) mutable { shard.loaded(run, std::move(stored)); });
  });
  if (accepted) return;
  world_.threads.post(index_, [self = shared_from_this(), run] {
    if (!self->closed_) self->shard_->loaded(run, Error{ErrorClass::unavailable, "engine.overloaded", "too many runs are being read"});
  });
}

void ShardDriver::resolve(WorkflowCall call) {
  const auto run = call.run;
  const auto effect = call.effect;
  const bool accepted = world_.readers.try_post([self = shared_from_this(), call = std::move(call)] {
    auto callee = find_callee(self->plans_, call);
    self->run([run = call.run, effect = call.effect, callee = std::move(callee)](Shard& shard) mutable {
      shard.resolved(run, effect, std::move(callee));
    });
  });
  if (accepted) return;
  run_later([run, effect](Shard& shard) {
    shard.resolved(run, effect, Error{ErrorClass::unavailable, "engine.overloaded", "too many workflows are being looked up"});
  });
}

void ShardDriver::publish(const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done) {
  world_.publish(organization, std::move(event), [self = shared_from_this(), done = std::move(done)](Result<void> result) {
    self->world_.threads.post(self->index_, [self, done, result] {
      if (!self->closed_) done(result);
    });
  });
}

}  // namespace pawl::engine::detail
