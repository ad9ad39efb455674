/// The durable engine: runs, on shards, over a journal. This is what the API, the command line and the scheduler talk to.
///
/// One shard per io thread (`async::IoThreads`); a run in memory belongs to one shard. All functions here may be called from any thread;
/// callbacks come on the thread of the run's shard unless said otherwise, and must not block. Answers that say "done" come only after the
/// fact is durable (design.md chapter 4). After a failed commit the engine is poisoned: every call answers `engine.poisoned`, `on_fatal` is
/// called once, and the process is to end and recover.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "dsl/plan.hpp"
#include "engine/approval.hpp"
#include "engine/concurrency.hpp"
#include "engine/function.hpp"
#include "engine/machine/machine.hpp"
#include "json/value.hpp"

namespace pawl::async {
class IoThreads;
}
namespace pawl::storage {
class Database;
}

namespace pawl::engine {

class RunObserver;

/// Where recovery finds the plans of unfinished runs. Thread-safe. All of it may read storage: `find` and `author_may_destroy` are never
/// called on a shard's thread, `plan` there only for what was just read or begun, and is at hand.
class PlanSource {
 public:
  PlanSource() = default;
  PlanSource(const PlanSource&) = delete;
  PlanSource& operator=(const PlanSource&) = delete;
  virtual ~PlanSource() = default;
  [[nodiscard]] virtual Result<dsl::PlanPtr> plan(const WorkflowId& workflow, std::uint32_t version) = 0;
  /// For `run: workflow`: newest version (or that semantic version) of namespace and name within the same organization.
  struct Resolved {
    WorkflowId workflow;
    std::uint32_t version = 1;
    dsl::PlanPtr plan;
  };
  [[nodiscard]] virtual Result<Resolved> find(const OrganizationId& organization, std::string_view namespace_name, std::string_view name,
                                              std::string_view version) = 0;
  /// Whether whoever saved that version may let runs destroy. Asked where nobody started the run that calls it by name.
  [[nodiscard]] virtual bool author_may_destroy(const OrganizationId& organization, const WorkflowId& workflow, std::uint32_t version) = 0;
};

enum class Durability : std::uint8_t { sync, group };

struct StartRequest {
  dsl::PlanPtr plan;
  OrganizationId organization;
  WorkflowId workflow;
  std::uint32_t version = 1;
  json::Value input;
  json::Value trigger;
  json::Value secrets;
  bool dry_run = false;
  bool child = false;  ///< of another run, in whose place it works
  Durability durability = Durability::sync;
  std::optional<Concurrency> concurrency;  ///< else what the plan's metadata says; `run.concurrency_busy` (409) where it is skipped
  std::int32_t priority = 0;               ///< of what waits: for a place, for its turn at a function; higher goes first
  std::optional<RunId> id;                 ///< else a new one
  std::optional<std::size_t> shard;        ///< preferred shard (the caller's io thread); else chosen by the engine
};

/// A run as the API shows it. `tasks` is empty unless asked for.
struct RunView {
  RunId id;
  OrganizationId organization;
  WorkflowId workflow;
  std::uint32_t version = 1;
  std::string workflow_name;
  Phase phase = Phase::pending;
  std::optional<Phase> ending{};  ///< of a run that winds up: how its main part ended (`Machine::ending`)
  std::string waiting_reason;
  json::Value input;
  json::Value output;
  json::Value error;
  json::Value trigger;
  bool dry_run = false;
  TimePoint created_at{};
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> ended_at;
  struct TaskView {
    std::string reference;
    std::string name;
    std::string type;
    TaskRecord record;
  };
  std::vector<TaskView> tasks;
  std::uint64_t tasks_dropped = 0;  ///< records beyond the limit
};

/// Something changed in a run: what SSE and the terminal show. `sequence` counts from 1 within the run while it is in memory.
struct RunUpdate {
  RunId run;
  std::uint64_t sequence = 0;
  std::optional<Phase> phase;             ///< phase change
  std::optional<RunView::TaskView> task;  ///< task record added or changed
  json::Value output;                     ///< with a final phase
  json::Value error;
};

struct RunFilter {
  std::optional<OrganizationId> organization{};
  std::optional<WorkflowId> workflow{};
  std::vector<Phase> phases{};
  std::optional<TimePoint> since{};
  std::optional<TimePoint> until{};
  std::string text{};             ///< part of the workflow's name or the run's id
  std::uint32_t limit = 50;       ///< <= 200
  std::optional<RunId> before{};  ///< cursor: newest first
};
struct RunPage {
  std::vector<RunView> runs;  ///< without tasks, input and output
  std::optional<RunId> next;
};

struct EngineOptions {
  MachineLimits machine;
  std::uint32_t max_effects_in_flight = 10'000;  ///< per shard; more wait in order
  Millis snapshot_after{5000};                   ///< a run that waits longer than this leaves memory
  std::uint32_t max_runs_in_memory = 200'000;    ///< per shard; a start beyond it answers `engine.overloaded`
  std::size_t compact_bytes = 256U << 10U;       ///< events of an open run beyond this are replaced by a snapshot
};

class EffectObserver;

class Engine {
 public:
  struct Dependencies {
    async::IoThreads& threads;
    storage::Database& database;
    const FunctionRegistry& functions;
    PlanSource& plans;
    Clock& clock;
    Random& random;
    std::function<void(Error)> on_fatal;                                          ///< poisoned; called once, on the committer's thread
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< for recovery; may be empty
    RunObserver* observer = nullptr;                                              ///< told of every run; outlives the engine
    EffectObserver* effects = nullptr;                                            ///< effect_observer.hpp; outlives the engine
    std::function<void(Phase, Millis)> run_ended{};  ///< every run's final phase and age; on shard threads, must be quick; may be empty
  };
  Engine(Dependencies dependencies, const EngineOptions& options);
  ~Engine();

