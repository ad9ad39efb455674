// pawl backup and pawl restore.
#include <fmt/core.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/part_options.hpp"
#include "storage/backup.hpp"

namespace pawl::app {
namespace {

int finish(const Result<storage::BackupSummary>& result, std::string_view what) {
  if (result.has_error()) {
    fmt::print(stderr, "pawl: {}\n", result.error().message);
    return kFailed;
  }
  fmt::print("{}: {} files, {} bytes, of {}\n", what, result->files, result->bytes, to_rfc3339(result->made_at));
  return kOk;
}

}  // namespace

int run_backup(const CommonOptions& common, const BackupOptions& options) {
  if (options.action == BackupOptions::Action::check) return finish(storage::verify_backup(options.folder), "the backup is whole");
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  const auto database = database_options(*config);
  if (options.action == BackupOptions::Action::save) return finish(storage::back_up(database, options.folder, SystemClock()), "saved");
  return finish(storage::restore(database, options.folder, SystemClock()), "restored");
}

}  // namespace pawl::app
