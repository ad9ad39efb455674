#include "engine/run_statistics.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "engine/records.hpp"
#include "storage/database.hpp"

namespace pawl::engine {
namespace {

using storage::Row;
using storage::Session;

// Finished runs lie in the order of their keys, which begin with the time: each workflow of the organization is one stretch of an index.
constexpr std::string_view kEnded =
    "select (r.created_at - $1) / $2, r.phase, count(*) from run_workflows w cross join runs r "
    "where w.organization_id = $3 and r.workflow = w.ref and r.key >= $4 and r.key < $5 and (r.flags & 1) = 0 "
    "group by (r.created_at - $1) / $2, r.phase";
constexpr std::string_view kTimes =
    "select r.created_at, r.ended_after from run_workflows w cross join runs r "
    "where w.organization_id = $1 and r.workflow = w.ref and r.key >= $2 and r.key < $3 and (r.flags & 1) = 0 and r.phase = $4 "
    "order by r.key desc limit $5";
constexpr std::string_view kOpen =
    "select r.phase, count(*) from run_workflows w cross join open_runs r "
    "where w.organization_id = $1 and r.workflow = w.ref and (r.flags & 1) = 0 group by r.phase";

/// The least key that a run of this time can have.
std::int64_t key_at(TimePoint time) {
  RunId id;
  auto millis = static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
  for (std::size_t i = 6; i-- > 0; millis >>= 8U) id.uuid.bytes[i] = static_cast<std::uint8_t>(millis & 0xffU);
  return run_key(id);
}

std::uint64_t* count_of(RunStatistics::Counts& counts, std::int64_t phase) {
  return phase >= 0 && phase < static_cast<std::int64_t>(counts.size()) ? &counts[static_cast<std::size_t>(phase)] : nullptr;
}

std::size_t slice_of(const Window& window, std::int64_t index) {
  return static_cast<std::size_t>(std::clamp<std::int64_t>(index, 0, static_cast<std::int64_t>(window.slices) - 1));
}

/// Nearest rank: a time that some run really took.
RunTimes times_of(std::vector<Millis>& all) {
  RunTimes times{.runs = all.size()};
  if (all.empty()) return times;
  std::sort(all.begin(), all.end());
  const auto at = [&all](std::size_t percent) { return all[(all.size() * percent + 99) / 100 - 1]; };
  times.p50 = at(50);
  times.p95 = at(95);
  times.p99 = at(99);
  return times;
}

}  // namespace

Result<RunStatistics> run_statistics(storage::Database& database, const OrganizationId& organization, const Window& window) {
  PAWL_ASSERT(window.slices > 0 && window.slice > Millis{0}, "a window has slices");
  RunStatistics statistics;
  for (std::uint32_t i = 0; i < window.slices; ++i) {
    statistics.slices.emplace_back();
    statistics.slices.back().at = window.since + window.slice * i;
  }
  const auto first = key_at(window.since);
  const auto last = key_at(window.until());
  std::vector<Millis> all;
  std::vector<std::vector<Millis>> of_slices(window.slices);
  const auto reading = [&](Session& session) -> Result<void> {
    PAWL_TRY_VOID(session.query(kEnded, {window.since, window.slice.count(), organization, first, last}, [&](const Row& row) {
      auto& slice = statistics.slices[slice_of(window, row.integer(0))];
      const auto runs = static_cast<std::uint64_t>(row.integer(2));
      if (auto* count = count_of(slice.ended, row.integer(1))) *count += runs;
      if (auto* count = count_of(statistics.ended, row.integer(1))) *count += runs;
    }));
    const auto completed = static_cast<std::int64_t>(Phase::completed);
    PAWL_TRY_VOID(session.query(kTimes, {organization, first, last, completed, std::int64_t{kMostTimes}}, [&](const Row& row) {
      const Millis took(row.integer(1));
      all.push_back(took);
      of_slices[slice_of(window, (row.time(0) - window.since) / window.slice)].push_back(took);
    }));
    return session.query(kOpen, {organization}, [&](const Row& row) {
      if (auto* count = count_of(statistics.open, row.integer(0))) *count += static_cast<std::uint64_t>(row.integer(1));
    });
  };
  PAWL_TRY_VOID(database.read(reading));
  statistics.times = times_of(all);
  for (std::uint32_t i = 0; i < window.slices; ++i) statistics.slices[i].times = times_of(of_slices[i]);
  return statistics;
}

}  // namespace pawl::engine
