/// All built-in functions, one source file each. A line here is all that a new one needs beside its file: the table declares the factories
/// and is what `add_builtin_functions` goes through.
#pragma once

#include <memory>

#include "functions/detail/builtin.hpp"

#define PAWL_BUILTIN_FUNCTIONS(X) \
  X(make_approval)                \
  X(make_noop)                    \
  X(make_log)                     \
  X(make_http)                    \
  X(make_http_task)               \
  X(make_openapi)                 \
  X(make_web_scraper)             \
  X(make_run_shell)               \
  X(make_run_script)              \
  X(make_run_container)           \
  X(make_shell_command)           \
  X(make_file_read)               \
  X(make_file_write)              \
  X(make_file_organizer)          \
  X(make_csv)                     \
  X(make_transform)               \
  X(make_archive)                 \
  X(make_sql_query)               \
  X(make_git)                     \
  X(make_database_backup)         \
  X(make_slack)                   \
  X(make_send_email)              \
  X(make_s3)                      \
  X(make_pdf_extractor)           \
  X(make_image_processor)         \
  X(make_email_summarizer)

namespace pawl::functions {

using BuiltinFactory = std::unique_ptr<engine::Function>(const Parts& parts);

#define PAWL_DECLARE_FACTORY(name) BuiltinFactory name;
PAWL_BUILTIN_FUNCTIONS(PAWL_DECLARE_FACTORY)
#undef PAWL_DECLARE_FACTORY

}  // namespace pawl::functions
