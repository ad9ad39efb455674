/// The data folder: private to its owner, and locked by the process that works in it.
#pragma once

#include <filesystem>
#include <utility>

#include "base/error.hpp"

namespace pawl::storage::detail {

/// Holds `pawl.lock` of a folder (flock: the kernel frees it when the process dies).
class FolderLock {
 public:
  FolderLock() = default;
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FolderLock();

  /// Creates the folder (0700) where missing. Errors: `storage.io`, `storage.locked`, `storage.restore_unfinished`.
  [[nodiscard]] static Result<FolderLock> take(const std::filesystem::path& folder);

 private:
  int descriptor_ = -1;
};

/// Stands in a data folder while a backup is restored into it. It stays where that was broken off: half an installation, perhaps without
/// its database, must not be started as if it were a whole or a new one.
[[nodiscard]] Result<void> mark_restore_begun(const std::filesystem::path& folder);
[[nodiscard]] Result<void> mark_restore_finished(const std::filesystem::path& folder);
/// Error `storage.restore_unfinished` where the mark stands.
[[nodiscard]] Result<void> check_no_restore_is_unfinished(const std::filesystem::path& folder);

}  // namespace pawl::storage::detail
