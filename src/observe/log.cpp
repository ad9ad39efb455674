#include "observe/log.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/utf8.hpp"
#include "json/write.hpp"

namespace pawl::observe {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
constexpr std::size_t kLongestValue = 8 * 1024;

/// Values come from anywhere, and a line must parse.
std::string as_utf8(std::string_view text) { return to_utf8(std::string(text.substr(0, kLongestValue))); }

void append_quoted(std::string& out, std::string_view text) { json::append_quoted(out, as_utf8(text)); }

void append_json_value(std::string& out, const Field& field) {
  if (is_secret_name(field.name)) return append_quoted(out, kRedacted);
  std::visit(
      [&out](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          append_quoted(out, value);
        } else if constexpr (std::is_same_v<T, bool>) {
          out += value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, double>) {
          json::append_number(out, value);
        } else {
          out += std::to_string(value);
        }
      },
      field.value);
}

/// For a person: quotes only where they are needed.
void append_text_value(std::string& out, const Field& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value); text != nullptr && !is_secret_name(field.name)) {
    const bool plain = !text->empty() && std::all_of(text->begin(), text->end(), [](char letter) {
      return letter > ' ' && letter < 0x7F && letter != '"' && letter != '\\' && letter != '=';
    });
    if (plain) {
      out += *text;
      return;
    }
  }
  append_json_value(out, field);
}

std::string json_line(TimePoint time, Level level, std::string_view event, std::string_view message, std::initializer_list<Field> fields,
                      const TraceContext& trace) {
  std::string out = fmt::format(R"({{"timestamp":"{}","level":"{}","event":)", to_rfc3339(time), to_text(level));
  append_quoted(out, event);
  out += R"(,"message":)";
  append_quoted(out, message);
  for (const auto& field : fields) {
    out += ',';
    append_quoted(out, field.name);
    out += ':';
    append_json_value(out, field);
  }
  if (trace) {
    out += R"(,"trace_id":)";
    append_quoted(out, trace_id_text(trace));
  }
  out += "}\n";
  return out;
}

std::string text_line(TimePoint time, Level level, std::string_view message, std::initializer_list<Field> fields,
                      const TraceContext& trace) {
  std::string out = fmt::format("{} {} ", to_rfc3339(time), to_text(level));
  // One event, one line: what came from outside must not write a second one.
  for (const char letter : as_utf8(message)) out += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
  for (const auto& field : fields) {
    out += fmt::format(" {}=", field.name);
    append_text_value(out, field);
  }
  if (trace) out += " trace_id=" + trace_id_text(trace);
  out += '\n';
  return out;
}

}  // namespace

std::string_view to_text(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "";
}

bool is_secret_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter == '-' ? '_' : letter;
  });
  for (const std::string_view word : {"password", "passphrase", "secret", "token", "authorization", "cookie", "api_key", "apikey",
                                      "credential", "private_key", "encryption_key", "signature"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string format_line(Format format, TimePoint time, Level level, std::string_view event, std::string_view message,
                        std::initializer_list<Field> fields, const TraceContext& trace) {
  return format == Format::json ? json_line(time, level, event, message, fields, trace) : text_line(time, level, message, fields, trace);
}

Result<std::unique_ptr<Log>> Log::open(const Clock& clock, const LogOptions& options) {
  int file = STDERR_FILENO;
  if (!options.file.empty()) {
    file = ::open(options.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
      return Error(ErrorClass::internal, "log.file",
                   fmt::format("the log file {} cannot be opened: {}", options.file, std::strerror(errno)));
    }
  }
  return std::unique_ptr<Log>(new Log(clock, options, file));
}

Log::Log(const Clock& clock, LogOptions options, int file) : clock_(clock), options_(std::move(options)), file_(file) {}

Log::~Log() {
  if (file_ != STDERR_FILENO) ::close(file_);
}

void Log::write(Level level, std::string_view event, std::string_view message, std::initializer_list<Field> fields) const {
  if (!takes(level)) return;
  const auto line = format_line(options_.format, clock_.now(), level, event, message, fields, current_trace());
  [[maybe_unused]] const auto written = ::write(file_, line.data(), line.size());
}

}  // namespace pawl::observe
