#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/function_set.hpp"
#include "functions/reference.hpp"
#include "functions/user_functions.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

void print_line(const std::string& name, const std::string& summary, const std::vector<std::string>& needs) {
  fmt::print("{:<18} {}{}\n", name, summary, needs.empty() ? "" : fmt::format(" [{}]", fmt::join(needs, ", ")));
}

int list(const engine::FunctionRegistry& registry, bool as_json) {
  auto all = json::Value::array();
  const auto add = [&](const std::string& name, const std::string& version, const std::string& summary, bool destructive,
                       const std::vector<std::string>& needs) {
    auto names = json::Value::array();
    for (const auto& need : needs) names.push_back(need);
    all.push_back(json::Value::object(
        {{"name", name}, {"version", version}, {"summary", summary}, {"destructive", destructive}, {"needs", std::move(names)}}));
  };
  for (const engine::Function* function : registry.all()) {
    const auto& info = function->info();
    std::vector<std::string> needs;
    for (const auto need : engine::needs_of(info)) needs.emplace_back(engine::to_text(need));
    if (as_json) {
      add(info.name, info.version, info.summary, info.destructive, needs);
    } else {
      print_line(info.name, info.summary, needs);
    }
  }
  const auto written = registry.user_functions();
  for (const auto& function : *written) {
    const auto& [name, version] = std::tie(function.definition->name, function.definition->version);
    if (as_json) {
      add(name, version, function.summary, function.destructive, function.needs);
    } else {
      print_line(name + ':' + version, function.summary, function.needs);
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
