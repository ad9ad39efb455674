#include "functions/functions.hpp"

#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/process_runner.hpp"

namespace pawl::functions {
namespace {

using Factory = std::unique_ptr<engine::Function> (*)(const Parts&);

constexpr Factory kFactories[] = {
    make_approval,
    make_noop,
    make_log,
    make_http,
    make_http_task,
    make_openapi,
    make_web_scraper,
    make_run_shell,
    make_run_script,
    make_run_container,
    make_shell_command,
    make_file_read,
    make_file_write,
    make_file_organizer,
    make_csv,
    make_transform,
    make_archive,
    make_sql_query,
    make_git,
    make_database_backup,
    make_slack,
    make_send_email,
    make_s3,
    make_pdf_extractor,
    make_image_processor,
    make_email_summarizer,
};

}  // namespace

Result<void> add_builtin_functions(engine::FunctionRegistry& registry, const Dependencies& dependencies, const FunctionsOptions& options) {
  PAWL_TRY(roots, Roots::open(options.roots, options.hidden));
  Parts parts{dependencies, options, roots, nullptr, nullptr, &registry};
  parts.options.roots = roots->paths();
  parts.options.hidden = roots->hidden();
  parts.processes = std::make_shared<ProcessRunner>(parts.options);
  parts.http = std::make_shared<HttpExchanger>(dependencies.outbound);
  for (const Factory make : kFactories) registry.add(make(parts));
  return boost::system::in_place_value;
}

}  // namespace pawl::functions
