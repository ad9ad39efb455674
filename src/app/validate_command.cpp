#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/files.hpp"
#include "app/findings.hpp"
#include "app/function_set.hpp"
#include "dsl/compile.hpp"
#include "engine/capabilities.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

Checked<dsl::PlanPtr> check_file(const std::string& file, const dsl::FunctionCatalog& functions) {
  const auto text = read_file(file);
  if (text.has_value()) return dsl::compile(*text, functions);
  Finding unreadable;
  unreadable.message = text.error().message;
  unreadable.rule = "file";
  return {std::nullopt, {std::move(unreadable)}};
}

/// One line per thing that can be reached: `FILE: host api.example.com (/do/0/fetch)`.
void print_capabilities(const std::string& file, const engine::Capabilities& capabilities) {
  using Kind = engine::Capabilities::Kind;
  constexpr std::array<std::pair<Kind, std::string_view>, engine::Capabilities::kKinds> kNames = {{{Kind::host, "host"},
                                                                                                   {Kind::read, "reads"},
                                                                                                   {Kind::write, "writes"},
                                                                                                   {Kind::process, "runs"},
                                                                                                   {Kind::database, "database"},
                                                                                                   {Kind::mail, "mails"},
                                                                                                   {Kind::model, "model"},
                                                                                                   {Kind::workflow, "workflow"},
                                                                                                   {Kind::secret, "secret"},
                                                                                                   {Kind::function, "function"},
                                                                                                   {Kind::destructive, "destroys by"},
                                                                                                   {Kind::need, "needs"}}};
  for (const auto& [kind, name] : kNames) {
    for (const auto& each : capabilities.of(kind)) {
      std::string tasks;
      for (const auto& task : each.tasks) tasks += (tasks.empty() ? " (" : ", ") + task;
      fmt::print("{}: {} {}{}\n", file, name, each.name, tasks.empty() ? "" : tasks + ")");
    }
  }
}

}  // namespace

int run_validate(const CommonOptions& common, const ValidateOptions& options) {
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  const FunctionSet functions(&*config);
  auto found = json::Value::array();
  bool failed = false;
  auto reached = json::Value::object();
  for (const auto& file : options.files) {
    const auto checked = check_file(file, functions.registry());
    failed |= has_errors(checked.findings);
    for (const auto& finding : checked.findings) {
      if (options.json) {
        found.push_back(finding_json(file, finding));
      } else {
        fmt::print("{}\n", finding_line(file, finding));
      }
    }
    if (!options.capabilities || !checked.ok()) continue;
    const auto capabilities = engine::capabilities_of(**checked.value, functions.registry());
    if (options.json) {
      reached.set(file, engine::to_json(capabilities));
    } else {
      print_capabilities(file, capabilities);
    }
  }
  if (options.json) {
    auto answer = json::Value::object({{"valid", !failed}, {"findings", std::move(found)}});
    if (options.capabilities) answer.set("capabilities", std::move(reached));
    fmt::print("{}\n", json::to_text(answer));
  }
  return failed ? kUsage : kOk;
}

}  // namespace pawl::app
