/// What is unusual about the runs of the latest stretch of time, measured by the same workflow's own past. Pure; robust statistics, no
/// model.
///
///     const auto found = find_anomalies(runs, since, now);   // runs before `since` are the past
///
/// Durations and costs are compared as logarithms with median and median absolute deviation, so a few wild runs neither hide nor make an
/// anomaly. Where the past is too short to say anything (`kEnoughRuns`), only the absolute rules hold: more than 30 % failed, an open run
/// older than a day, the same error more than five times.
///
/// | kind | found where |
/// | --- | --- |
/// | `failure_rate` | more runs fail than before, by three standard errors of the difference and at least 10 % |
/// | `repeated_error` | one kind of error came more than five times |
/// | `new_error` | a kind of error that the past does not have |
/// | `duration` | a run took longer than the past explains: robust z of 3.5, twice the median, and a tenth of a second more |
/// | `stuck` | an open run is older than that limit of ended ones, and than five minutes; suspended runs do not count |
/// | `cost` | the median cost of a run rose: robust z of 3.5 and half as much again |
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/machine/event.hpp"

namespace pawl::agents {

inline constexpr std::size_t kEnoughRuns = 10;
inline constexpr std::size_t kMostEvidence = 5;

struct RunFacts {
  RunId run;
  WorkflowId workflow;
  std::string workflow_name;
  engine::Phase phase = engine::Phase::completed;
  TimePoint created_at{};
  std::optional<TimePoint> ended_at{};
  std::string waiting_reason{};
  std::string error{};           ///< `error_kind`; empty: none, or it was not looked at
  std::optional<double> cost{};  ///< of its model calls; nothing: it made none, or it was not looked at
};

struct Anomaly {
  enum class Kind : std::uint8_t { failure_rate, repeated_error, new_error, duration, stuck, cost };
  enum class Level : std::uint8_t { low, medium, high };
  Kind kind = Kind::failure_rate;
  Level level = Level::low;
  WorkflowId workflow;
  std::string workflow_name;
  double value = 0;     ///< what was seen: a rate, a number of runs, milliseconds, US dollars
  double expected = 0;  ///< what the past let expect, in the same unit
  std::string message;
  std::vector<RunId> runs;  ///< some that show it, the newest first
};
[[nodiscard]] std::string_view to_text(Anomaly::Kind kind);
[[nodiscard]] std::string_view to_text(Anomaly::Level level);
/// What a person does about one of the kind.
[[nodiscard]] std::string_view advice(Anomaly::Kind kind);

/// The weightiest first.
[[nodiscard]] std::vector<Anomaly> find_anomalies(std::span<const RunFacts> runs, TimePoint since, TimePoint now);

}  // namespace pawl::agents
