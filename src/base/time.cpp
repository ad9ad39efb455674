#include "base/time.hpp"

#include <fmt/core.h>

#include <charconv>
#include <cmath>

namespace pawl {
namespace {

/// Reads exactly `width` digits at `at`; -1 where there are none.
int digits(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

void put_digits(std::string& text, std::size_t at, std::size_t count, unsigned value) {
  for (std::size_t i = count; i > 0; --i, value /= 10) text[at + i - 1] = static_cast<char>('0' + value % 10);
}

}  // namespace

TimePoint SystemClock::now() const { return std::chrono::floor<Millis>(std::chrono::system_clock::now()); }

// By hand: it is in every answer, every audit record and every log line, and formatting showed in the profile.
std::string to_rfc3339(TimePoint time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  const int year = static_cast<int>(date.year());
  std::string text = "0000-00-00T00:00:00.000Z";
  if (year < 0 || year > 9999) text.replace(0, 4, fmt::format("{:04}", year));
  const auto from = text.size() - 24;  // of a year of four digits
  if (from == 0) put_digits(text, 0, 4, static_cast<unsigned>(year));
  put_digits(text, from + 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text, from + 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text, from + 11, 2, static_cast<unsigned>(clock.hours().count()));
  put_digits(text, from + 14, 2, static_cast<unsigned>(clock.minutes().count()));
  put_digits(text, from + 17, 2, static_cast<unsigned>(clock.seconds().count()));
  put_digits(text, from + 20, 3, static_cast<unsigned>(clock.subseconds().count()));
  return text;
}

std::optional<TimePoint> parse_rfc3339(std::string_view text) {
  // 2026-11-22T09:47:00[.fraction](Z|+hh:mm)
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  std::size_t at = 19;
  int millis = 0;
  if (text[at] == '.') {
    int scale = 100;
    const std::size_t first = ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
      millis += (text[at] - '0') * scale;
      scale /= 10;
      ++at;
    }
    if (at == first) return std::nullopt;
  }
  if (at >= text.size()) return std::nullopt;
  std::chrono::minutes offset{0};
  if (text[at] == 'Z' || text[at] == 'z') {
    if (at + 1 != text.size()) return std::nullopt;
  } else if (text[at] == '+' || text[at] == '-') {
    const int hours = digits(text, at + 1, 2);
    const int minutes = digits(text, at + 4, 2);
    if (at + 6 != text.size() || text[at + 3] != ':' || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset = std::chrono::minutes{(hours * 60 + minutes) * (text[at] == '-' ? -1 : 1)};
  } else {
    return std::nullopt;
  }
  return TimePoint{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second} +
         Millis{millis} - offset;
}

std::optional<Millis> parse_iso8601_duration(std::string_view text) {
  if (text.size() < 3 || text[0] != 'P') return std::nullopt;
  constexpr double kSecond = 1000;
  constexpr double kDay = 86400 * kSecond;
  double total = 0;
  bool in_time = false;
  std::string_view allowed = "YMWD";  // shrinks, because each unit may stand once and in order
  bool any = false;
  for (std::size_t i = 1; i < text.size();) {
    if (text[i] == 'T') {
      if (in_time || i + 1 == text.size()) return std::nullopt;
      in_time = true;
      allowed = "HMS";
      ++i;
      continue;
    }
    double number = 0;
    const auto [end, failure] = std::from_chars(text.data() + i, text.data() + text.size(), number, std::chars_format::fixed);
    if (failure != std::errc{} || text[i] == '-' || end == text.data() + text.size()) return std::nullopt;
    i = static_cast<std::size_t>(end - text.data());
    const auto unit = allowed.find(text[i]);
    if (unit == std::string_view::npos) return std::nullopt;
    double scale = 0;
    switch (text[i]) {
      case 'Y': scale = 365 * kDay; break;
      case 'W': scale = 7 * kDay; break;
      case 'D': scale = kDay; break;
      case 'H': scale = 3600 * kSecond; break;
      case 'M': scale = in_time ? 60 * kSecond : 30 * kDay; break;
      default: scale = kSecond; break;
    }
    allowed.remove_prefix(unit + 1);
    total += number * scale;
    any = true;
    ++i;
  }
  if (!any || !(total < 9e15)) return std::nullopt;
  return Millis{std::llround(total)};
}

}  // namespace pawl
