#include "local_engine.hpp"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "base/assert.hpp"
#include "functions/functions.hpp"
#include "net/curl_outbound.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"

namespace pawl::conformance {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto pattern = (fs::temp_directory_path() / "pawl-conformance-XXXXXX").string();
    PAWL_ASSERT(::mkdtemp(pattern.data()) != nullptr, "the temporary folder must be writable");
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The workflows that scenarios define, for `run: workflow`.
class Workflows final : public engine::PlanSource {
 public:
  WorkflowId add(dsl::PlanPtr plan, const WorkflowId& id) {
    const std::lock_guard lock(mutex_);
    plans_.push_back({id, std::move(plan)});
    return id;
  }
  Result<dsl::PlanPtr> plan(const WorkflowId& workflow, std::uint32_t) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, plan] : plans_) {
      if (id == workflow) return plan;
    }
    return Error(ErrorClass::not_found, "workflow.not_found", "no such workflow");
  }
  Result<Resolved> find(const OrganizationId&, std::string_view namespace_name, std::string_view name, std::string_view version) override {
    const std::lock_guard lock(mutex_);
    for (auto entry = plans_.rbegin(); entry != plans_.rend(); ++entry) {
      const auto& plan = *entry->second;
      if (plan.namespace_name == namespace_name && plan.name == name && (version == "latest" || plan.version == version)) {
        return Resolved{entry->first, 1, entry->second};
      }
    }
    return Error(ErrorClass::not_found, "workflow.not_found",
                 "there is no workflow " + std::string(namespace_name) + "/" + std::string(name));
  }

  bool author_may_destroy(const OrganizationId&, const WorkflowId&, std::uint32_t) override { return true; }  // all are the scenario's

 private:
  std::mutex mutex_;
  std::vector<std::pair<WorkflowId, dsl::PlanPtr>> plans_;
};

/// A value that another thread delivers.
template <class T>
class Promise {
 public:
  void set(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    ready_.notify_all();
  }
  [[nodiscard]] std::optional<T> wait(std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, limit, [this] { return value_.has_value(); });
    return value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<T> value_;
};

constexpr std::chrono::seconds kAnswer{10};

net::AddressPolicy policy_of(const HostMap& hosts) {
  net::AddressPolicy policy;
  policy.allow_private = true;
  for (const auto& [from, to] : hosts) {
    const bool https = from.starts_with("https://");
    const auto mapped = policy.map_host(from + (https ? ":443" : ":80") + " -> " + to);
    PAWL_ASSERT(mapped.has_value(), "the host map must be well formed");
  }
  return policy;
}

storage::DatabaseOptions options_of(const fs::path& folder) {
  storage::DatabaseOptions options;
  options.folder = folder;
  return options;
}

}  // namespace

struct LocalEngine::Impl {
  explicit Impl(const HostMap& hosts) : outbound({.policy = policy_of(hosts)}) {
    auto opened = storage::Database::open(options_of(folder.path() / "data"));
    PAWL_ASSERT(opened.has_value(), "the database must open");
    database = std::move(opened).value();
    PAWL_ASSERT(storage::migrate_up(*database, clock).has_value(), "migrations must apply");
    functions::FunctionsOptions options;
    options.roots = {(folder.path()).string()};
    const auto added = functions::add_builtin_functions(registry, {outbound, pool, clock, random}, options);
    PAWL_ASSERT(added.has_value(), "the functions must register");
    threads.start();
    engine = std::make_unique<engine::Engine>(
        engine::Engine::Dependencies{.threads = threads,
                                     .database = *database,
                                     .functions = registry,
                                     .plans = workflows,
                                     .clock = clock,
                                     .random = random,
                                     .on_fatal = [](const Error& error) { PAWL_ASSERT(false, error.message.c_str()); },
                                     .secrets = {}},
        engine::EngineOptions{});
    PAWL_ASSERT(engine->start().has_value(), "the engine must start");
  }

