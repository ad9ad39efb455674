/// Dates, all in UTC: nothing here looks at the machine's clock or time zone. A broken-down time is jq's array
/// [year, month from 0, day, hour, minute, second, day of the week from Sunday, day of the year from 0].
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"

namespace pawl::jq::detail {
namespace {

using Arguments = std::span<Value>;

constexpr std::array<std::string_view, 7> kDays = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                      "July",    "August",   "September", "October", "November", "December"};
constexpr std::int64_t kDay = 86'400;

struct Time {
  std::int64_t year = 1900;
  std::int64_t month = 0;
  std::int64_t day = 0;
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  double second = 0;
  std::int64_t weekday = 0;
  std::int64_t yearday = 0;
};

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Days since 1970-01-01 of a date whose month may lie outside its year. (Howard Hinnant, chrono-compatible date algorithms.)
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year += floor_divide(month, 12);
  month = month - floor_divide(month, 12) * 12 + 1;
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = floor_divide(year, 400);
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

Time from_seconds(double seconds) {
  const double whole = std::floor(seconds);
  const auto count = static_cast<std::int64_t>(whole);
  const std::int64_t days = floor_divide(count, kDay);
  const std::int64_t rest = count - days * kDay;
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = floor_divide(shifted, 146'097);
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  Time time;
  time.day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  time.month = shifted_month < 10 ? shifted_month + 2 : shifted_month - 10;
  time.year = year_of_era + era * 400 + (time.month <= 1 ? 1 : 0);
  time.hour = rest / 3600;
  time.minute = rest % 3600 / 60;
  time.second = static_cast<double>(rest % 60) + (seconds - whole);
  time.weekday = ((days % 7) + 11) % 7;
  time.yearday = days - days_from_civil(time.year, 0, 1);
  return time;
}

/// Fills in what follows from the date.
void complete(Time& time) {
  const std::int64_t days = days_from_civil(time.year, time.month, time.day);
  time.weekday = ((days % 7) + 11) % 7;
  time.yearday = days - days_from_civil(time.year, 0, 1);
}

std::int64_t to_seconds(const Time& time) {
  return days_from_civil(time.year, time.month, time.day) * kDay + time.hour * 3600 + time.minute * 60 +
         static_cast<std::int64_t>(std::floor(time.second));
}

Value to_array(const Time& time) {
  return Value::array({time.year, time.month, time.day, time.hour, time.minute, integral(time.second), time.weekday, time.yearday});
}

/// False when `value` is no broken-down time; it may be shorter than eight numbers.
bool read_time(const Value& value, Time& time) {
  if (!value.is_array() || value.size() < 3) return false;
  constexpr double kFar = 1e9;
  std::array<double, 8> parts{};
  for (std::size_t i = 0; i < parts.size() && i < value.size(); ++i) {
    if (!value.at(i).is_number()) return false;
    parts[i] = value.at(i).as_double();
    if (!(std::fabs(parts[i]) <= kFar)) return false;
  }
  const auto whole = [&](std::size_t i) { return static_cast<std::int64_t>(parts[i]); };
  time = {whole(0), whole(1), whole(2), whole(3), whole(4), parts[5], whole(6), whole(7)};
  return true;
}

Value gmtime(Runtime& runtime, Arguments in) {
  if (!in[0].is_number()) return runtime.fail("gmtime() requires numeric inputs");
  const double seconds = in[0].as_double();
  if (!(std::fabs(seconds) <= 1e14)) return runtime.fail("error converting number of seconds since epoch to datetime");
  return to_array(from_seconds(seconds));
}

Value mktime(Runtime& runtime, Arguments in) {
  if (!in[0].is_array()) return runtime.fail("mktime requires array of 6 numbers");
  Time time;
  if (!read_time(in[0], time)) return runtime.fail("mktime requires parsed datetime inputs");
  return to_seconds(time);
}

void put_number(std::string& out, std::int64_t number, int width, char fill = '0') {
  std::string digits = std::to_string(number < 0 ? -number : number);
  if (number < 0) out += '-';
  if (digits.size() < static_cast<std::size_t>(width)) out.append(static_cast<std::size_t>(width) - digits.size(), fill);
  out += digits;
}

bool is_leap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/// ISO 8601 week and the year it belongs to.
void iso_week(const Time& time, std::int64_t& year, std::int64_t& week) {
  const std::int64_t weekday = time.weekday == 0 ? 7 : time.weekday;
  year = time.year;
  week = (time.yearday + 1 - weekday + 10) / 7;
  const auto weeks_in = [](std::int64_t of) {
    const std::int64_t january_first = ((days_from_civil(of, 0, 1) % 7) + 11) % 7;
    return january_first == 4 || (january_first == 3 && is_leap(of)) ? 53 : 52;
  };
  if (week < 1) {
    --year;
    week = weeks_in(year);
  } else if (week > weeks_in(year)) {
    ++year;
    week = 1;
  }
}

std::size_t name_index(std::int64_t number, std::size_t count) {
  const auto size = static_cast<std::int64_t>(count);
  return static_cast<std::size_t>(((number % size) + size) % size);
}

void format_time(std::string& out, std::string_view format, const Time& time);

void format_item(std::string& out, char item, const Time& time) {
  const auto weekday = kDays[name_index(time.weekday, 7)];
  const auto month = kMonths[name_index(time.month, 12)];
  const std::int64_t hour12 = (time.hour + 11) % 12 + 1;
  const auto second = static_cast<std::int64_t>(std::floor(time.second));
  std::int64_t week_year = 0;
  std::int64_t week = 0;
  switch (item) {
    case 'a': out += weekday.substr(0, 3); break;
    case 'A': out += weekday; break;
    case 'b':
    case 'h': out += month.substr(0, 3); break;
    case 'B': out += month; break;
    case 'c': format_time(out, "%a %b %e %H:%M:%S %Y", time); break;
    case 'C': put_number(out, floor_divide(time.year, 100), 2); break;
    case 'd': put_number(out, time.day, 2); break;
    case 'D':
    case 'x': format_time(out, "%m/%d/%y", time); break;
    case 'e': put_number(out, time.day, 2, ' '); break;
    case 'F': format_time(out, "%Y-%m-%d", time); break;
    case 'g':
      iso_week(time, week_year, week);
      put_number(out, ((week_year % 100) + 100) % 100, 2);
      break;
    case 'G':
      iso_week(time, week_year, week);
      put_number(out, week_year, 4);
      break;
    case 'H': put_number(out, time.hour, 2); break;
    case 'I': put_number(out, hour12, 2); break;
    case 'j': put_number(out, time.yearday + 1, 3); break;
    case 'k': put_number(out, time.hour, 2, ' '); break;
    case 'l': put_number(out, hour12, 2, ' '); break;
    case 'm': put_number(out, time.month + 1, 2); break;
    case 'M': put_number(out, time.minute, 2); break;
    case 'n': out += '\n'; break;
    case 'p': out += time.hour >= 12 ? "PM" : "AM"; break;
    case 'P': out += time.hour >= 12 ? "pm" : "am"; break;
    case 'r': format_time(out, "%I:%M:%S %p", time); break;
    case 'R': format_time(out, "%H:%M", time); break;
    case 's': out += std::to_string(to_seconds(time)); break;
    case 'S': put_number(out, second, 2); break;
    case 't': out += '\t'; break;
    case 'T':
    case 'X': format_time(out, "%H:%M:%S", time); break;
    case 'u': put_number(out, time.weekday == 0 ? 7 : time.weekday, 1); break;
    case 'U': put_number(out, (time.yearday + 7 - time.weekday) / 7, 2); break;
    case 'V':
      iso_week(time, week_year, week);
      put_number(out, week, 2);
      break;
    case 'w': put_number(out, time.weekday, 1); break;
    case 'W': put_number(out, (time.yearday + 7 - (time.weekday + 6) % 7) / 7, 2); break;
    case 'y': put_number(out, ((time.year % 100) + 100) % 100, 2); break;
    case 'Y': put_number(out, time.year, 1); break;
    case 'z': out += "+0000"; break;
    case 'Z': out += "UTC"; break;
    case '%': out += '%'; break;
    default: out += '%'; out += item;
  }
}

void format_time(std::string& out, std::string_view format, const Time& time) {
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
    } else {
      ++i;
      if ((format[i] == 'E' || format[i] == 'O') && i + 1 < format.size()) ++i;  // alternative forms: the C locale has none
      format_item(out, format[i], time);
    }
  }
}

