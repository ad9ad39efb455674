/// The factories of all built-in functions, one source file each.
#pragma once

#include <memory>

#include "functions/detail/builtin.hpp"

namespace pawl::functions {

std::unique_ptr<engine::Function> make_approval(const Parts& parts);
std::unique_ptr<engine::Function> make_noop(const Parts& parts);
std::unique_ptr<engine::Function> make_log(const Parts& parts);
std::unique_ptr<engine::Function> make_http(const Parts& parts);
std::unique_ptr<engine::Function> make_http_task(const Parts& parts);
std::unique_ptr<engine::Function> make_openapi(const Parts& parts);
std::unique_ptr<engine::Function> make_web_scraper(const Parts& parts);
std::unique_ptr<engine::Function> make_run_shell(const Parts& parts);
std::unique_ptr<engine::Function> make_run_script(const Parts& parts);
std::unique_ptr<engine::Function> make_run_container(const Parts& parts);
std::unique_ptr<engine::Function> make_shell_command(const Parts& parts);
std::unique_ptr<engine::Function> make_file_read(const Parts& parts);
std::unique_ptr<engine::Function> make_file_write(const Parts& parts);
std::unique_ptr<engine::Function> make_file_organizer(const Parts& parts);
std::unique_ptr<engine::Function> make_csv(const Parts& parts);
std::unique_ptr<engine::Function> make_transform(const Parts& parts);
std::unique_ptr<engine::Function> make_archive(const Parts& parts);
std::unique_ptr<engine::Function> make_sql_query(const Parts& parts);
std::unique_ptr<engine::Function> make_git(const Parts& parts);
std::unique_ptr<engine::Function> make_database_backup(const Parts& parts);
std::unique_ptr<engine::Function> make_slack(const Parts& parts);
std::unique_ptr<engine::Function> make_send_email(const Parts& parts);
std::unique_ptr<engine::Function> make_s3(const Parts& parts);
std::unique_ptr<engine::Function> make_pdf_extractor(const Parts& parts);
std::unique_ptr<engine::Function> make_image_processor(const Parts& parts);
std::unique_ptr<engine::Function> make_email_summarizer(const Parts& parts);

}  // namespace pawl::functions
