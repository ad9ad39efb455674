// The only file that knows CLI11: it is heavy to compile.
#include <CLI/CLI.hpp>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"

namespace pawl::app {
namespace {

void add_config(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("config", "Check the configuration; write the example file or the reference page");
  command->callback([&line] {
    if (!std::holds_alternative<ConfigOptions>(line.command)) line.command = ConfigOptions{};
  });
  const auto show = [&line](ConfigOptions::Show what) { return [&line, what] { line.command = ConfigOptions{what}; }; };
  command->add_flag_callback("--example", show(ConfigOptions::Show::example), "Print .env.example");
  command->add_flag_callback("--docs", show(ConfigOptions::Show::reference), "Print docs/configuration.md");
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, char** argv) {
  ParsedCommandLine parsed;
  CLI::App app("Pawl: durable workflows. Every step a workflow finishes stays finished.", "pawl");
  app.set_version_flag("--version", std::string("pawl ") + PAWL_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--config", parsed.line.common.config_file, "File with settings (NAME=value lines)")->type_name("FILE");
  add_config(app, parsed.line);
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
    int operator()(const ConfigOptions& options) const { return run_config(common, options); }
  };
  return std::visit(Visitor{line.common}, line.command);
}

}  // namespace pawl::app
