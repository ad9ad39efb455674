/// Time as the product sees it: UTC, milliseconds. `Clock` is injected everywhere, because the simulator replaces it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl {

using Millis = std::chrono::milliseconds;
/// Wall-clock time, UTC, since the Unix epoch.
using TimePoint = std::chrono::sys_time<Millis>;

/// Where "now" comes from. Implementations are thread-safe.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override;
};

/// RFC 3339 in UTC with milliseconds: `2026-11-22T09:47:00.000Z`.
[[nodiscard]] std::string to_rfc3339(TimePoint time);
/// Reads RFC 3339 (any offset, optional fraction). Nothing for text that is not a valid date.
[[nodiscard]] std::optional<TimePoint> parse_rfc3339(std::string_view text);

/// Reads an ISO 8601 duration (`PT1H30M`, `P2D`, fractions allowed; a year is 365 days, a month 30). Nothing for other text or overflow.
[[nodiscard]] std::optional<Millis> parse_iso8601_duration(std::string_view text);

}  // namespace pawl
