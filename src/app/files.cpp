#include "app/files.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include "json/parse.hpp"

namespace pawl::app {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Result<std::string> drain(std::FILE* file, const std::string& name) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const auto got = std::fread(buffer, 1, sizeof buffer, file);
    text.append(buffer, got);
    if (got == sizeof buffer) continue;
    if (std::ferror(file) != 0)
      return Error(ErrorClass::invalid, "file.read", fmt::format("cannot read {}: {}", name, std::strerror(errno)));
    return text;
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return Error(ErrorClass::not_found, "file.read", fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return drain(file.get(), path);
}

Result<std::string> read_standard_input() { return drain(stdin, "standard input"); }

Result<json::Value> read_json_argument(const std::string& argument, std::string_view what) {
  std::string text = argument;
  if (argument == "-") {
    PAWL_TRY(all, read_standard_input());
    text = std::move(all);
  } else if (argument.starts_with('@')) {
    PAWL_TRY(all, read_file(argument.substr(1)));
    text = std::move(all);
  }
  auto parsed = json::parse(text);
  if (parsed.has_error())
    return Error(ErrorClass::invalid, "json.syntax", fmt::format("{} is not valid JSON: {}", what, parsed.error().message));
  return parsed;
}

std::optional<Millis> parse_duration(std::string_view text) {
  if (auto iso = parse_iso8601_duration(text)) return iso;
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || number < 0 || number > 1e9) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  double scale = 0;
  if (unit.empty() || unit == "s") scale = 1000;
  if (unit == "ms") scale = 1;
  if (unit == "m") scale = 60'000;
  if (unit == "h") scale = 3'600'000;
  if (unit == "d") scale = 86'400'000;
  if (scale == 0) return std::nullopt;
  return Millis(static_cast<std::int64_t>(number * scale));
}

}  // namespace pawl::app
