/// The folders that workflows watch, as the scheduler needs them: an interface to the file system.
///
/// A listing tells everything that is below a folder at one moment; what of it is new is for `file_watch.hpp` to find. So an event of the
/// system that was lost does no harm: the next listing shows the same.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/file_watch.hpp"

namespace pawl::catalog {

class WatchedFolders {
 public:
  WatchedFolders() = default;
  WatchedFolders(const WatchedFolders&) = delete;
  WatchedFolders& operator=(const WatchedFolders&) = delete;
  virtual ~WatchedFolders() = default;

  /// Whether workflows may look into this folder, by its name alone. Errors `file.outside`, `file.invalid`.
  [[nodiscard]] virtual Result<void> check(const std::string& folder) const = 0;

  /// On a thread of this object, must not block for long. While the second argument is kept, the organization's next listing does not
  /// begin: so no more than one of each lies in memory.
  using Listed = std::function<void(Result<std::vector<WatchedFile>>, std::shared_ptr<const void>)>;
  /// Lists the folder now, and again shortly after something happens below it. Does not block. Limits are shared out by organization.
  virtual void follow(const ScheduleId& id, const OrganizationId& organization, const FileWatch& wish, Listed listed) = 0;
  /// Lists it once more. Does not block.
  virtual void look(const ScheduleId& id) = 0;
  /// There is no call of `listed` afterwards: waits for one that has begun, and never for a folder that is being read.
  virtual void forget(const ScheduleId& id) = 0;
};

}  // namespace pawl::catalog
