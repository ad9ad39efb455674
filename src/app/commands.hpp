/// The commands of `pawl`: options as the command line gives them, and one function each, which returns the exit code (exit_codes.hpp).
///
/// Results go to standard output, everything else to standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace pawl::app {

struct RunOptions {
  std::string file;
  std::string input;     ///< `JSON`, `@FILE` or `-`; empty: none
  std::string data_dir;  ///< empty: a temporary folder
  std::string timeout;
  bool dry_run = false;
  bool json = false;
};
struct ValidateOptions {
  std::vector<std::string> files;
  bool json = false;
  bool capabilities = false;  ///< what each workflow can reach as well
};
struct ImportOptions {
  std::string file;           ///< `-`: standard input
  std::string from = "auto";  ///< `auto`, `owf`, `tasks`, `steps`, `n8n`
  bool json = false;
};
struct EvalOptions {
  std::string expression;
  std::string input;
  std::string arguments;
  std::string test_file;
};
struct EvalAgentOptions {
  std::string suite;
  bool json = false;
};
struct ServeOptions {
  bool worker = false;  ///< no API: engine, scheduler and health only
};
struct BackupOptions {
  enum class Action : std::uint8_t { save, check, restore };
  Action action = Action::save;
  std::string folder;
};
struct MigrateOptions {
  enum class Action : std::uint8_t { up, down, status, verify, schema };
  Action action = Action::status;
};
struct UserCreateOptions {
  std::string email;
  std::string name;  ///< empty: the address up to the `@`
  bool admin = false;
  bool password_on_stdin = false;
};
struct BenchOptions {
  std::string name;  ///< empty: all
  bool json = false;
  bool quick = false;            ///< a tenth of the load
  std::string database_url;      ///< `postgresql://...`; empty: SQLite
  std::uint16_t hello_port = 0;  ///< > 0: be the bare server that others are compared with
};
struct AuditOptions {
  bool json = false;
  bool without_file = false;  ///< the database alone
  std::string expected;       ///< `SEQUENCE:HASH` noted earlier
};
struct RetentionOptions {
  bool dry_run = false;
  bool json = false;
};
struct KeysOptions {
  enum class Action : std::uint8_t { status, rotate };
  Action action = Action::status;
  bool dry_run = false;  ///< of `rotate`: open everything, change nothing
};
struct FunctionsCommandOptions {
  enum class Action : std::uint8_t { list, show, docs };
  Action action = Action::list;
  std::string name;  ///< of `show`: a function; of `docs`: the folder
  bool json = false;
};
struct McpOptions {
  std::string url;  ///< of the server; empty: where this machine's configuration has it
};
struct ConfigOptions {
  enum class Show : std::uint8_t { check, example, reference };
  Show show = Show::check;
};

/// What every command shares.
struct CommonOptions {
  std::string config_file;
  config::Values flags;  ///< settings given as flags, by the setting's name
};

using Command = std::variant<std::monostate, RunOptions, ValidateOptions, ImportOptions, EvalOptions, ServeOptions, MigrateOptions,
                             BackupOptions, UserCreateOptions, KeysOptions, BenchOptions, ConfigOptions, AuditOptions, RetentionOptions,
                             FunctionsCommandOptions, McpOptions, EvalAgentOptions>;

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

[[nodiscard]] int run_run(const CommonOptions& common, const RunOptions& options);
[[nodiscard]] int run_validate(const CommonOptions& common, const ValidateOptions& options);
[[nodiscard]] int run_import(const ImportOptions& options);
[[nodiscard]] int run_eval(const EvalOptions& options);
[[nodiscard]] int run_eval_agent(const CommonOptions& common, const EvalAgentOptions& options);
[[nodiscard]] int run_serve(const CommonOptions& common, const ServeOptions& options);
[[nodiscard]] int run_migrate(const CommonOptions& common, const MigrateOptions& options);
[[nodiscard]] int run_backup(const CommonOptions& common, const BackupOptions& options);
[[nodiscard]] int run_user_create(const CommonOptions& common, const UserCreateOptions& options);
[[nodiscard]] int run_bench(const BenchOptions& options);
[[nodiscard]] int run_keys(const CommonOptions& common, const KeysOptions& options);
[[nodiscard]] int run_config(const CommonOptions& common, const ConfigOptions& options);
[[nodiscard]] int run_mcp(const CommonOptions& common, const McpOptions& options);
[[nodiscard]] int run_audit(const CommonOptions& common, const AuditOptions& options);
[[nodiscard]] int run_retention(const CommonOptions& common, const RetentionOptions& options);
[[nodiscard]] int run_functions(const CommonOptions& common, const FunctionsCommandOptions& options);

/// Runs what the command line asks for.
[[nodiscard]] int dispatch(const CommandLine& line);

}  // namespace pawl::app