Value formatted(Runtime& runtime, Arguments in, const std::string& name) {
  if (in[0].is_number()) {
    in[0] = gmtime(runtime, in.first(1));
    if (!runtime.ok()) return {};
  }
  Time time;
  if (!read_time(in[0], time)) return runtime.fail(name + "/1 requires parsed datetime inputs");
  if (!in[1].is_string()) return runtime.fail(name + "/1 requires a string format");
  if (!runtime.reserve(in[1].size() * 24)) return {};
  std::string out;
  format_time(out, in[1].as_string(), time);
  return Value(std::move(out));
}

Value strftime(Runtime& runtime, Arguments in) { return formatted(runtime, in, "strftime"); }
Value strflocaltime(Runtime& runtime, Arguments in) { return formatted(runtime, in, "strflocaltime"); }

/// Reads a text by a format, as strptime(3) does.
class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool read(std::string_view format, Time& time, int depth = 0) {
    for (std::size_t i = 0; i < format.size(); ++i) {
      if (is_blank(format[i])) {
        skip_blanks();
      } else if (format[i] != '%' || i + 1 == format.size()) {
        if (!literal(format[i])) return false;
      } else {
        ++i;
        if ((format[i] == 'E' || format[i] == 'O') && i + 1 < format.size()) ++i;
        if (depth > 2 || !item(format[i], time, depth)) return false;
      }
    }
    return true;
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  void finish(Time& time) const {
    if (hour12_ >= 0) time.hour = hour12_ % 12 + (afternoon_ ? 12 : 0);
    if (epoch_) {
      time = from_seconds(static_cast<double>(*epoch_));
      return;
    }
    if (yearday_ >= 0 && !has_date_) {
      time.month = 0;
      time.day = yearday_ + 1;
      const auto days = days_from_civil(time.year, 0, time.day);
      const Time date = from_seconds(static_cast<double>(days * kDay));
      time.month = date.month;
      time.day = date.day;
    }
    complete(time);
  }

