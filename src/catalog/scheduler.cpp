#include "catalog/scheduler.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/core.h>

#include "catalog/bounded_cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/detail/schedule_entry.hpp"
#include "catalog/detail/schedule_events.hpp"
#include "catalog/detail/schedule_folder.hpp"
#include "catalog/detail/schedule_rows.hpp"
#include "catalog/detail/schedule_starts.hpp"
#include "catalog/file_watch.hpp"
#include "catalog/watched_folders.hpp"
#include "engine/engine.hpp"
#include "engine/lifecycle.hpp"
#include "notify/notice.hpp"
#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

using detail::ScheduleFolder;
using detail::ScheduleRow;
using Entry = detail::ScheduleEntry;

constexpr std::size_t kMaxQueuedJobs = 10'000;
constexpr std::size_t kCachedOwners = 1000;
/// The longest sleep: a wall clock that is set forward is noticed after this.
constexpr Millis kLongestSleep{10'000};
/// How often a folder is looked for that cannot be watched.
constexpr Millis kFolderPatience{10'000};

Error not_found(const ScheduleId& id) {
  return {ErrorClass::not_found, "schedule.not_found", fmt::format("There is no schedule {}.", id.to_string())};
}

Error stopped() { return {ErrorClass::unavailable, "scheduler.stopped", "The scheduler is not running."}; }

notify::Notice misfired(const ScheduleRow& row, TimePoint now) {
  notify::Notice notice;
  notice.organization = row.organization;
  notice.kind = "schedule.misfired";
  notice.subject = row.id.to_string();
  notice.title = "A schedule has missed its time";
  notice.data = json::Value::object({{"schedule_id", row.id.to_string()}, {"workflow_id", row.workflow.to_string()}});
  notice.at = now;
  return notice;
}

}  // namespace

struct Scheduler::Impl {
  using Job = std::function<void()>;

  explicit Impl(Dependencies parts) : d(std::move(parts)) {}

  Dependencies d;
  BoundedCache<ScheduleId, std::optional<OrganizationId>> owners{kCachedOwners};
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> jobs;
  bool stopping = false;
  std::atomic<bool> listing_lost = false;  ///< of some folder: the queue was full
  std::thread thread;
  // Below: the scheduler's thread only.
  detail::ScheduleEntries entries;
  detail::ScheduleStarts starts{{
      .entries = entries,
      .engine = d.engine,
      .catalog = d.catalog,
      .clock = d.clock,
      .secrets = d.secrets,
      .post = [this](Job job) { return post(std::move(job)); },
      .ended = [this](const ScheduleId& id, const RunId& run) { ended(id, run); },
      .report = [this](const Entry& entry, std::string_view sentence) { report(entry, sentence); },
  }};
  std::vector<notify::Notice> notices;  // stored with the next progress

  bool post(Job job);
  void run();
  void take_jobs(Millis patience);
  [[nodiscard]] Millis sleep_time() const;

  [[nodiscard]] Result<void> load(std::optional<WorkflowId> workflow);
  void adopt(ScheduleRow row);
  [[nodiscard]] bool take_plan(Entry& entry) const;
  void fire_due();
  void apply(Entry& entry, const ScheduleDecision& decision, const json::Value& input, const json::Value& cause = {});
  [[nodiscard]] Result<void> persist();
  void ended(const ScheduleId& id, const RunId& run);
  void offer(const OrganizationId& organization, const json::Value& event, const std::function<void(Result<void>)>& done);
  void report(const Entry& entry, std::string_view what) const;

  [[nodiscard]] Result<void> open_folder(Entry& entry);
  void forget_folder(const Entry& entry);
  void listed(const ScheduleId& id, const Result<std::vector<WatchedFile>>& listing);
  void look_at_folders();
  void look_soon(Entry& entry, Millis patience);
  void has_problem(Entry& entry, std::string_view problem);
};

bool Scheduler::Impl::post(Job job) {
  {
    const std::lock_guard lock(mutex);
    if (stopping || jobs.size() >= kMaxQueuedJobs) return false;
    jobs.push_back(std::move(job));
  }
  wake.notify_one();
  return true;
}

void Scheduler::Impl::report(const Entry& entry, std::string_view what) const {
  if (d.report) d.report(fmt::format("schedule {} of workflow {}: {}", entry.row.id.to_string(), entry.row.workflow.to_string(), what));
}

Millis Scheduler::Impl::sleep_time() const {
  Millis patience = starts.needs_retry() ? detail::kRetryEvery : kLongestSleep;
  const auto now = d.clock.now();
  for (const auto& [id, entry] : entries) {
    if (entry.folder && entry.folder->look_at()) patience = std::min(patience, *entry.folder->look_at() - now);
    if (!entry.row.enabled || !entry.row.progress.times.next_due) continue;
    patience = std::min(patience, *entry.row.progress.times.next_due - now);
  }
  return std::max(patience, Millis(0));
}

void Scheduler::Impl::take_jobs(Millis patience) {
  std::deque<Job> taken;
  {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, patience, [this] { return stopping || !jobs.empty(); });
    taken.swap(jobs);
  }
  for (auto& job : taken) job();
}

