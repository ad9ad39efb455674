/// An engine on a temporary folder with a few functions that tests steer. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "async/io_threads.hpp"
#include "dsl/compile.hpp"
#include "engine/engine.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::engine {

inline constexpr std::chrono::seconds kPatience{20};

/// A function whose calls end when the test says so.
class ManualFunction final : public Function {
 public:
  struct Calls {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Done> waiting;
    std::vector<std::string> keys;
    std::size_t cancelled = 0;

    void wait_for(std::size_t count) {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(changed.wait_for(lock, kPatience, [&] { return waiting.size() >= count; }));
    }
    void answer(Outcome outcome) {
      Done done;
      {
        const std::lock_guard lock(mutex);
        done = std::move(waiting.front());
        waiting.pop_front();
      }
      done(std::move(outcome));
    }
    [[nodiscard]] std::size_t size() {
      const std::lock_guard lock(mutex);
      return waiting.size();
    }
  };
  explicit ManualFunction(std::shared_ptr<Calls> calls) : calls_(std::move(calls)) {}
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] EffectClass effect_class(const json::Value& /*arguments*/) const override { return EffectClass::idempotent; }
  [[nodiscard]] Result<json::Value> plan(const Invocation& /*call*/) const override {
    return json::Value::array({json::Value::object({{"action", "wait for the test"}})});
  }
  [[nodiscard]] Cancel start(Invocation call, Done done) override {
    if (call.dry_run) {
      done(Outcome::planned(plan(call).value()));
      return {};
    }
    const std::lock_guard lock(calls_->mutex);
    calls_->waiting.push_back(std::move(done));
    calls_->keys.push_back(call.idempotency_key);
    calls_->changed.notify_all();
    return [calls = calls_] {
      const std::lock_guard guard(calls->mutex);
      ++calls->cancelled;
    };
  }

 private:
  Info info_{.name = "manual", .summary = "Ends when the test says so", .parameters = {}, .output = {}, .examples = {}};
  std::shared_ptr<Calls> calls_;
};

/// A function that answers inside of `start`.
class InlineFunction final : public Function {
 public:
  using Answer = std::function<Outcome(const Invocation&)>;
  InlineFunction(std::string name, bool destructive, Answer answer) : answer_(std::move(answer)) {
    info_.name = std::move(name);
    info_.destructive = destructive;
  }
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] EffectClass effect_class(const json::Value& /*arguments*/) const override { return EffectClass::pure; }
  [[nodiscard]] Result<json::Value> plan(const Invocation& /*call*/) const override {
    return json::Value::array({json::Value::object({{"action", info_.name}})});
  }
  [[nodiscard]] Cancel start(Invocation call, Done done) override {
    done(call.dry_run ? Outcome::planned(plan(call).value()) : answer_(call));
    return {};
  }

 private:
  Info info_;
  Answer answer_;
};

