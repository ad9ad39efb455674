#include <fmt/core.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/files.hpp"
#include "app/findings.hpp"
#include "app/function_set.hpp"
#include "catalog/import.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

Result<std::string> read_source(const std::string& file) {
  if (file != "-") return read_file(file);
  return read_standard_input();
}

}  // namespace

int run_import(const ImportOptions& options) {
  const auto source = read_source(options.file);
  if (source.has_error()) {
    fmt::print(stderr, "{}\n", source.error().message);
    return kUsage;
  }
  const FunctionSet functions;
  const auto made = catalog::import_workflow(*source, catalog::parse_source_format(options.from).value_or(catalog::SourceFormat::automatic),
                                             functions.registry());
  if (made.has_error()) {
    fmt::print(stderr, "{}: {}\n", options.file, made.error().message);
    for (const auto& finding : made.error().findings) fmt::print(stderr, "{}\n", finding_line(options.file, finding));
    return kUsage;
  }
  if (options.json) {
    auto findings = json::Value::array();
    for (const auto& finding : made->findings) findings.push_back(finding_json(options.file, finding));
    const auto reply = json::Value::object(
        {{"format", catalog::to_text(made->format)}, {"name", made->name}, {"definition", made->text}, {"findings", std::move(findings)}});
    fmt::print("{}\n", json::to_text(reply));
    return kOk;
  }
  for (const auto& finding : made->findings) fmt::print(stderr, "{}\n", finding_line(options.file, finding));
  fmt::print("{}", made->text);
  return kOk;
}

}  // namespace pawl::app
