/// One shard: the runs of one thread, as plain logic.
///
/// A shard takes inputs (commands, answers of effects, "durable up to", time), drives the machines, and asks its host for the rest: append
/// a batch, start a function, load a run. It knows no Asio, no thread and no database, so the simulator drives the very same code
/// (tests/simulation).
///
/// The order that everything rests on: an input changes machines and adds events to runs; `turn` collects the events of all changed runs
/// into one batch; when the host reports the batch durable, what waited for it happens: acknowledgements, effects that write, the end of
/// runs. Functions of class `pure` and `read` start at once, and their answers may go on within the same turn, so ten reading steps cost
/// one commit.
///
/// All functions must be called on the shard's thread. Callbacks may call back into the shard.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/approval.hpp"
#include "engine/concurrency.hpp"
#include "engine/effect_observer.hpp"
#include "engine/engine.hpp"
#include "engine/fair_queue.hpp"
#include "engine/lifecycle.hpp"
#include "engine/records.hpp"

namespace pawl::engine {

/// A workflow that a step calls by name (`run: workflow`).
struct WorkflowCall {
  RunId run;
  EffectId effect = 0;
  OrganizationId organization;
  std::string namespace_name;
  std::string name;
  std::string version;
  bool asks_author = false;  ///< nobody looks at what the run calls: its author's right counts as well
};
/// What that is.
struct Callee {
  PlanSource::Resolved workflow;
  bool may_destroy = true;  ///< false: its author may not, where that was asked
};
/// Reads storage.
[[nodiscard]] Result<Callee> find_callee(PlanSource& plans, const WorkflowCall& call);

/// What a shard needs of the world. Answers come back through the functions of `Shard` that are named here, never inside of the call.
class Shard;

class ShardHost {
 public:
  ShardHost() = default;
  ShardHost(const ShardHost&) = delete;
  ShardHost& operator=(const ShardHost&) = delete;
  virtual ~ShardHost() = default;

  /// Make it durable, in order: `Shard::durable`.
  virtual void append(Batch batch) = 0;
  /// Start a function. An answer that comes at once is returned; any other goes to `Shard::effect_ended`. `cancel` is set to what the
  /// function gave.
  [[nodiscard]] virtual std::optional<Outcome> start_function(Function& function, Invocation call, EffectId effect, Cancel& cancel) = 0;
  /// Read a run that is not in memory: `Shard::loaded`.
  virtual void load(const RunId& run) = 0;
  /// Find the workflow: `Shard::resolved`.
  virtual void resolve(WorkflowCall call) = 0;
  /// Hand an event to every run of the organization that listens; `done` on this shard's thread once that is durable.
  virtual void publish(const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done) = 0;
  /// Call `turn` soon: something is waiting for it.
  virtual void wake() = 0;
  /// Deliver a lifecycle event; one that is `kept` is stored and goes from there when it is delivered.
  virtual void publish_lifecycle(const OrganizationId& organization, json::Value event, bool kept) = 0;
  /// Do this on the shard that the run belongs to, later, even where that is this one. May come to nothing when the process ends.
  virtual void on_shard_of(const RunId& run, std::function<void(Shard&)> work) = 0;
};

class Shard {
 public:
  struct Dependencies {
    ShardHost& host;
    const FunctionRegistry& functions;
    PlanSource& plans;
    Clock& clock;
    Random& random;
    ConcurrencyGate& gate;                                                        ///< shared by all shards
    LifecycleInterest& lifecycle;                                                 ///< shared by all shards
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< may be empty
    RunObserver* observer = nullptr;
    EffectObserver* effects = nullptr;
    std::function<void(Phase, Millis)> run_ended{};  ///< may be empty
  };
  Shard(Dependencies dependencies, const EngineOptions& options, std::size_t index, std::size_t count);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// The shard that a run belongs to: a part of its id.
  [[nodiscard]] static std::size_t index_of(const RunId& run, std::size_t count);
  /// A new id that belongs to this shard; ids of one shard grow.
  [[nodiscard]] RunId make_id();

  /// Of a run in memory.
  [[nodiscard]] std::optional<OrganizationId> owner(const RunId& run) const;

