/// The commands of `pawl`: options as the command line gives them, and one function each, which returns the exit code.
///
/// Results go to standard output, everything else to standard error.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace pawl::app {

struct ConfigOptions {
  enum class Show { example, reference, check } show = Show::check;
};

/// What every command shares.
struct CommonOptions {
  std::string config_file;
  config::Values flags;  ///< settings given as flags, by the setting's name
};

using Command = std::variant<std::monostate, ConfigOptions>;

struct CommandLine {
  CommonOptions common;
  Command command;
};

/// Parses the command line. `exit` is set when there is nothing more to do (help, version, usage error); the text was printed then.
struct ParsedCommandLine {
  CommandLine line;
  std::optional<int> exit;
};
[[nodiscard]] ParsedCommandLine parse_command_line(int argc, char** argv);

/// Reads environment, file and flags; prints every problem on standard error.
[[nodiscard]] std::optional<config::Config> load_config(const CommonOptions& common, config::Purpose purpose);

[[nodiscard]] int run_config(const CommonOptions& common, const ConfigOptions& options);

/// Runs what the command line asks for.
[[nodiscard]] int dispatch(const CommandLine& line);

}  // namespace pawl::app
