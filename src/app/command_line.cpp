// The only file that knows CLI11: it is heavy to compile.
#include <CLI/CLI.hpp>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"

namespace pawl::app {
namespace {

/// A subcommand whose options fill `options`; chosen, they become the command.
template <class Options>
CLI::App* add_command(CLI::App& app, CommandLine& line, const std::string& name, const std::string& summary,
                      std::shared_ptr<Options> options) {
  auto* command = app.add_subcommand(name, summary);
  command->callback([&line, options] { line.command = *options; });
  return command;
}

/// A flag that is a setting of the configuration.
void add_setting(CLI::App& command, CommandLine& line, const std::string& flag, const std::string& setting, const std::string& summary,
                 const std::string& type) {
  command
      .add_option_function<std::string>(
          flag, [&line, setting](const std::string& value) { line.common.flags[setting] = value; }, summary)
      ->type_name(type);
}

void add_database_settings(CLI::App& command, CommandLine& line) {
  add_setting(command, line, "--data-dir", "PAWL_DATA_DIR", "Folder of the database (default: PAWL_DATA_DIR, else ./pawl-data)", "DIR");
  add_setting(command, line, "--database-url", "DATABASE_URL",
              "`postgresql://...` or `sqlite:///folder` (default: SQLite in the data folder)", "URL");
}

void add_run(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<RunOptions>();
  auto* command = add_command(app, line, "run", "Run one workflow to its end; its output goes to standard output", options);
  command->add_option("file", options->file, "Workflow (YAML or JSON)")->required()->type_name("FILE");
  command->add_option("--input", options->input, "Input: JSON, @FILE, or - for standard input")->type_name("JSON");
  command->add_option("--data-dir", options->data_dir, "Keep the run in this folder (default: a temporary one)")->type_name("DIR");
  command->add_option("--timeout", options->timeout, "Cancel the run after this time, for example 30s or 5m")->type_name("TIME");
  command->add_flag("--dry-run", options->dry_run, "Touch nothing: show what each step would do");
  command->add_flag("--json", options->json, "Progress as JSON lines on standard error");
  command->footer("Exit code: 0 completed, 1 faulted, 2 invalid document or usage, 3 cancelled or timed out");
}

void add_validate(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<ValidateOptions>();
  auto* command = add_command(app, line, "validate", "Check workflows without running anything", options);
  command->add_option("files", options->files, "Workflows (YAML or JSON)")->required()->type_name("FILE");
  command->add_flag("--json", options->json, "Findings as JSON");
  command->add_flag("--capabilities", options->capabilities, "Also what each workflow can reach: hosts, paths, programs, secrets ...");
}

void add_import(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<ImportOptions>();
  auto* command = add_command(app, line, "import", "Convert a workflow of another product; the document goes to standard output", options);
  command->add_option("file", options->file, "Export of the other product, or - for standard input")->required()->type_name("FILE");
  command->add_option("--from", options->from, "What it is (default: found out)")
      ->check(CLI::IsMember({"auto", "owf", "tasks", "steps", "n8n"}));
  command->add_flag("--json", options->json, "Document and findings as JSON");
  command->footer(
      "What cannot be translated is named on standard error and becomes a task that raises an error. Exit code: 0, 2 unreadable");
}

void add_eval(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<EvalOptions>();
  auto* command = add_command(app, line, "eval", "Evaluate a jq expression, one compact result a line", options);
  command->callback([&line, options, command] {
    if (command->count("expression") + command->count("--run-tests") == 0) throw CLI::RequiredError("EXPR");
    line.command = *options;
  });
  auto* expression = command->add_option("expression", options->expression, "The expression")->type_name("EXPR");
  command->add_option("--input", options->input, "Input: JSON, @FILE, or - for standard input (default: null)")->type_name("JSON");
  command->add_option("--args", options->arguments, "Object whose members become variables")->type_name("JSON");
  auto* tests =
      command->add_option("--run-tests", options->test_file, "Run the cases of a file in jq's own test format")->type_name("FILE");
  tests->excludes(expression);
  command->footer("Exit code: 0, 2 usage, 3 the expression does not compile, 5 it failed");
}

void add_eval_agent(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<EvalAgentOptions>();
  auto* command = add_command(app, line, "eval-agent", "Run the cases of a suite: pass rate, cost, time (docs/agents.md)", options);
  command->add_option("suite", options->suite, "The suite, YAML")->required()->type_name("FILE");
  command->add_flag("--json", options->json, "Machine-readable");
  command->footer("Exit code: 0 the suite's pass rate was reached, 1 it was not, 2 the suite cannot be read");
}

void add_serve(CLI::App& app, CommandLine& line, bool worker) {
  auto options = std::make_shared<ServeOptions>();
  options->worker = worker;
  auto* command =
      add_command(app, line, worker ? "worker" : "serve",
                  worker ? "Engine and scheduler only; the listener offers health" : "API, scheduler and engine in one process", options);
  add_setting(*command, line, "--host", "API_HOST", "Address to listen on (default 127.0.0.1)", "H");
  add_setting(*command, line, "--port", "API_PORT", "Port (default 8000; 0: any free one)", "N");
  add_database_settings(*command, line);
}

void add_migrate(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("migrate", "Migrations of the database");
  command->require_subcommand(1);
  add_database_settings(*command, line);
  const auto add = [&](const std::string& name, MigrateOptions::Action action, const std::string& summary) {
    auto options = std::make_shared<MigrateOptions>();
    options->action = action;
    add_database_settings(*add_command(*command, line, name, summary, options), line);
  };
  add("up", MigrateOptions::Action::up, "Apply what is pending");
  add("down", MigrateOptions::Action::down, "Take back the newest");
  add("status", MigrateOptions::Action::status, "List all; 1 if one is pending");
  add("verify", MigrateOptions::Action::verify, "Compare with the program; 1 on pending ones or drift");
  add("schema", MigrateOptions::Action::schema, "Print the tables as the database's catalogue has them (docs/schema.md)");
}

void add_backup(CLI::App& app, CommandLine& line) {
  auto saving = std::make_shared<BackupOptions>();
  auto* backup = add_command(app, line, "backup", "Save database, files and keys into a folder, also while the server works", saving);
  backup->add_option("folder", saving->folder, "Missing or empty folder; with --check the backup")->required()->type_name("DIR");
  backup->add_flag_callback(
      "--check", [saving] { saving->action = BackupOptions::Action::check; }, "Only verify the backup in the folder");
  add_database_settings(*backup, line);
  auto restoring = std::make_shared<BackupOptions>();
  restoring->action = BackupOptions::Action::restore;
  auto* restore = add_command(app, line, "restore", "Verify a backup and put it into an empty data folder and database", restoring);
  restore->add_option("folder", restoring->folder, "The backup")->required()->type_name("DIR");
  add_database_settings(*restore, line);
}

void add_user(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("user", "Users of this installation");
  command->require_subcommand(1);
  auto options = std::make_shared<UserCreateOptions>();
  auto* create = add_command(*command, line, "create", "Make a user; prints the id. Not while a server runs on this data folder", options);
  create->add_option("--email", options->email, "E-mail address")->required()->type_name("E");
  create->add_option("--name", options->name, "Name (default: the address up to the @)")->type_name("NAME");
  create->add_flag("--admin", options->admin, "An administrator of the installation");
  create->add_flag("--password-stdin", options->password_on_stdin, "Read the password from standard input")->required();
  add_database_settings(*create, line);
}

void add_keys(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("keys", "Keys that stored credentials are sealed under");
  command->require_subcommand(1);
  add_database_settings(*command, line);
  auto status = std::make_shared<KeysOptions>();
  add_database_settings(*add_command(*command, line, "status", "Rows by key; 1 if one stands under a key that is not there", status), line);
  auto rotate = std::make_shared<KeysOptions>();
  rotate->action = KeysOptions::Action::rotate;
  auto* rotation = add_command(*command, line, "rotate", "Seal everything anew under ENCRYPTION_KEY", rotate);
  rotation->add_flag("--dry-run", rotate->dry_run, "Open everything, change nothing");
  add_database_settings(*rotation, line);
}

void add_bench(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<BenchOptions>();
  auto* command = add_command(app, line, "bench", "The built-in benchmarks", options);
  command->add_option("name", options->name, "Only this one")->type_name("NAME");
  command->add_flag("--json", options->json, "Machine-readable");
  command->add_flag("--quick", options->quick, "A tenth of the load: a smoke test, no figures to quote");
  command->add_option("--database-url", options->database_url, "Let the servers store in this PostgreSQL database")->type_name("URL");
  command->add_option("--hello", options->hello_port, "Be the bare server on this port that the figures are compared with")->group("");
}

void add_config(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<ConfigOptions>();
  auto* command = add_command(app, line, "config", "Check the configuration; write the example file or the reference page", options);
  command->add_flag_callback(
      "--example", [options] { options->show = ConfigOptions::Show::example; }, "Print .env.example");
  command->add_flag_callback(
      "--docs", [options] { options->show = ConfigOptions::Show::reference; }, "Print docs/configuration.md");
}

void add_functions(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("functions", "What a task may call");
  command->require_subcommand(1);
  auto list = std::make_shared<FunctionsCommandOptions>();
  auto* list_command = add_command(*command, line, "list", "All functions, one a line", list);
  list_command->add_flag("--json", list->json, "Machine-readable");
  auto show = std::make_shared<FunctionsCommandOptions>();
  show->action = FunctionsCommandOptions::Action::show;
  auto* show_command = add_command(*command, line, "show", "Parameters, output, reach and examples of one function", show);
  show_command->add_option("name", show->name, "The function")->required()->type_name("NAME");
  auto docs = std::make_shared<FunctionsCommandOptions>();
  docs->action = FunctionsCommandOptions::Action::docs;
  auto* docs_command = add_command(*command, line, "docs", "Write the reference pages, docs/functions/ of the source", docs);
  docs_command->add_option("folder", docs->name, "Where to")->required()->type_name("FOLDER");
}

void add_audit(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("audit", "The audit trail");
  command->require_subcommand(1);
  auto options = std::make_shared<AuditOptions>();
  auto* verify = add_command(*command, line, "verify", "Walk the chain, its signatures and its file; 1 with the first bad record", options);
  add_database_settings(*verify, line);
  verify->add_flag("--json", options->json, "Machine-readable");
  verify->add_flag("--no-file", options->without_file, "Look at the database alone");
  verify->add_option("--expect", options->expected, "This record must be there with this hash, as an earlier verification printed it")
      ->type_name("N:HASH");
}

void add_retention(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<RetentionOptions>();
  auto* command = add_command(app, line, "retention", "Remove what is older than the settings say", options);
  add_database_settings(*command, line);
  command->add_flag("--dry-run", options->dry_run, "Only count it");
  command->add_flag("--json", options->json, "Machine-readable");
}

void add_mcp(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<McpOptions>();
  auto* command = add_command(app, line, "mcp",
                              "Offer a server's workflows as tools: the Model Context Protocol on standard input and output", options);
  command->add_option("--url", options->url, "The server (default: where this machine's configuration has it)")->type_name("URL");
  command->footer("The key of the server's API stands in PAWL_API_KEY. See docs/mcp.md.");
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, char** argv) {
  ParsedCommandLine parsed;
  auto& line = parsed.line;
  CLI::App app("Pawl: durable workflows. Every step a workflow finishes stays finished.", "pawl");
  app.set_version_flag("--version", std::string("pawl ") + PAWL_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--config", line.common.config_file, "File with settings (NAME=value lines)")->type_name("FILE");
  add_run(app, line);
  add_validate(app, line);
  add_import(app, line);
  add_eval(app, line);
  add_eval_agent(app, line);
  add_serve(app, line, false);
  add_serve(app, line, true);
  add_migrate(app, line);
  add_backup(app, line);
  add_user(app, line);
  add_keys(app, line);
  add_bench(app, line);
  add_config(app, line);
  add_functions(app, line);
  add_audit(app, line);
  add_retention(app, line);
  add_mcp(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version end with 0 on standard output, every mistake with 2 on standard error.
    parsed.exit = app.exit(error) == 0 ? kOk : kUsage;
  }
  return parsed;
}

int dispatch(const CommandLine& line) {
  struct Visitor {
    const CommonOptions& common;
    int operator()(std::monostate) const { return kUsage; }
    int operator()(const RunOptions& options) const { return run_run(common, options); }
    int operator()(const ValidateOptions& options) const { return run_validate(common, options); }
    int operator()(const ImportOptions& options) const { return run_import(options); }
    int operator()(const EvalOptions& options) const { return run_eval(options); }
    int operator()(const EvalAgentOptions& options) const { return run_eval_agent(common, options); }
    int operator()(const ServeOptions& options) const { return run_serve(common, options); }
    int operator()(const MigrateOptions& options) const { return run_migrate(common, options); }
    int operator()(const BackupOptions& options) const { return run_backup(common, options); }
    int operator()(const UserCreateOptions& options) const { return run_user_create(common, options); }
    int operator()(const KeysOptions& options) const { return run_keys(common, options); }
    int operator()(const BenchOptions& options) const { return run_bench(options); }
    int operator()(const ConfigOptions& options) const { return run_config(common, options); }
    int operator()(const AuditOptions& options) const { return run_audit(common, options); }
    int operator()(const RetentionOptions& options) const { return run_retention(common, options); }
    int operator()(const FunctionsCommandOptions& options) const { return run_functions(common, options); }
    int operator()(const McpOptions& options) const { return run_mcp(common, options); }
  };
  return std::visit(Visitor{line.common}, line.command);
}

}  // namespace pawl::app