  // Commands, as in engine.hpp.
  void start(RunId id, StartRequest request, Engine::Started started, Engine::Finished finished);
  void view(const OrganizationId& organization, const RunId& run, bool with_tasks, Engine::Viewed done);
  void cancel(const OrganizationId& organization, const RunId& run, CancelRequested request, Engine::Acknowledged done);
  void suspend(const OrganizationId& organization, const RunId& run, Engine::Acknowledged done);
  void resume(const OrganizationId& organization, const RunId& run, Engine::Acknowledged done);
  void retry(const OrganizationId& organization, const RunId& run, RetryRequested request, Engine::Acknowledged done,
             json::Value requester = {});
  void fork(const OrganizationId& organization, const RunId& run, Engine::ForkRequest request, Engine::Started done);
  void deliver(const OrganizationId& organization, const RunId& run, json::Value event, Engine::Acknowledged done);
  void decide(const OrganizationId& organization, const RunId& run, ApprovalDecision decision, Engine::Acknowledged done);
  /// To every run in memory (or on its way into it) that listens for the event's type; `done` when all of it is durable.
  void deliver_to_listeners(const OrganizationId& organization, const json::Value& event, std::function<void()> done);
  void subscribe(const RunId& run, std::uint64_t subscription, std::uint64_t after_sequence, Engine::Updated updated);
  void unsubscribe(const RunId& run, std::uint64_t subscription);

  // Answers of the host.
  void durable(std::uint64_t batch);
  void effect_ended(const RunId& run, EffectId effect, Outcome outcome);
  void loaded(const RunId& run, Result<StoredRun> stored);
  void resolved(const RunId& run, EffectId effect, Result<Callee> callee);

  /// The run has got a place among those with its concurrency key.
  void let_in(const RunId& run);
  /// A run that sleeps in storage is due; loads it then.
  void wake_at(const RunId& run, TimePoint due);
  /// Fires what is due.
  void tick();
  /// When `tick` is wanted next.
  [[nodiscard]] std::optional<TimePoint> next_due();
  /// Ends a turn: continues runs that had used up their share and appends what has changed. The host calls it after every input or group of
  /// inputs.
  void turn();

  /// Takes a run that was in memory when the process ended. After all of them: `resume_recovered` starts their effects and timers again.
  void recover(OpenRun run);
  void resume_recovered();

  /// No new runs and effects from here on; what is in flight ends and is journaled.
  void drain();
  [[nodiscard]] bool idle() const;

  struct Counters {
    std::uint64_t runs_in_memory = 0;
    std::uint64_t runs_started = 0;
    std::uint64_t runs_finished = 0;
    std::uint64_t runs_faulted = 0;    ///< of those that finished
    std::uint64_t runs_cancelled = 0;  ///< likewise
    std::uint64_t run_millis = 0;      ///< from creation to end, of all that finished
    std::uint64_t journal_rows = 0;
    std::uint64_t effects_in_flight = 0;
  };
  [[nodiscard]] Counters counters() const;

 private:
  struct Run;
  struct Effect;
  struct Commit;
  struct InFlight;
  struct Timer {
    TimePoint due{};
    RunId run;
    enum class Kind : std::uint8_t { machine, sleep_check, wake } kind = Kind::machine;
    TimerId timer = 0;
  };
  struct Later {
    bool operator()(const Timer& a, const Timer& b) const { return a.due > b.due; }
  };
  using EventBody = decltype(Event::body);
  using Missing = std::function<void(Result<StoredRun>&)>;

  // shard.cpp: start, advance, commit, end
  Run& add_run(std::unique_ptr<Run> run);
  [[nodiscard]] RunInfo info_of(const Run& run, const dsl::Plan& plan, json::Value secrets) const;
  void input(Run& run, EventBody body);
  void advance(Run& run);
  void apply(Run& run, EventBody body, const Machine::Pause& pause);
  void go_on(Run& run, const Machine::Pause& pause);
  void perform_all(Run& run, std::vector<Action> actions);
  void perform(Run& run, Action& action);
  void touch(Run& run);
  [[nodiscard]] bool append_batch();
  [[nodiscard]] RunWrite write_of(Run& run);
  [[nodiscard]] RunWrite::Finish finish_of(Run& run);
  void committed(Commit& commit);
  void tell_end(Run& run);
  void tell_lifecycle(Run& run);
  void finish(Run& run);
  void drop(Run& run);

  // shard_effects.cpp
  void begin_effect(Run& run, StartEffect action, bool restarted = false);
  void admit(Run& run, EffectId effect);
  void launch(Run& run, EffectId effect);
  void launch_function(Run& run, Effect& effect);
  void launch_emit(Run& run, Effect& effect);
  void launch_child(Run& run, Effect& effect);
  void attach_child(const RunId& parent, EffectId effect, const RunId& child, Result<StoredRun>& stored);
  void ask_for_child(const Run& run, const Effect& effect);
  void start_child(Run& run, Effect& effect, Callee callee);
  void has_child(Run& run, Effect& effect, Run& child);
  void answer(Run& run, EffectId effect, Outcome outcome);
  void report(const Run& run, const Effect& effect, EffectReport::End end, const json::Value& error);
  void forget_effect(Run& run, EffectId effect);
  void cancel_effect(Run& run, EffectId effect);
  void launch_waiting();
  void restart_effects(Run& run);
  [[nodiscard]] Invocation invocation_of(const Run& run, const Effect& effect) const;