/// Live updates as they come.
class Updates {
 public:
  [[nodiscard]] Engine::Updated taker() {
    return [state = state_](const RunUpdate& update) {
      const std::lock_guard lock(state->mutex);
      state->all.push_back(update);
      state->changed.notify_all();
    };
  }
  template <class Condition>
  void wait_until(Condition condition) {
    std::unique_lock lock(state_->mutex);
    ASSERT_TRUE(state_->changed.wait_for(lock, kPatience, [&] { return condition(state_->all); }));
  }
  [[nodiscard]] std::uint64_t last_sequence() {
    const std::lock_guard lock(state_->mutex);
    return state_->all.back().sequence;
  }
  [[nodiscard]] std::set<std::string> references() {
    const std::lock_guard lock(state_->mutex);
    std::set<std::string> references;
    for (const auto& update : state_->all) {
      if (update.task) references.insert(update.task->reference);
    }
    return references;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<RunUpdate> all;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Everything an engine needs; survives the "process" that `kill` ends and `boot` begins again.
class TestBench final : public PlanSource {
 public:
  TestBench() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-engine-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    organization_.uuid.bytes[0] = 1;
    functions_.add(std::make_unique<ManualFunction>(calls_));
    functions_.add(std::make_unique<InlineFunction>("noop", false, [this](const Invocation& call) {
      ++noops_;
      return Outcome::success(call.arguments);
    }));
    functions_.add(
        std::make_unique<InlineFunction>("throws", false, [](const Invocation&) -> Outcome { throw std::runtime_error("out of luck"); }));
    functions_.add(
        std::make_unique<InlineFunction>("approval", false, [](const Invocation& call) { return Outcome::success(call.arguments); }));
    functions_.add(std::make_unique<InlineFunction>("destroy", true, [](const Invocation&) { return Outcome::success("destroyed"); }));
    functions_.add(
        std::make_unique<InlineFunction>("may", false, [](const Invocation& call) { return Outcome::success(call.may_destroy); }));
  }
  ~TestBench() override {
    kill();
    std::filesystem::remove_all(folder_);
  }
  TestBench(const TestBench&) = delete;
  TestBench& operator=(const TestBench&) = delete;

  void boot() {
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    options.max_pages = max_pages_;
    database_ = storage::testing::open(options).value();
    ASSERT_FALSE(storage::migrate_up(*database_, clock_).has_error());
    at_hand_.clear();
    booting_ = true;
    threads_ = std::make_unique<async::IoThreads>(2);
    threads_->start();
    engine_ =
        std::make_unique<Engine>(Engine::Dependencies{*threads_, *database_, functions_, *this, clock_, random_,
                                                      [this](const Error& error) { fatal_.set_value(error.code); },
                                                      [this](const OrganizationId&, const dsl::Plan&) { return secrets_; }, observer_},
                                 options_);
    if (before_start_) before_start_(*engine_);
    const auto started = engine_->start();
    booting_ = false;
    ASSERT_FALSE(started.has_error()) << started.error().message;
  }
  /// As if the process had ended, except that what the writer has taken gets written.
  void kill() {
    engine_.reset();
    if (threads_) threads_->stop();
    threads_.reset();
    database_.reset();
    const std::lock_guard lock(calls_->mutex);
    calls_->waiting.clear();
  }

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] EngineOptions& options() { return options_; }
  [[nodiscard]] std::size_t noops() const { return noops_; }
  void before_start(std::function<void(Engine&)> work) { before_start_ = std::move(work); }
  void watch(RunObserver& observer) { observer_ = &observer; }
  void give_secrets(json::Value secrets) { secrets_ = std::move(secrets); }
  [[nodiscard]] storage::Database& database() { return *database_; }
  void limit_pages(std::uint32_t pages) { max_pages_ = pages; }
  void hide_plans(bool hidden) { hidden_ = hidden; }

  struct Manual {
    ManualFunction::Calls& calls;
    void wait_for(std::size_t count) const { calls.wait_for(count); }
    void answer(Outcome outcome) const { calls.answer(std::move(outcome)); }
    [[nodiscard]] std::size_t waiting() const { return calls.size(); }
    [[nodiscard]] std::vector<std::string> keys() const {
      const std::lock_guard lock(calls.mutex);
      return calls.keys;
    }
    [[nodiscard]] std::size_t cancelled() const {
      const std::lock_guard lock(calls.mutex);
      return calls.cancelled;
    }
  };
  [[nodiscard]] Manual manual() { return {*calls_}; }

  /// Compiles a document with these tasks (YAML below `do:`).
  [[nodiscard]] WorkflowId add(const std::string& name, std::string_view tasks) {
    const auto text = "document: {dsl: '1.0.0', namespace: test, name: " + name + ", version: '1.0.0'}\ndo:" + std::string(tasks) + "\n";
    auto checked = dsl::compile(std::string_view(text), compile_with_ != nullptr ? *compile_with_ : functions_);
    for (const auto& finding : checked.findings) ADD_FAILURE() << finding.pointer << ": " << finding.message;
    const auto id = WorkflowId::make(clock_.now(), random_);
    const std::lock_guard lock(plans_mutex_);
    plans_[id] = checked.value.value();
    return id;
  }
  /// Lets documents call a function that is not there when they run.
  void allow_unknown(const std::string& name) {
    compile_with_ = std::make_unique<FunctionRegistry>();
    compile_with_->add(std::make_unique<InlineFunction>(name, false, [](const Invocation&) { return Outcome::success({}); }));
  }

  [[nodiscard]] StartRequest request(const WorkflowId& workflow) {
    StartRequest request;
    const std::lock_guard lock(plans_mutex_);
    request.plan = plans_.at(workflow);
    at_hand_.insert(workflow);
    request.organization = organization_;
    request.workflow = workflow;
    request.trigger = json::Value::object({{"type", "manual"}});
    return request;
  }
  [[nodiscard]] RunView execute(StartRequest request) {
    const auto end = std::make_shared<std::promise<RunView>>();
    engine_->start_run(std::move(request), {}, [end](const RunView& view) { end->set_value(view); });
    return get(end->get_future());
  }
  [[nodiscard]] RunView execute(const WorkflowId& workflow, json::Value input) {
    auto start = request(workflow);
    start.input = std::move(input);
    return execute(std::move(start));
  }
  /// Answers when the start is durable.
  [[nodiscard]] RunId start(const WorkflowId& workflow, json::Value input) {
    auto start = request(workflow);
    start.input = std::move(input);
    return this->start(std::move(start));
  }
  [[nodiscard]] RunId start(StartRequest start) {
    const auto started = std::make_shared<std::promise<RunId>>();
    engine_->start_run(std::move(start), [started](Result<RunId> id) { started->set_value(id.value()); }, {});
    return get(started->get_future());
  }