void Scheduler::Impl::run() {
  for (;;) {
    take_jobs(sleep_time());
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
    }
    fire_due();
    look_at_folders();
    starts.retry_when_due(d.clock.now());
    if (const auto stored = persist(); stored.has_error()) {
      // Nothing starts that is not durable; the decision stays in memory and is stored with the next attempt.
      if (d.report) d.report("schedules cannot be stored: " + stored.error().message);
      continue;
    }
    starts.begin_pending();
  }
}

Result<void> Scheduler::Impl::load(std::optional<WorkflowId> workflow) {
  auto rows = d.database.read([&](storage::Session& session) { return detail::load_schedule_rows(session, workflow); });
  if (rows.has_error()) return rows.error();
  if (workflow) {
    std::erase_if(entries, [&](const auto& item) {
      if (item.second.row.workflow != *workflow) return false;
      const bool gone = std::none_of(rows->begin(), rows->end(), [&](const ScheduleRow& row) { return row.id == item.first; });
      if (gone) forget_folder(item.second);
      return gone;
    });
  }
  for (auto& row : *rows) adopt(std::move(row));
  return {};
}

/// Events are matched by the current version. False where there is nothing to match; that was reported.
bool Scheduler::Impl::take_plan(Entry& entry) const {
  if (entry.row.spec.kind != "on") return true;
  auto executable = d.catalog.executable(entry.row.organization, entry.row.workflow);
  if (executable.has_error()) {
    report(entry, executable.error().message);
    return false;
  }
  const auto& plan = (*executable)->plan;
  if (!plan->schedule || !plan->schedule->on) {
    report(entry, "the document does not wait for events");
    return false;
  }
  entry.plan = plan;
  if (detail::follows_lifecycle(*plan->schedule->on)) d.engine.follow_lifecycle(entry.row.organization);
  return true;
}

/// Takes a row into memory; of one that is there already only what others may change.
void Scheduler::Impl::adopt(ScheduleRow row) {
  if (const auto known = entries.find(row.id); known != entries.end()) {
    auto& entry = known->second;
    if (!take_plan(entry)) return;
    if (entry.row.enabled != row.enabled) {
      entry.row.enabled = row.enabled;
      entry.row.progress.times.next_due = row.progress.times.next_due;
      look_soon(entry, Millis(0));
    }
    return;
  }
  Entry entry;
  entry.row = std::move(row);
  auto policy = policy_of(entry.row.spec, entry.row.created_at);
  if (policy.has_error()) return report(entry, policy.error().message);
  entry.policy = std::move(*policy);
  if (!take_plan(entry)) return;
  if (const auto opened = open_folder(entry); opened.has_error()) return report(entry, opened.error().message);
  entry.watched = entry.row.progress.times.running;
  const auto id = entry.row.id;
  const auto& kept = entries.emplace(id, std::move(entry)).first->second;
  if (!kept.folder) return;
  auto told = [this, id](Result<std::vector<WatchedFile>> listing, std::shared_ptr<const void> hold) {
    if (!post([this, id, listing = std::move(listing), hold = std::move(hold)] { listed(id, listing); })) listing_lost = true;
  };
  d.catalog.folders()->follow(id, kept.row.organization, kept.folder->wish(), std::move(told));
}