  /// Loads unfinished runs and goes on with them. Call after IoThreads started, before anything else.
  [[nodiscard]] Result<void> start();
  /// No new work; what is in flight gets until the deadline; then the committer flushes. Blocks the caller (not a shard).
  void stop(Millis drain);

  using Started = std::function<void(Result<RunId>)>;
  using Finished = std::function<void(const RunView&)>;
  /// `started` (may be empty) comes when the start is durable; `finished` (may be empty) when the final phase is durable. Where both are
  /// wanted for a run that ends at once, `started` may come together with `finished`, after one commit.
  RunId start_run(StartRequest request, Started started, Finished finished);

  /// Which organization a run belongs to, for the permission check: at once where the calling thread is that of the run's shard and the run
  /// is in memory; else from its rows, which costs one narrow read. Error `run.not_found`.
  using Owned = std::function<void(Result<OrganizationId>)>;
  void owner(const RunId& run, Owned done);

  using Viewed = std::function<void(Result<RunView>)>;
  /// Of any run, in memory, waiting or finished. Error `run.not_found` also for another organization's run.
  void view(const OrganizationId& organization, const RunId& run, bool with_tasks, Viewed done);
  /// Not empty, as every callback here but those of `start_run`.
  using Acknowledged = std::function<void(Result<void>)>;
  /// A cancel that nobody asked for by hand (what replaces a run, a client that has gone) does not break off what a suspended run undoes.
  enum class CancelBy : std::uint8_t { machine, person };
  void cancel(const OrganizationId& organization, const RunId& run, std::string reason, Acknowledged done, CancelBy by = CancelBy::machine);
  void suspend(const OrganizationId& organization, const RunId& run, Acknowledged done);
  void resume(const OrganizationId& organization, const RunId& run, Acknowledged done);
  /// Of a faulted (or cancelled) run. Error `run.not_retryable` in another phase, `run.unknown_task`. `requester`: whoever asks, as in
  /// `ForkRequest`: from now on the run is theirs (`set_retrier`), and may destroy where they may; null: as before.
  void retry(const OrganizationId& organization, const RunId& run, RetryRequested request, Acknowledged done, json::Value requester = {});
  /// A new run of the same version that takes over what `run` has done before the task `from` (the first time that it came there) and goes
  /// on from there, with `input` as that task's raw input or what it had. The run itself is left alone, whatever its phase. Empty `from`: a
  /// run from the beginning, with that input or the same. Errors: `run.unknown_task` (it never came there, or the task lies inside of a
  /// branch beside others), `run.not_forkable` (409: its first events were replaced by a snapshot).
  struct ForkRequest {
    std::string from;
    std::optional<json::Value> input;
    json::Value requester{};  ///< whoever asks, as members `user`, `api_key`, `may_destroy`; without: the installation's own key
  };
  void fork(const OrganizationId& organization, const RunId& run, ForkRequest request, Started done);
  /// A CloudEvent for one run, or for every run of the organization that listens. Acknowledged when durable. Exactly once per event
  /// `source` + `id`.
  void deliver(const OrganizationId& organization, const RunId& run, json::Value event, Acknowledged done);
  void publish(const OrganizationId& organization, json::Value event, Acknowledged done);
  /// Decides what a run asks (approval.hpp). Acknowledged when durable, to one decision per question. Errors: `approval.closed`
  /// (409: decided, expired or withdrawn), `approval.changed` (409: the digest is another one), `approval.forbidden`,
  /// `approval.invalid_data`, and those of `cancel`.
  void decide(const OrganizationId& organization, const RunId& run, ApprovalDecision decision, Acknowledged done);
  /// Every event that runs emit and that `publish` takes, for event triggers; called on a shard thread.
  void on_event(std::function<void(const OrganizationId&, const json::Value& event)> listener);

