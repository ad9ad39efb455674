// Rows of what watched folders have started.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/file_watch.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

[[nodiscard]] Result<std::map<std::string, FileStamp>> load_known_files(storage::Session& session, const ScheduleId& id);
/// `baseline`: whatever was there before goes. A schedule that is gone meanwhile is no error.
[[nodiscard]] Result<void> store_known_files(storage::Transaction& transaction, const ScheduleId& id,
                                             const std::vector<FileChange>& changes, bool baseline);

}  // namespace pawl::catalog::detail