  /// Who saved it may not let runs destroy (any more).
  void distrust(const WorkflowId& workflow, bool distrusted) {
    const std::lock_guard lock(plans_mutex_);
    distrusted ? static_cast<void>(distrusted_.insert(workflow)) : static_cast<void>(distrusted_.erase(workflow));
  }

  [[nodiscard]] Result<RunView> view(const RunId& run, bool with_tasks) { return view_as(organization_, run, with_tasks); }
  [[nodiscard]] Result<RunView> view_as(const OrganizationId& organization, const RunId& run, bool with_tasks = false) {
    const auto seen = std::make_shared<std::promise<Result<RunView>>>();
    engine_->view(organization, run, with_tasks, [seen](Result<RunView> view) { seen->set_value(std::move(view)); });
    return get(seen->get_future());
  }
  [[nodiscard]] Result<OrganizationId> owner(const RunId& run) {
    const auto seen = std::make_shared<std::promise<Result<OrganizationId>>>();
    engine_->owner(run, [seen](Result<OrganizationId> owner) { seen->set_value(std::move(owner)); });
    return get(seen->get_future());
  }
  [[nodiscard]] Result<void> cancel(const RunId& run) { return cancel(run, Engine::CancelBy::person); }
  [[nodiscard]] Result<void> cancel(const RunId& run, Engine::CancelBy by) {
    return acknowledged([&](Engine::Acknowledged done) { engine_->cancel(organization_, run, "the test wants it", std::move(done), by); });
  }
  [[nodiscard]] Result<void> suspend(const RunId& run) {
    return acknowledged([&](Engine::Acknowledged done) { engine_->suspend(organization_, run, std::move(done)); });
  }
  [[nodiscard]] Result<void> resume(const RunId& run) {
    return acknowledged([&](Engine::Acknowledged done) { engine_->resume(organization_, run, std::move(done)); });
  }
  [[nodiscard]] Result<void> retry(const RunId& run, const RetryRequested& request, const json::Value& requester = {}) {
    return acknowledged([&](Engine::Acknowledged done) { engine_->retry(organization_, run, request, std::move(done), requester); });
  }
  [[nodiscard]] Result<void> decide(const RunId& run, const ApprovalDecision& decision) {
    return acknowledged([&](Engine::Acknowledged done) { engine_->decide(organization_, run, decision, std::move(done)); });
  }
  /// Of the inbox: `status digest` of each question of a run, in order.
  [[nodiscard]] std::vector<std::string> questions(const RunId& run) {
    std::vector<std::string> found;
    const auto read = database_->read([&](storage::Session& session) {
      return session.query("select status, digest from approvals where run_id = $1 order by number", {run},
                           [&](const storage::Row& row) { found.push_back(std::string(row.text(0)) + " " + std::string(row.text(1))); });
    });
    EXPECT_FALSE(read.has_error());
    return found;
  }
  [[nodiscard]] Result<RunId> fork(const RunId& run, const Engine::ForkRequest& request) {
    const auto forked = std::make_shared<std::promise<Result<RunId>>>();
    engine_->fork(organization_, run, request, [forked](Result<RunId> id) { forked->set_value(std::move(id)); });
    return get(forked->get_future());
  }
  /// Dead letters: id and input.
  [[nodiscard]] std::vector<std::string> letters() {
    std::vector<std::string> found;
    const auto read = database_->read([&](storage::Session& session) {
      return session.query("select id, input from dead_letters order by id", {}, [&](const storage::Row& row) {
        found.push_back(row.id<RunId>(0).to_string() + " " + std::string(row.text(1)));
      });
    });
    EXPECT_FALSE(read.has_error());
    return found;
  }
  [[nodiscard]] std::int64_t undelivered_events() {
    std::int64_t count = 0;
    const auto read = database_->read([&](storage::Session& session) {
      return session.query("select count(*) from lifecycle_events", {}, [&](const storage::Row& row) { count = row.integer(0); });
    });
    EXPECT_FALSE(read.has_error());
    return count;
  }
  [[nodiscard]] Result<void> publish(const json::Value& event) {
    return acknowledged([&](Engine::Acknowledged done) { engine_->publish(organization_, event, std::move(done)); });
  }
  [[nodiscard]] RunPage list(const RunFilter& filter) { return engine_->list(filter).value(); }
  [[nodiscard]] std::vector<std::vector<RunView>> newest(const OrganizationId& organization, const std::vector<WorkflowId>& workflows,
                                                         std::uint32_t each) {
    return engine_->newest(organization, workflows, each).value();
  }