void Scheduler::Impl::fire_due() {
  const auto now = d.clock.now();
  for (auto& [id, entry] : entries) {
    if (!entry.row.enabled) continue;
    const auto& due = entry.row.progress.times.next_due;
    if (!due || *due > now) continue;
    auto& times = entry.row.progress.times;
    const bool late = now - *due > kMisfireGrace;
    const auto skipped = times.skipped;
    apply(entry, on_time(entry.policy, times, now), json::Value::object());
    if (late && times.skipped > skipped) notices.push_back(misfired(entry.row, now));
  }
}

/// Turns a decision into pending starts. They begin once they are durable.
void Scheduler::Impl::apply(Entry& entry, const ScheduleDecision& decision, const json::Value& input, const json::Value& cause) {
  entry.dirty = true;
  for (const auto& run : decision.cancel) {
    d.engine.cancel(entry.row.organization, run, "replaced by the next scheduled run", [](const Result<void>&) {});
  }
  for (const auto due : decision.start) {
    const auto run = RunId::make(d.clock.now(), d.random);
    entry.row.progress.pending.push_back({run, due, input, cause});
    if (entry.tracks_runs()) entry.row.progress.times.running.push_back(run);
  }
}

Result<void> Scheduler::Impl::persist() {
  std::vector<Entry*> changed;
  for (auto& [id, entry] : entries) {
    if (entry.dirty) changed.push_back(&entry);
  }
  if (changed.empty()) return {};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(starts.store(transaction));
    for (const auto& notice : notices) PAWL_TRY_VOID(notify::store(transaction, notice));
    for (const auto* entry : changed) {
      PAWL_TRY_VOID(detail::store_progress(transaction, entry->row.id, entry->row.progress));
      if (entry->folder) PAWL_TRY_VOID(entry->folder->store(transaction, entry->row.id));
    }
    return {};
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  for (auto* entry : changed) {
    entry->dirty = false;
    if (entry->folder) entry->folder->stored();
  }
  starts.stored();
  notices.clear();
  return {};
}

void Scheduler::Impl::ended(const ScheduleId& id, const RunId& run) {
  const auto it = entries.find(id);
  if (it == entries.end()) return;
  auto& entry = it->second;
  std::erase(entry.watched, run);
  if (!entry.tracks_runs()) return;
  apply(entry, on_ended(entry.policy, entry.row.progress.times, run, d.clock.now()), json::Value::object());
  look_soon(entry, Millis(0));
}

void Scheduler::Impl::offer(const OrganizationId& organization, const json::Value& event, const std::function<void(Result<void>)>& done) {
  const auto now = d.clock.now();
  const detail::OfferedEvent offered(event);
  for (auto& [id, entry] : entries) {
    if (entry.row.organization != organization) continue;
    const auto outcome = detail::offer(offered, entry, now);
    if (outcome.kind == detail::EventOutcome::Kind::in_circle) {
      report(entry, fmt::format("not started: {} ends of workflows have led to this one, perhaps in a circle", engine::kMaxChain));
    }
    if (!outcome.input) continue;
    entry.row.progress.times.last_fired = now;
    ScheduleDecision start;
    start.start.push_back(now);
    apply(entry, start, *outcome.input, offered.cause);
  }
  if (done) done(persist());
}

// ---- files ------------------------------------------------------------------------------------------------------------------------

Result<void> Scheduler::Impl::open_folder(Entry& entry) {
  if (entry.row.spec.kind != "files") return {};
  if (d.catalog.folders() == nullptr) return Error(ErrorClass::unavailable, "schedule.files", "no folder can be watched here");
  PAWL_TRY(folder, ScheduleFolder::open(d.database, entry.row));
  entry.folder = std::move(folder);
  return {};
}

void Scheduler::Impl::forget_folder(const Entry& entry) {
  if (entry.folder) d.catalog.folders()->forget(entry.row.id);
}

void Scheduler::Impl::look_soon(Entry& entry, Millis patience) {
  if (entry.folder) entry.folder->look_soon(d.clock.now() + patience);
}

void Scheduler::Impl::look_at_folders() {
  const auto now = d.clock.now();
  const bool lost = listing_lost.exchange(false);
  for (auto& [id, entry] : entries) {
    if (lost) look_soon(entry, detail::kRetryEvery);
    if (entry.folder && entry.folder->take_look(now)) d.catalog.folders()->look(id);
  }
}