 private:
  static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool literal(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool number(std::int64_t& out, std::int64_t low, std::int64_t high, int digits, bool sign = false) {
    skip_blanks();
    bool negative = false;
    if (sign && at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) negative = text_[at_++] == '-';
    std::int64_t value = 0;
    int count = 0;
    while (count < digits && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      ++count;
    }
    if (negative) value = -value;
    out = value;
    return count > 0 && value >= low && value <= high;
  }

  static bool same_letters(std::string_view a, std::string_view b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
    }
    return true;
  }

  template <std::size_t N>
  bool name(const std::array<std::string_view, N>& names, std::int64_t& out) {
    for (std::size_t i = 0; i < N; ++i) {
      for (const std::size_t length : {names[i].size(), std::size_t{3}}) {
        if (at_ + length > text_.size() || !same_letters(text_.substr(at_, length), names[i].substr(0, length))) continue;
        at_ += length;
        out = static_cast<std::int64_t>(i);
        return true;
      }
    }
    return false;
  }

  bool zone() {
    skip_blanks();
    if (literal('Z')) return true;
    if (at_ >= text_.size() || (text_[at_] != '+' && text_[at_] != '-')) return false;
    ++at_;
    std::int64_t ignored = 0;
    if (!number(ignored, 0, 99, 2)) return false;
    static_cast<void>(literal(':'));
    return at_ >= text_.size() || text_[at_] < '0' || text_[at_] > '9' || number(ignored, 0, 59, 2);
  }