  // shard_memory.cpp: residence of runs
  using Found = std::function<void(Run&)>;
  void with_run(const OrganizationId& organization, const RunId& id, Found found, Missing missing);
  void want(const RunId& id, Missing then);
  [[nodiscard]] std::unique_ptr<Run> revive(OpenRun stored);
  [[nodiscard]] Result<std::unique_ptr<Run>> revive(const FinishedRun& stored);
  [[nodiscard]] Result<void> replay(Run& run, std::string_view events);
  [[nodiscard]] Result<void> rebuild(Run& run, const dsl::PlanPtr& plan, std::string_view snapshot, std::string_view events);
  void set_world(Run& run);
  void consider_sleep(Run& run);
  void leave_memory(Run& run);
  void set_listens(Run& run);
  void remove_listens(Run& run);
  void schedule(Run& run, TimerId timer, TimePoint due);
  void unschedule(Run& run, TimerId timer);
  void push_timer(Timer timer);
  void forget_timers(std::size_t count);

  // shard_places.cpp
  static void note_wishes(Run& run, const std::optional<Concurrency>& concurrency, std::int32_t priority);
  static void recall_wishes(Run& run);
  [[nodiscard]] Result<bool> take_place(Run& run, Concurrency::Policy policy);
  void leave_place(const RunId& run);

  // shard_commands.cpp
  void command(const OrganizationId& organization, const RunId& id, Engine::Acknowledged done, std::function<EventBody()> body);
  void cancel_broken(Run& run, Engine::Acknowledged done);
  void mend(Run& run, Engine::Acknowledged done);
  void reopen(const FinishedRun& stored, RetryRequested request, const Engine::Acknowledged& done, const json::Value& requester);

  // shard_approvals.cpp
  void ask_people(Run& run, RequestApproval asked);
  void close_approval(Run& run, CloseApproval closing);
  void report_question(Run& run, const CloseApproval& closing);
  [[nodiscard]] static Result<void> check_decision(const Run& run, const ApprovalDecision& decision);
  void tell_approval(const Run& run, const ApprovalWrite& write) const;

  // shard_fork.cpp
  void branch_off(const RunIdentity& original, const json::Value& trigger, std::string_view snapshot, std::string_view events,
                  Engine::ForkRequest request, Engine::Started done);
  [[nodiscard]] Result<void> take_over(Run& run, const RunIdentity& original, std::string_view events, const std::string& from);

  // shard_views.cpp
  [[nodiscard]] Result<RunView> view_of(const FinishedRun& stored, bool with_tasks);
  [[nodiscard]] RunView view_of(const Run& run, bool with_tasks) const;
  [[nodiscard]] static RunView::TaskView task_view(const Run& run, std::size_t record);
  void publish_record(Run& run, std::size_t record);
  void publish_phase(Run& run);
  void show_record(const Run& run, std::size_t record) const;
  void show_phase(const Run& run, Phase phase) const;
  void send_known(Run& run, std::uint64_t after, const Engine::Updated& updated) const;

  Dependencies world_;
  EngineOptions options_;
  std::size_t index_;
  std::size_t count_;
  bool draining_ = false;

  std::unordered_map<RunId, std::unique_ptr<Run>> runs_;
  std::unordered_map<RunId, std::vector<Missing>> wanted_;  // loads on their way, and who waits for them
  std::unordered_set<std::uint64_t> joining_;               // subscriptions that wait for a load
  std::vector<Run*> changed_;                               // have something for the next batch
  std::vector<RunId> unfinished_turns_;                     // had more to do than one turn allows
  std::deque<std::unique_ptr<InFlight>> in_flight_;         // batches that the host has
  std::uint64_t last_batch_ = 0;
  std::vector<Run*> recovered_;
  std::vector<Action> spare_actions_;

  std::vector<Timer> timers_;  // heap, the next due first; may hold timers that nobody wants any more
  std::size_t stale_timers_ = 0;
  std::unordered_map<std::string, std::unordered_set<Run*>> listeners_;  // by organization and event type

  struct Waiting {
    RunId run;
    EffectId effect = 0;
  };
  FairQueue<OrganizationId, Waiting> waiting_effects_;  // beyond max_effects_in_flight
  Counters counters_;
  std::uint64_t last_millis_ = 0;
  std::uint32_t id_counter_ = 0;
};

}  // namespace pawl::engine