void Scheduler::Impl::has_problem(Entry& entry, std::string_view problem) {
  if (entry.row.progress.problem == problem) return;
  if (!problem.empty()) report(entry, problem);
  entry.row.progress.problem = problem;
  entry.dirty = true;
}

void Scheduler::Impl::listed(const ScheduleId& id, const Result<std::vector<WatchedFile>>& listing) {
  const auto it = entries.find(id);
  if (it == entries.end()) return;
  auto& entry = it->second;
  if (listing.has_error()) {
    has_problem(entry, listing.error().message);
    return look_soon(entry, kFolderPatience);
  }
  has_problem(entry, {});
  if (!entry.row.enabled) return;  // what happens meanwhile is found when it is resumed
  entry.folder->take(*listing, entry.row, entry.policy, d.clock.now(), [&](const ScheduleDecision& decision, const FileChange& change) {
    apply(entry, decision, input_of(change), json::Value::object({{"event", to_text(change.event)}, {"path", change.path}}));
  });
  if (entry.folder->has_changes()) entry.dirty = true;
}

// ---- outside ----------------------------------------------------------------------------------------------------------------------

Scheduler::Scheduler(Dependencies dependencies) : impl_(std::make_unique<Impl>(std::move(dependencies))) {}
Scheduler::~Scheduler() { stop(); }

Result<void> Scheduler::start() {
  PAWL_TRY_VOID(impl_->load(std::nullopt));
  impl_->starts.ask_about_all();
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  return {};
}

void Scheduler::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
  for (const auto& [id, entry] : impl_->entries) impl_->forget_folder(entry);
}

void Scheduler::changed(const WorkflowId& workflow) {
  impl_->owners.clear();
  static_cast<void>(impl_->post([impl = impl_.get(), workflow] {
    if (const auto loaded = impl->load(workflow); loaded.has_error() && impl->d.report) impl->d.report(loaded.error().message);
  }));
}

void Scheduler::take_event(const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done) {
  const auto shared = std::make_shared<std::function<void(Result<void>)>>(std::move(done));
  const bool taken =
      impl_->post([impl = impl_.get(), organization, event = std::move(event), shared] { impl->offer(organization, event, *shared); });
  if (!taken && *shared) (*shared)(stopped());
}

std::optional<OrganizationId> Scheduler::cached_owner(const ScheduleId& id) const { return impl_->owners.get(id); }

Result<OrganizationId> Scheduler::owner(const ScheduleId& id) {
  if (const auto known = cached_owner(id)) return *known;
  const auto generation = impl_->owners.generation();
  auto found = impl_->d.database.read([&](storage::Session& session) { return detail::load_schedule_owner(session, id); });
  if (found.has_error()) return found.error();
  if (!*found) return not_found(id);
  impl_->owners.put(id, *found, generation);
  return **found;
}

Result<SchedulePage> Scheduler::list(const OrganizationId& organization, const ScheduleFilter& filter) {
  auto views =
      impl_->d.database.read([&](storage::Session& session) { return detail::load_schedule_views(session, organization, filter); });
  if (views.has_error()) return views.error();
  SchedulePage page;
  page.schedules = std::move(*views);
  if (page.schedules.size() > filter.limit) {
    page.schedules.pop_back();
    page.next = page.schedules.back().id;
  }
  return page;
}

Result<ScheduleView> Scheduler::get(const OrganizationId& organization, const ScheduleId& id) {
  auto view = impl_->d.database.read([&](storage::Session& session) { return detail::load_schedule_view(session, organization, id); });
  if (view.has_error()) return view.error();
  if (!*view) return not_found(id);
  return std::move(**view);
}

Result<ScheduleView> Scheduler::change(const OrganizationId& organization, const ScheduleId& id, bool enabled) {
  std::optional<WorkflowId> workflow;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(found, detail::set_enabled(transaction, organization, id, enabled, impl_->d.clock.now()));
    workflow = found;
    return {};
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  if (!workflow) return not_found(id);
  changed(*workflow);
  return get(organization, id);
}

}  // namespace pawl::catalog
