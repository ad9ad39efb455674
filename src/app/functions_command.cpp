#include <fmt/core.h>

#include <cstdio>
#include <fstream>
#include <tuple>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/function_set.hpp"
#include "functions/reference.hpp"
#include "functions/user_functions.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

int list(const engine::FunctionRegistry& registry, bool as_json) {
  auto all = json::Value::array();
  for (const engine::Function* function : registry.all()) {
    const auto& info = function->info();
    if (as_json) {
      all.push_back(json::Value::object(
          {{"name", info.name}, {"version", info.version}, {"summary", info.summary}, {"destructive", info.destructive}}));
    } else {
      fmt::print("{:<18} {}\n", info.name, info.summary);
    }
  }
  const auto written = registry.user_functions();
  for (const auto& function : *written) {
    const auto& [name, version] = std::tie(function.definition->name, function.definition->version);
    if (as_json) {
      all.push_back(json::Value::object(
          {{"name", name}, {"version", version}, {"summary", function.summary}, {"destructive", function.destructive}}));
    } else {
      fmt::print("{:<18} {}\n", name + ':' + version, function.summary);
    }
  }
  if (as_json) fmt::print("{}\n", json::to_text(all));
  return kOk;
}

int write_page(const std::string& file, const std::string& page) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << page;
  out.close();
  if (out) return kOk;
  fmt::print(stderr, "pawl: cannot write {}\n", file);
  return kFailed;
}

}  // namespace

int run_functions(const CommonOptions& common, const FunctionsCommandOptions& options) {
  std::optional<config::Config> config;
  if (options.action != FunctionsCommandOptions::Action::docs) {  // the reference is about the program's functions
    config = load_config(common, config::Purpose::tool);
    if (!config) return kUsage;
  }
  const FunctionSet functions(config ? &*config : nullptr);
  const auto& registry = functions.registry();
  switch (options.action) {
    case FunctionsCommandOptions::Action::list: return list(registry, options.json);
    case FunctionsCommandOptions::Action::show: {
      const auto written = registry.user_functions();
      for (const auto& one : *written) {
        if (one.definition->name != options.name && one.definition->name + ':' + one.definition->version != options.name) continue;
        fmt::print("{}", pawl::functions::user_function_page(one));
        return kOk;
      }
      const auto* function = registry.get(options.name);
      if (function == nullptr) {
        fmt::print(stderr, "pawl: there is no function '{}'; `pawl functions list` names them\n", options.name);
        return kUsage;
      }
      fmt::print("{}", pawl::functions::reference_page(*function));
      return kOk;
    }
    case FunctionsCommandOptions::Action::docs: break;
  }
  for (const engine::Function* function : registry.all()) {
    const std::string file = fmt::format("{}/{}.md", options.name, function->info().name);
    if (const int code = write_page(file, pawl::functions::reference_page(*function)); code != kOk) return code;
  }
  return write_page(options.name + "/README.md", pawl::functions::reference_index(registry));
}

}  // namespace pawl::app