  /// Subscribes, so that nothing has to be asked again and again.
  [[nodiscard]] RunView wait_for_end(const RunId& run) {
    Updates updates;
    const auto subscription = engine_->subscribe(run, 0, updates.taker());
    updates.wait_until([](const std::vector<RunUpdate>& all) { return !all.empty() && all.back().phase && is_final(*all.back().phase); });
    engine_->unsubscribe(run, subscription);
    return view(run, true).value();
  }
  void wait_until_asleep() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (engine_->statistics().runs_in_memory > 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  [[nodiscard]] std::string wait_for_fatal() { return get(fatal_.get_future()); }

  [[nodiscard]] Result<dsl::PlanPtr> plan(const WorkflowId& workflow, std::uint32_t /*version*/) override {
    const std::lock_guard lock(plans_mutex_);
    if (on_shard() && !booting_) {
      EXPECT_TRUE(at_hand_.contains(workflow)) << "a shard waits for a plan that is read";
    } else {
      at_hand_.insert(workflow);
    }
    const auto found = plans_.find(workflow);
    if (hidden_ || found == plans_.end()) return Error{ErrorClass::not_found, "workflow.not_found", "the workflow is not there"};
    return found->second;
  }
  [[nodiscard]] Result<Resolved> find(const OrganizationId& /*organization*/, std::string_view /*namespace_name*/, std::string_view name,
                                      std::string_view /*version*/) override {
    expect_no_shard();
    std::unique_lock lock(plans_mutex_);
    ++lookups_;
    lookups_changed_.notify_all();
    lookups_changed_.wait(lock, [this] { return !lookups_held_; });
    for (const auto& [id, plan] : plans_) {
      if (plan->name != name) continue;
      at_hand_.insert(id);
      return Resolved{id, 1, plan};
    }
    return Error{ErrorClass::not_found, "workflow.not_found", "the workflow is not there"};
  }
  [[nodiscard]] bool author_may_destroy(const OrganizationId& organization, const WorkflowId& workflow, std::uint32_t version) override {
    EXPECT_EQ(organization, organization_);
    EXPECT_EQ(version, 1U);
    expect_no_shard();
    const std::lock_guard lock(plans_mutex_);
    return !distrusted_.contains(workflow);
  }

  /// Looking a workflow up by its name takes as long as the test likes.
  void hold_lookups(bool held) {
    const std::lock_guard lock(plans_mutex_);
    lookups_held_ = held;
    lookups_changed_.notify_all();
  }
  void wait_for_lookup(std::size_t count) {
    std::unique_lock lock(plans_mutex_);
    ASSERT_TRUE(lookups_changed_.wait_for(lock, kPatience, [&] { return lookups_ >= count; }));
  }

 private:
  /// What may read storage is not asked where all runs of a shard would wait for it.
  void expect_no_shard() const { EXPECT_FALSE(on_shard()); }
  [[nodiscard]] bool on_shard() const {
    for (std::size_t i = 0; i < threads_->size(); ++i) {
      if (threads_->on_thread(i)) return true;
    }
    return false;
  }
  template <class T>
  [[nodiscard]] static T get(std::future<T> future) {
    if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no answer came in time");
    return future.get();
  }
  template <class Ask>
  [[nodiscard]] static Result<void> acknowledged(Ask ask) {
    const auto answer = std::make_shared<std::promise<Result<void>>>();
    ask([answer](Result<void> result) { answer->set_value(std::move(result)); });
    return get(answer->get_future());
  }

  std::filesystem::path folder_;
  SystemClock clock_;
  SystemRandom random_;
  OrganizationId organization_;
  FunctionRegistry functions_;
  std::unique_ptr<FunctionRegistry> compile_with_;
  std::shared_ptr<ManualFunction::Calls> calls_ = std::make_shared<ManualFunction::Calls>();
  std::atomic<std::size_t> noops_{0};
  std::mutex plans_mutex_;
  std::map<WorkflowId, dsl::PlanPtr> plans_;
  std::set<WorkflowId> at_hand_;      ///< of these the plan was read since the boot, beside the shards
  std::atomic<bool> booting_{false};  ///< unfinished runs are read: nobody waits for a shard yet
  std::set<WorkflowId> distrusted_;
  std::condition_variable lookups_changed_;
  std::size_t lookups_ = 0;
  bool lookups_held_ = false;
  std::atomic<bool> hidden_{false};
  std::uint32_t max_pages_ = 0;
  EngineOptions options_;
  json::Value secrets_;
  RunObserver* observer_ = nullptr;
  std::function<void(Engine&)> before_start_;
  std::promise<std::string> fatal_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<async::IoThreads> threads_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace pawl::engine
