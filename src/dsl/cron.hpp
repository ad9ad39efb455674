/// Cron schedules: five fields (minute hour day month weekday) or six with seconds first; `*`, lists, ranges, steps, names (`JAN`,
/// `MON`), `?` for "any day", and `@hourly @daily @midnight @weekly @monthly @yearly @annually`. Sunday is 0 or 7. Where both day fields
/// are restricted, a day that fits either counts, as in Vixie cron.
///
/// Works on local time without a zone: what a wall clock shows. Who knows the zone turns local time into UTC (and decides what a time
/// that a clock change skips or repeats means); `next_utc` is the short way for UTC.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pawl::dsl {

class Cron {
 public:
  using LocalTime = std::chrono::local_seconds;

  /// Error `dsl.cron` with a sentence that names the field at fault; also for a schedule that never comes (30 February).
  [[nodiscard]] static Result<Cron> parse(std::string_view text);

  /// The first time after `after` that fits; none within the next 40 years is an impossible schedule, which `parse` refuses.
  [[nodiscard]] std::optional<LocalTime> next(LocalTime after) const;
  [[nodiscard]] std::optional<TimePoint> next_utc(TimePoint after) const;
  /// Whether the time, to the second, fits.
  [[nodiscard]] bool matches(LocalTime time) const;

 private:
  Cron() = default;
  [[nodiscard]] bool fits_day(std::chrono::year_month_day day) const;

  std::bitset<60> seconds_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // 1 ... 31
  std::bitset<13> months_;   // 1 ... 12
  std::bitset<7> weekdays_;  // 0: Sunday
  bool any_day_ = true;
  bool any_weekday_ = true;
};

}  // namespace pawl::dsl
