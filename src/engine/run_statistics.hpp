/// Figures of an organization's runs over a stretch of time, for people who look at a dashboard: how many ended how, how long they took,
/// what is open now. Dry runs do not count. Counts are exact; times are those of the newest `kMostTimes` runs of the stretch.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/machine/event.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::engine {

inline constexpr std::uint32_t kMostTimes = 50'000;

/// Equal slices, one after the other, from `since` on. A run belongs to the slice in which it was created.
struct Window {
  TimePoint since{};
  Millis slice{};
  std::uint32_t slices = 0;

  [[nodiscard]] TimePoint until() const { return since + slice * slices; }
};

/// From the creation of a run to its end.
struct RunTimes {
  std::uint64_t runs = 0;  ///< that the times are made of
  std::optional<Millis> p50{};
  std::optional<Millis> p95{};
  std::optional<Millis> p99{};
};

struct RunStatistics {
  /// By phase; of what is open now, whenever it began.
  using Counts = std::array<std::uint64_t, static_cast<std::size_t>(Phase::completed) + 1>;
  struct Slice {
    TimePoint at{};
    Counts ended{};
    RunTimes times;
  };
  Counts open{};
  Counts ended{};  ///< of the whole window
  RunTimes times;  ///< of completed runs, as those of the slices
  std::vector<Slice> slices;
};

/// Blocking; call from a worker thread, never from an io thread.
[[nodiscard]] Result<RunStatistics> run_statistics(storage::Database& database, const OrganizationId& organization, const Window& window);

}  // namespace pawl::engine