  /// From now on lifecycle events of the organization's runs are published (lifecycle.hpp). Runs that `listen` for some see to it
  /// themselves.
  void follow_lifecycle(const OrganizationId& organization);
  /// Takes every lifecycle event besides the runs that listen; `done` when it is durable what follows from it: until then the event is
  /// kept. Before `start`. Called on a shard thread, or on the starting one.
  using LifecycleTaker = std::function<void(const OrganizationId&, json::Value event, Acknowledged done)>;
  void on_lifecycle(LifecycleTaker taker);

  /// Blocking; call from a worker thread, never from an io thread.
  [[nodiscard]] Result<RunPage> list(const RunFilter& filter);
  /// For each of these workflows of the organization, in their order, its newest runs, open and finished, newest first and at most `each`.
  /// None of a workflow that is not the organization's. Blocking, as `list` is.
  [[nodiscard]] Result<std::vector<std::vector<RunView>>> newest(const OrganizationId& organization,
                                                                 const std::vector<WorkflowId>& workflows, std::uint32_t each);

  using Updated = std::function<void(const RunUpdate&)>;
  /// Live updates of one run from `after_sequence` on (0: all still known: a subscriber first gets the current records, then changes). On
  /// the run's shard.
  [[nodiscard]] std::uint64_t subscribe(const RunId& run, std::uint64_t after_sequence, Updated updated);
  void unsubscribe(const RunId& run, std::uint64_t subscription);

  struct Statistics {
    std::uint64_t runs_in_memory = 0;
    std::uint64_t runs_started = 0;
    std::uint64_t runs_finished = 0;
    std::uint64_t runs_faulted = 0;    ///< of those that finished
    std::uint64_t runs_cancelled = 0;  ///< likewise
    std::uint64_t run_millis = 0;      ///< from creation to end, of all that finished
    std::uint64_t commits = 0;
    std::uint64_t journal_rows = 0;
    std::uint64_t effects_in_flight = 0;
    std::uint64_t places_taken = 0;   ///< runs with a concurrency key that are active
    std::uint64_t places_wanted = 0;  ///< and those that wait
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::engine
