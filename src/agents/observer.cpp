#include "agents/observer.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "agents/error_kind.hpp"
#include "engine/engine.hpp"

namespace pawl::agents {
namespace {

using engine::Phase;

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kRecentViews = 30;  // of one workflow
constexpr std::size_t kPastViews = 30;

/// What the model calls of a run cost, as their records say. Null where it made none of known price.
std::optional<double> cost_of(const engine::RunView& run) {
  std::optional<double> sum;
  for (const auto& task : run.tasks) {
    // An agent's own record adds up those of its turns.
    if (!task.record.output.is_object() || !task.record.output.get("turns").is_null()) continue;
    const auto& cost = task.record.output.get("cost");
    if (cost.is_number() && task.record.output.get("usage").is_object()) sum = sum.value_or(0) + cost.as_double();
  }
  return sum;
}

RunFacts facts_of(const engine::RunView& view) {
  RunFacts facts;
  facts.run = view.id;
  facts.workflow = view.workflow;
  facts.workflow_name = view.workflow_name;
  facts.phase = view.phase;
  facts.created_at = view.created_at;
  facts.ended_at = view.ended_at;
  facts.waiting_reason = view.waiting_reason;
  return facts;
}

/// Collects what views say, until the last has answered.
struct Gathering {
  std::mutex mutex;
  std::vector<RunFacts> runs;  // guarded by mutex while views are under way
  std::size_t under_way = 1;   // likewise; the one is the caller's
  Observation observation;
  Observer::Done done;

  void answered(std::size_t index, const Result<engine::RunView>& view) {
    {
      const std::lock_guard lock(mutex);
      if (view.has_value()) {
        runs[index].error = error_kind(view->error);
        runs[index].cost = cost_of(*view);
      }
    }
    one_less();
  }
  void one_less() {
    {
      const std::lock_guard lock(mutex);
      if (--under_way > 0) return;
    }
    observation.anomalies = find_anomalies(runs, observation.since, observation.until);
    done(std::move(observation));
  }
};

/// Which runs are read: the newest ended ones of each workflow, on both sides of `since`.
std::vector<std::size_t> chosen(const std::vector<RunFacts>& runs, TimePoint since) {
  std::map<WorkflowId, std::pair<std::size_t, std::size_t>> counts;
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < runs.size() && result.size() < kMostViews; ++i) {
    if (!runs[i].ended_at) continue;
    auto& [recent, past] = counts[runs[i].workflow];
    const bool is_recent = runs[i].created_at >= since;
    auto& count = is_recent ? recent : past;
    // Failures tell more than what went well: they are read beyond the number.
    if (count >= (is_recent ? kRecentViews : kPastViews) && runs[i].phase != Phase::faulted) continue;
    ++count;
    result.push_back(i);
  }
  return result;
}

}  // namespace

void Observer::look(const OrganizationId& organization, const Stretch& stretch, Done done) const {
  const auto gathering = std::make_shared<Gathering>();
  auto& observation = gathering->observation;
  observation.until = clock_.now();
  observation.since = observation.until - stretch.length;
  observation.past_since = observation.since - stretch.length * kPastStretches;
  const auto list = [&](engine::RunFilter filter) -> Result<void> {
    filter.organization = organization;
    filter.workflow = stretch.workflow;
    filter.limit = kPage;
    do {
      PAWL_TRY(page, engine_.list(filter));
      for (const auto& view : page.runs) {
        // Open runs come with the second list, whenever they began.
        if (!view.dry_run && engine::is_final(view.phase) == filter.since.has_value()) gathering->runs.push_back(facts_of(view));
      }
      filter.before = page.next;
      if (gathering->runs.size() >= kMostRuns) observation.complete = observation.complete && !filter.before;
    } while (filter.before && gathering->runs.size() < kMostRuns);
    return {};
  };
  if (const auto ended = list({.phases = {Phase::completed, Phase::faulted, Phase::cancelled}, .since = observation.past_since});
      ended.has_error()) {
    return done(ended.error());
  }
  if (const auto open = list({.phases = {Phase::pending, Phase::running, Phase::waiting, Phase::suspended}}); open.has_error()) {
    return done(open.error());
  }
  for (const auto& run : gathering->runs) {
    const bool is_past = run.created_at < observation.since && engine::is_final(run.phase);
    ++(is_past ? observation.past_runs : observation.runs);
    if (!is_past && run.phase == Phase::faulted) ++observation.failed;
  }
  gathering->done = std::move(done);
  const auto views = chosen(gathering->runs, observation.since);
  gathering->under_way += views.size();
  // Copies: what answers early writes into the list that is read here.
  std::vector<RunId> ids;
  ids.reserve(views.size());
  for (const auto index : views) ids.push_back(gathering->runs[index].run);
  for (std::size_t i = 0; i < views.size(); ++i) {
    engine_.view(organization, ids[i], true,
                 [gathering, index = views[i]](const Result<engine::RunView>& view) { gathering->answered(index, view); });
  }
  gathering->one_less();
}

}  // namespace pawl::agents
