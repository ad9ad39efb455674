/// Small reads for the command line.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "json/value.hpp"

namespace pawl::app {

/// The whole file. Error `file.read` names the path and why.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
/// Everything from standard input.
[[nodiscard]] Result<std::string> read_standard_input();
/// `JSON`, `@FILE` or `-` (standard input).
[[nodiscard]] Result<json::Value> read_json_argument(const std::string& argument, std::string_view what);
/// `500ms`, `30s`, `5m`, `2h`, `1d`, a number of seconds, or ISO 8601.
[[nodiscard]] std::optional<Millis> parse_duration(std::string_view text);

}  // namespace pawl::app
