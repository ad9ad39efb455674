#include "dsl/cron.hpp"

#include <array>
#include <charconv>
#include <span>
#include <string>
#include <vector>

namespace pawl::dsl {
namespace {

struct Field {
  std::string_view name;
  unsigned least;
  unsigned most;
  std::span<const std::string_view> words;  // for `least`, `least + 1`, ...
};

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

Error cron_error(std::string message) { return {ErrorClass::invalid, "dsl.cron", std::move(message)}; }

bool same_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) | 0x20U) != static_cast<unsigned char>(word[i])) return false;
  }
  return true;
}

Result<unsigned> number(const Field& field, std::string_view text) {
  for (std::size_t i = 0; i < field.words.size(); ++i) {
    if (same_word(text, field.words[i])) return field.least + static_cast<unsigned>(i);
  }
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || value < field.least || value > field.most) {
    return cron_error("`" + std::string(text.substr(0, 20)) + "` is not valid as " + std::string(field.name) + ": allowed are " +
                      std::to_string(field.least) + " to " + std::to_string(field.most) + '.');
  }
  return value;
}

/// One element of a list: `*`, `5`, `1-5`, each with an optional `/step`.
template <std::size_t N>
Result<void> element(const Field& field, std::string_view text, std::bitset<N>& out) {
  unsigned step = 1;
  bool stepped = false;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const std::string_view given = text.substr(slash + 1);
    const auto [end, failure] = std::from_chars(given.data(), given.data() + given.size(), step);
    if (given.empty() || failure != std::errc{} || end != given.data() + given.size() || step == 0 || step > field.most) {
      return cron_error("`/" + std::string(given.substr(0, 20)) + "` is not a valid step for " + std::string(field.name) + '.');
    }
    stepped = true;
    text = text.substr(0, slash);
  }
  unsigned first = field.least;
  unsigned last = field.most;
  if (text != "*") {
    const auto dash = text.find('-');
    PAWL_TRY(low, number(field, text.substr(0, dash)));
    first = low;
    if (dash != std::string_view::npos) {
      PAWL_TRY(high, number(field, text.substr(dash + 1)));
      last = high;
      if (last < first)
        return cron_error("The range `" + std::string(text.substr(0, 20)) + "` of " + std::string(field.name) + " runs backwards.");
    } else if (!stepped) {
      last = first;
    }
  }
  for (unsigned value = first; value <= last; value += step) out.set(value % (field.name == "weekday" ? 7 : N));
  return {};
}

template <std::size_t N>
Result<void> read(const Field& field, std::string_view text, std::bitset<N>& out) {
  while (true) {
    const auto comma = text.find(',');
    PAWL_TRY_VOID(element(field, text.substr(0, comma), out));
    if (comma == std::string_view::npos) return {};
    text = text.substr(comma + 1);
  }
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view kSpace = " \t";
  for (auto at = text.find_first_not_of(kSpace); at != std::string_view::npos; at = text.find_first_not_of(kSpace, at)) {
    const auto end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

/// `@daily` and its like as fields; empty for other words.
std::string_view macro(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kMacros[] = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
  for (const auto& [name, fields] : kMacros) {
    if (text == name) return fields;
  }
  return {};
}

template <std::size_t N>
unsigned next_set(const std::bitset<N>& bits, unsigned from) {
  while (from < N && !bits.test(from)) ++from;
  return from;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > 500) return cron_error("A cron expression must not be longer than 500 characters.");
  std::vector<std::string_view> fields = words_of(text);
  if (fields.size() == 1 && fields[0].starts_with('@')) {
    const std::string_view expanded = macro(fields[0]);
    if (expanded.empty()) {
      return cron_error("`" + std::string(fields[0].substr(0, 20)) +
                        "` is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.");
    }
    fields = words_of(expanded);
  }
  if (fields.size() != 5 && fields.size() != 6) {
    return cron_error("A cron expression has 5 fields (minute, hour, day, month, weekday), or 6 with seconds first; this one has " +
                      std::to_string(fields.size()) + '.');
  }
  Cron cron;
  std::size_t at = 0;
  if (fields.size() == 6) {
    PAWL_TRY_VOID(read({"second", 0, 59, {}}, fields[at++], cron.seconds_));
  } else {
    cron.seconds_.set(0);
  }
  PAWL_TRY_VOID(read({"minute", 0, 59, {}}, fields[at++], cron.minutes_));
  PAWL_TRY_VOID(read({"hour", 0, 23, {}}, fields[at++], cron.hours_));
  const std::string_view day = fields[at] == "?" ? "*" : fields[at];
  PAWL_TRY_VOID(read({"day of the month", 1, 31, {}}, day, cron.days_));
  cron.any_day_ = day.starts_with('*');
  ++at;
  PAWL_TRY_VOID(read({"month", 1, 12, kMonths}, fields[at++], cron.months_));
  const std::string_view weekday = fields[at] == "?" ? "*" : fields[at];
  PAWL_TRY_VOID(read({"weekday", 0, 7, kWeekdays}, weekday, cron.weekdays_));
  cron.any_weekday_ = weekday.starts_with('*');
  const LocalTime start{std::chrono::local_days{std::chrono::year{2000} / 1 / 1}.time_since_epoch()};
  if (!cron.next(start)) return cron_error("No day fits this cron expression: the month does not have it.");
  return cron;
}

bool Cron::fits_day(std::chrono::year_month_day day) const {
  if (!months_.test(static_cast<unsigned>(day.month()))) return false;
  const bool day_fits = days_.test(static_cast<unsigned>(day.day()));
  const bool weekday_fits = weekdays_.test(std::chrono::weekday{std::chrono::local_days{day}}.c_encoding());
  if (any_day_ || any_weekday_) return day_fits && weekday_fits;
  return day_fits || weekday_fits;
}

bool Cron::matches(LocalTime time) const {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::hh_mm_ss clock{time - day};
  return fits_day(std::chrono::year_month_day{day}) && hours_.test(static_cast<std::size_t>(clock.hours().count())) &&
         minutes_.test(static_cast<std::size_t>(clock.minutes().count())) &&
         seconds_.test(static_cast<std::size_t>(clock.seconds().count()));
}

std::optional<Cron::LocalTime> Cron::next(LocalTime after) const {
  LocalTime time = after + std::chrono::seconds{1};
  auto day = std::chrono::floor<std::chrono::days>(time);
  constexpr int kMaxDays = 40 * 366;  // 29 February on a given weekday comes within 40 years, also around 2100
  for (int i = 0; i < kMaxDays; ++i, day += std::chrono::days{1}) {
    if (!fits_day(std::chrono::year_month_day{day})) continue;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    if (i == 0) {
      const std::chrono::hh_mm_ss clock{time - day};
      hour = static_cast<unsigned>(clock.hours().count());
      minute = static_cast<unsigned>(clock.minutes().count());
      second = static_cast<unsigned>(clock.seconds().count());
    }
    for (; hour < 24; hour += 1, minute = 0, second = 0) {
      if (!hours_.test(hour)) continue;
      for (; minute < 60; minute += 1, second = 0) {
        if (!minutes_.test(minute)) continue;
        second = next_set(seconds_, second);
        if (second < 60) {
          return LocalTime{day.time_since_epoch()} + std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
        }
      }
    }
  }
  return std::nullopt;
}

std::optional<TimePoint> Cron::next_utc(TimePoint after) const {
  const LocalTime local{std::chrono::floor<std::chrono::seconds>(after).time_since_epoch()};
  const auto found = next(local);
  if (!found) return std::nullopt;
  return TimePoint{found->time_since_epoch()};
}

}  // namespace pawl::dsl
