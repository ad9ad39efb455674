#include "observe/health.hpp"

#include <fmt/core.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace pawl::observe {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
constexpr std::size_t kMostWaiting = 256;

Millis millis(std::chrono::steady_clock::duration duration) { return std::chrono::duration_cast<Millis>(duration); }

}  // namespace

std::string_view to_text(HealthStatus status) {
  switch (status) {
    case HealthStatus::ok: return "ok";
    case HealthStatus::warning: return "warning";
    case HealthStatus::failed: return "failed";
    case HealthStatus::not_configured: return "not_configured";
  }
  return "";
}

struct Health::Impl {
  /// A check and its thread. Everything but `check` is guarded by the mutex.
  struct Worker {
    explicit Worker(HealthCheck a_check) : check(std::move(a_check)) {}
    const HealthCheck check;
    bool wanted = false;
    bool running = false;
    SteadyTime began{};
    std::optional<CheckResult> last;
    Millis latency{};
    SteadyTime ended{};
    std::thread thread;
  };

  std::mutex mutex;
  std::condition_variable wake;      ///< of the workers
  std::condition_variable progress;  ///< of the reporter
  std::vector<std::unique_ptr<Worker>> workers;
  std::deque<std::function<void(const HealthReport&)>> waiting;
  std::thread reporter;
  bool stopping = false;

  void work(Worker& worker) {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stopping || worker.wanted; });
      if (stopping) return;
      worker.wanted = false;
      worker.running = true;
      worker.began = std::chrono::steady_clock::now();
      lock.unlock();
      auto result = worker.check.run();
      lock.lock();
      worker.running = false;
      worker.ended = std::chrono::steady_clock::now();
      worker.latency = millis(worker.ended - worker.began);
      if (worker.latency > worker.check.timeout && result.status != HealthStatus::not_configured) {
        result = {HealthStatus::failed, fmt::format("took {} ms, allowed are {} ms", worker.latency.count(), worker.check.timeout.count())};
      }
      worker.last = std::move(result);
      progress.notify_all();
    }
  }

  /// Asks every check that has no fresh answer and waits until all have answered or their time is up.
  HealthReport collect(std::unique_lock<std::mutex>& lock) {
    const auto now = std::chrono::steady_clock::now();
    auto deadline = now;
    for (const auto& worker : workers) {
      const bool fresh = worker->last && now - worker->ended < kFreshness;
      if (!fresh && !worker->running) worker->wanted = true;
      if (!fresh) deadline = std::max(deadline, (worker->running ? worker->began : now) + worker->check.timeout);
    }
    wake.notify_all();
    const auto settled = [&](const Worker& worker) {
      if (!worker.wanted && !worker.running) return true;
      const auto began = worker.running ? worker.began : now;
      return std::chrono::steady_clock::now() >= began + worker.check.timeout;
    };
    progress.wait_until(lock, deadline, [&] {
      for (const auto& worker : workers) {
        if (!settled(*worker)) return stopping;
      }
      return true;
    });
    HealthReport report;
    for (const auto& worker : workers) report.items.push_back(item_of(*worker));
    for (const auto& item : report.items) {
      report.ready = report.ready && !(item.needed && item.result.status == HealthStatus::failed);
      report.warning = report.warning || item.result.status == HealthStatus::warning || item.result.status == HealthStatus::failed;
    }
    return report;
  }

  static HealthReport::Item item_of(const Worker& worker) {
    HealthReport::Item item{worker.check.name, worker.check.needed, {}, worker.latency};
    if (worker.running || worker.wanted || !worker.last) {
      item.result = {HealthStatus::failed, fmt::format("no answer within {} ms", worker.check.timeout.count())};
      item.latency = worker.running ? millis(std::chrono::steady_clock::now() - worker.began) : Millis(0);
    } else {
      item.result = *worker.last;
    }
    return item;
  }

  void answer() {
    std::unique_lock lock(mutex);
    for (;;) {
      progress.wait(lock, [&] { return stopping || !waiting.empty(); });
      if (waiting.empty()) return;
      const auto report = collect(lock);
      std::deque<std::function<void(const HealthReport&)>> askers;
      askers.swap(waiting);
      lock.unlock();
      for (const auto& done : askers) done(report);
      lock.lock();
    }
  }
};

Health::Health() : impl_(std::make_unique<Impl>()) {}

Health::~Health() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->progress.notify_all();
  if (impl_->reporter.joinable()) impl_->reporter.join();
  for (const auto& worker : impl_->workers) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void Health::add(HealthCheck check) { impl_->workers.push_back(std::make_unique<Impl::Worker>(std::move(check))); }

void Health::start() {
  for (const auto& worker : impl_->workers) worker->thread = std::thread([this, &worker = *worker] { impl_->work(worker); });
  impl_->reporter = std::thread([this] { impl_->answer(); });
}

void Health::report(std::function<void(const HealthReport&)> done) {
  {
    const std::unique_lock lock(impl_->mutex);
    if (!impl_->stopping && impl_->reporter.joinable() && impl_->waiting.size() < kMostWaiting) {
      impl_->waiting.push_back(std::move(done));
      impl_->progress.notify_all();
      return;
    }
  }
  HealthReport busy;
  busy.ready = false;
  busy.items.push_back({"health", true, {HealthStatus::failed, "too many ask at once, or the program is stopping"}, Millis(0)});
  done(busy);
}

}  // namespace pawl::observe