  TemporaryFolder folder;
  SystemClock clock;
  SystemRandom random;
  async::IoThreads threads{2};
  async::BlockingPool pool{"conformance", 2, 1000};
  net::CurlOutbound outbound;
  std::unique_ptr<storage::Database> database;
  engine::FunctionRegistry registry;
  Workflows workflows;
  std::unique_ptr<engine::Engine> engine;
  OrganizationId organization = OrganizationId::make(clock.now(), random);
  std::mutex mutex;
  std::map<RunId, std::shared_ptr<Promise<bool>>> ended;
};

LocalEngine::LocalEngine(const HostMap& hosts) : impl_(std::make_unique<Impl>(hosts)) {}

LocalEngine::~LocalEngine() {
  impl_->engine->stop(Millis(1000));
  impl_->threads.stop();
  impl_->engine.reset();
}

const engine::FunctionRegistry& LocalEngine::functions() const { return impl_->registry; }

WorkflowId LocalEngine::add_workflow(dsl::PlanPtr plan) {
  return impl_->workflows.add(std::move(plan), WorkflowId::make(impl_->clock.now(), impl_->random));
}

RunId LocalEngine::start(const WorkflowId& workflow, const dsl::PlanPtr& plan, json::Value input) {
  auto ended = std::make_shared<Promise<bool>>();
  engine::StartRequest request;
  request.plan = plan;
  request.organization = impl_->organization;
  request.workflow = workflow;
  request.input = std::move(input);
  request.trigger = json::Value::object({{"type", "manual"}});
  const auto run = impl_->engine->start_run(std::move(request), {}, [ended](const engine::RunView&) { ended->set(true); });
  const std::lock_guard lock(impl_->mutex);
  impl_->ended[run] = std::move(ended);
  return run;
}

Result<engine::RunView> LocalEngine::wait(const RunId& run, std::chrono::seconds limit) {
  std::shared_ptr<Promise<bool>> ended;
  {
    const std::lock_guard lock(impl_->mutex);
    ended = impl_->ended[run];
  }
  const bool done = ended->wait(limit).has_value();
  auto answer = std::make_shared<Promise<Result<engine::RunView>>>();
  impl_->engine->view(impl_->organization, run, true, [answer](Result<engine::RunView> view) { answer->set(std::move(view)); });
  auto view = answer->wait(kAnswer);
  if (!view) return Error(ErrorClass::timeout, "conformance.timeout", "the engine does not answer");
  if (!done && view->has_value()) {
    return Error(ErrorClass::timeout, "conformance.timeout",
                 "the workflow did not end: " + std::string(engine::to_text(view->value().phase)) + ", " + view->value().waiting_reason);
  }
  return std::move(*view);
}

std::optional<std::string> LocalEngine::publish(const RunId& run, json::Value event) {
  const auto deadline = std::chrono::steady_clock::now() + kAnswer;
  while (true) {
    auto answer = std::make_shared<Promise<Result<engine::RunView>>>();
    impl_->engine->view(impl_->organization, run, false, [answer](Result<engine::RunView> view) { answer->set(std::move(view)); });
    const auto view = answer->wait(kAnswer);
    if (view && view->has_value() && view->value().phase == engine::Phase::waiting) break;
    if (std::chrono::steady_clock::now() > deadline) return "the workflow does not wait for events";
    std::this_thread::yield();
  }
  auto answer = std::make_shared<Promise<std::optional<std::string>>>();
  impl_->engine->publish(impl_->organization, std::move(event), [answer](Result<void> done) {
    answer->set(done.has_error() ? std::optional<std::string>(done.error().message) : std::nullopt);
  });
  return answer->wait(kAnswer).value_or("the engine does not answer");
}

std::optional<std::string> LocalEngine::cancel(const RunId& run) {
  auto answer = std::make_shared<Promise<std::optional<std::string>>>();
  impl_->engine->cancel(impl_->organization, run, "cancelled by the scenario", [answer](Result<void> done) {
    answer->set(done.has_error() ? std::optional<std::string>(done.error().message) : std::nullopt);
  });
  return answer->wait(kAnswer).value_or("the engine does not answer");
}

}  // namespace pawl::conformance
