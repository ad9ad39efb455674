/// What the program says about itself while it runs: one line an event, as JSON or as text for a person.
///
///     PAWL_TRY(log, observe::Log::open(clock, {.level = observe::Level::info, .format = observe::Format::json}));
///     log->write(observe::Level::info, "http.request", "GET listWorkflows 200", {{"request_id", id}, {"status", 200}});
///
///     {"timestamp":"2026-11-22T09:47:00.000Z","level":"info","event":"http.request","message":"GET listWorkflows 200","request_id":...}
///
/// Every JSON line parses, whatever bytes the values hold. A field whose name speaks of a secret (`password`, `token`, `authorization` ...)
/// is written as `[redacted]`; callers pass names of routes, not URLs, since a URL may carry a token.
///
/// Within a `TraceScope` a line says `trace_id`.
///
/// Threads: any. A line is one `write` to a file opened for appending, so lines do not mix, not even those of two processes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/error.hpp"
#include "base/time.hpp"
#include "base/trace_context.hpp"

namespace pawl::observe {

enum class Level : std::uint8_t { debug, info, warning, error };
[[nodiscard]] std::string_view to_text(Level level);

enum class Format : std::uint8_t { text, json };

/// A named value. A view: lives during the call.
struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view a_name, std::string_view text) : name(a_name), value(text) {}
  Field(std::string_view a_name, const std::string& text) : name(a_name), value(std::string_view(text)) {}
  Field(std::string_view a_name, const char* text) : name(a_name), value(std::string_view(text)) {}
  Field(std::string_view a_name, double number) : name(a_name), value(number) {}
  // Version 14 of clang-format mangles constrained constructors.
  // clang-format off
  template <class I>
    requires std::is_integral_v<I>
  Field(std::string_view a_name, I number) : name(a_name) {
    if constexpr (std::is_same_v<I, bool>) {
      value = number;
    } else {
      value = static_cast<std::int64_t>(number);
    }
  }
  // clang-format on
};

struct LogOptions {
  Level level = Level::info;  ///< lines below are dropped
  Format format = Format::text;
  std::string file{};  ///< appended to, made with mode 0600; empty: standard error
};

class Log {
 public:
  /// Error `log.file`: the file cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<Log>> open(const Clock& clock, const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  [[nodiscard]] bool takes(Level level) const { return level >= options_.level; }
  /// `event` is a stable dotted name, `message` a sentence. Nobody can act on a log that cannot be written: such a line is lost.
  void write(Level level, std::string_view event, std::string_view message, std::initializer_list<Field> fields = {}) const;

 private:
  Log(const Clock& clock, LogOptions options, int file);
  const Clock& clock_;
  LogOptions options_;
  int file_;
};

/// The line that `Log` writes, with its end; with `trace_id` where there is a trace.
[[nodiscard]] std::string format_line(Format format, TimePoint time, Level level, std::string_view event, std::string_view message,
                                      std::initializer_list<Field> fields, const TraceContext& trace = {});
/// Is a field of this name never written?
[[nodiscard]] bool is_secret_name(std::string_view name);

}  // namespace pawl::observe
