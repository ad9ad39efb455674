#include <fmt/core.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/start_checks.hpp"

namespace pawl::app {
std::optional<config::Config> load_config(const CommonOptions& common, config::Purpose purpose) {
  config::Sources sources;
  sources.flags = common.flags;
  sources.environment = config::process_environment();
  sources.file_name = common.config_file;
  if (const auto it = sources.environment.find("PAWL_CONFIG"); sources.file_name.empty() && it != sources.environment.end()) {
    sources.file_name = it->second;
  }
  if (!sources.file_name.empty()) {
    std::ifstream in(sources.file_name, std::ios::binary);
    if (!in) {
      fmt::print(stderr, "pawl: cannot read the configuration file {}\n", sources.file_name);
      return std::nullopt;
    }
    std::stringstream text;
    text << in.rdbuf();
    sources.file_text = text.str();
  }
  auto loaded = config::load(sources, purpose);
  if (loaded.value && purpose == config::Purpose::server) check_parts(*loaded.value, loaded.findings);
  if (loaded.ok()) return std::move(loaded.value);
  fmt::print(stderr, "pawl: {} problem{} in the configuration:\n", loaded.findings.size(), loaded.findings.size() == 1 ? "" : "s");
  for (const auto& finding : loaded.findings) {
    fmt::print(stderr, "  {}{}{}\n", finding.pointer, finding.pointer.empty() ? "" : ": ", finding.message);
  }
  return std::nullopt;
}

int run_config(const CommonOptions& common, const ConfigOptions& options) {
  switch (options.show) {
    case ConfigOptions::Show::example: fmt::print("{}", config::example_file()); return kOk;
    case ConfigOptions::Show::reference: fmt::print("{}", config::reference_page()); return kOk;
    case ConfigOptions::Show::check: break;
  }
  if (!load_config(common, config::Purpose::server)) return kUsage;
  fmt::print("configuration is fine\n");
  return kOk;
}

}  // namespace pawl::app
