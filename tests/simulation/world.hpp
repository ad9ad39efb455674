/// One seed's world: a shard over a disk that forgets, with virtual time, scripted functions, and crashes. Everything in it follows from
/// the seed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/shard.hpp"
#include "simulation/sim_disk.hpp"
#include "simulation/sim_workflow.hpp"

namespace pawl::simulation {

class SimClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  void set(TimePoint now) { now_ = now; }

 private:
  TimePoint now_{Millis(1'790'000'000'000)};
};

class SimRandom final : public Random {
 public:
  explicit SimRandom(std::uint64_t seed) : dice_(seed) {}
  [[nodiscard]] std::uint64_t next() override { return dice_.next(); }

 private:
  Dice dice_;
};

/// The two workflows of a world.
class Plans final : public engine::PlanSource {
 public:
  Plans(dsl::PlanPtr parent, dsl::PlanPtr child);
  [[nodiscard]] Result<dsl::PlanPtr> plan(const WorkflowId& workflow, std::uint32_t version) override;
  [[nodiscard]] Result<Resolved> find(const OrganizationId& organization, std::string_view namespace_name, std::string_view name,
                                      std::string_view version) override;
  [[nodiscard]] bool author_may_destroy(const OrganizationId& organization, const WorkflowId& workflow, std::uint32_t version) override;
  [[nodiscard]] const WorkflowId& parent_id() const { return parent_id_; }
  [[nodiscard]] const dsl::PlanPtr& parent() const { return parent_; }

 private:
  dsl::PlanPtr parent_;
  dsl::PlanPtr child_;
  WorkflowId parent_id_;
  WorkflowId child_id_;
};

struct WorldOptions {
  std::uint64_t schedule = 0;  ///< seed of the order of things
  std::uint32_t runs = 3;
  std::uint32_t max_crashes = 0;  ///< 0: a quiet life
  bool trace = false;
};

/// What a world ended with.
struct WorldResult {
  std::string failure;  ///< empty: all checks held
  struct Run {
    engine::Phase phase = engine::Phase::pending;
    json::Value result;
    bool outcome_unknown = false;  ///< a `once` step was interrupted: its result may differ
  };
  std::vector<Run> runs;
  std::uint32_t crashes = 0;
  std::uint32_t repeated_idempotent = 0;
  std::uint32_t slept = 0;
};

class World final : public engine::ShardHost {
 public:
  World(Plans& plans, const engine::FunctionRegistry& functions, const WorldOptions& options);
  [[nodiscard]] WorldResult live();

 private:
  struct Client {
    RunId run;
    bool started = false;  ///< acknowledged
    bool ended = false;
    bool suspended = false;
  };
  struct Answer {
    TimePoint due{};
    RunId run;
    engine::EffectId effect = 0;
    engine::Outcome outcome;
  };
  struct Publication {
    OrganizationId organization;
    json::Value event;
    std::function<void(Result<void>)> done;
  };

  // ShardHost
  void append(engine::Batch batch) override { disk_.append(std::move(batch)); }
  [[nodiscard]] std::optional<engine::Outcome> start_function(engine::Function& function, engine::Invocation call, engine::EffectId effect,
                                                              engine::Cancel& cancel) override;
  void load(const RunId& run) override { loads_.push_back(run); }
  void resolve(engine::WorkflowCall call) override {
    jobs_.push_back(
        [this, call = std::move(call)](engine::Shard& shard) { shard.resolved(call.run, call.effect, engine::find_callee(plans_, call)); });
  }
  void publish(const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done) override {
    publications_.push_back({organization, std::move(event), std::move(done)});
  }
  void wake() override { awake_ = true; }
  void publish_lifecycle(const OrganizationId& organization, json::Value event, bool /*kept*/) override {
    publications_.push_back({organization, std::move(event), [](Result<void>) {}});
  }
  void on_shard_of(const RunId& /*run*/, std::function<void(engine::Shard&)> work) override { jobs_.push_back(std::move(work)); }

  void boot();
  void crash();
  void step();
  void sync();
  void answer_one();
  void load_one();
  void publish_one();
  void work_one();
  void look_at_places();
  void ping();
  void pass_time();
  void start_client(std::size_t index);
  void bother(std::size_t index);
  void look_at_durable_ends();
  [[nodiscard]] std::optional<engine::Machine> durable_machine(const RunId& run) const;
  void check(bool holds, const std::string& what);
  [[nodiscard]] bool over() const;
  [[nodiscard]] std::string unfinished();
  [[nodiscard]] WorldResult result();

  Plans& plans_;
  const engine::FunctionRegistry& functions_;
  WorldOptions options_;
  Dice dice_;
  SimClock clock_;
  SimRandom random_;
  SimDisk disk_;
  OrganizationId organization_;
  engine::LifecycleInterest lifecycle_;
  std::unique_ptr<engine::ConcurrencyGate> gate_;  // memory: begins anew with each process
  std::unique_ptr<engine::Shard> shard_;

  bool awake_ = false;
  std::vector<Answer> answers_;
  std::deque<RunId> loads_;
  std::deque<Publication> publications_;
  std::deque<std::function<void(engine::Shard&)>> jobs_;
  std::vector<Client> clients_;
  std::uint32_t pings_ = 0;
  std::uint32_t incarnation_ = 0;

  // What the outside world remembers, whatever crashes.
  std::map<std::string, std::uint32_t> begun_;                       // by step
  std::map<std::pair<RunId, engine::EffectId>, std::string> steps_;  // which step an effect belongs to
  std::set<std::string> ended_;                                      // steps whose end is durable
  WorldResult result_;
};

}  // namespace pawl::simulation