  bool item(char kind, Time& time, int depth) {
    std::int64_t value = 0;
    switch (kind) {
      case 'a':
      case 'A': return name(kDays, time.weekday);
      case 'b':
      case 'B':
      case 'h': return name(kMonths, time.month);
      case 'c': return read("%a %b %e %H:%M:%S %Y", time, depth + 1);
      case 'd':
      case 'e': has_date_ = true; return number(time.day, 1, 31, 2);
      case 'D':
      case 'x': return read("%m/%d/%y", time, depth + 1);
      case 'F': return read("%Y-%m-%d", time, depth + 1);
      case 'H':
      case 'k': hour12_ = -1; return number(time.hour, 0, 23, 2);
      case 'I':
      case 'l': return number(hour12_, 1, 12, 2);
      case 'j':
        if (!number(value, 1, 366, 3)) return false;
        yearday_ = value - 1;
        return true;
      case 'm':
        if (!number(value, 1, 12, 2)) return false;
        time.month = value - 1;
        return true;
      case 'M': return number(time.minute, 0, 59, 2);
      case 'n':
      case 't': skip_blanks(); return true;
      case 'p':
      case 'P': {
        constexpr std::array<std::string_view, 2> kHalves = {"AM ", "PM "};
        for (std::size_t i = 0; i < 2; ++i) {
          if (at_ + 2 > text_.size() || !same_letters(text_.substr(at_, 2), kHalves[i].substr(0, 2))) continue;
          at_ += 2;
          afternoon_ = i == 1;
          return true;
        }
        return false;
      }
      case 'r': return read("%I:%M:%S %p", time, depth + 1);
      case 'R': return read("%H:%M", time, depth + 1);
      case 's':
        if (!number(value, -99'999'999'999'999, 99'999'999'999'999, 15, true)) return false;
        epoch_ = value;
        return true;
      case 'S':
        if (!number(value, 0, 61, 2)) return false;
        time.second = static_cast<double>(value);
        return true;
      case 'T':
      case 'X': return read("%H:%M:%S", time, depth + 1);
      case 'u':
      case 'w': return number(value, 0, 7, 1);
      case 'U':
      case 'V':
      case 'W': return number(value, 0, 53, 2);
      case 'y':
        if (!number(value, 0, 99, 2)) return false;
        time.year = value < 69 ? 2000 + value : 1900 + value;
        return true;
      case 'Y': return number(time.year, -9999, 9999, 4, true);
      case 'z': return zone();
      case 'Z': {
        const std::size_t begin = at_;
        while (at_ < text_.size() && ((text_[at_] | 0x20) >= 'a' && (text_[at_] | 0x20) <= 'z')) ++at_;
        return at_ > begin;
      }
      case '%': return literal('%');
      default: return false;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::int64_t hour12_ = -1;
  bool afternoon_ = false;
  std::int64_t yearday_ = -1;
  bool has_date_ = false;
  std::optional<std::int64_t> epoch_;
};

Value strptime(Runtime& runtime, Arguments in) {
  if (!in[0].is_string() || !in[1].is_string()) return runtime.fail("strptime/1 requires string inputs and arguments");
  if (!runtime.spend(in[1].size())) return {};
  Time time;
  TimeReader reader(in[0].as_string());
  if (!reader.read(in[1].as_string(), time) || !reader.at_end()) {
    return runtime.fail("date \"" + std::string(in[0].as_string().substr(0, 200)) + "\" does not match format \"" +
                        std::string(in[1].as_string().substr(0, 200)) + "\"");
  }
  reader.finish(time);
  return to_array(time);
}

constexpr Native kNatives[] = {
    {"gmtime", 0, gmtime},
    {"localtime", 0, gmtime},
    {"mktime", 0, mktime},
    {"strftime", 1, strftime},
    {"strflocaltime", 1, strflocaltime},
    {"strptime", 1, strptime},
};

}  // namespace

std::span<const Native> date_natives() { return kNatives; }

}  // namespace pawl::jq::detail
