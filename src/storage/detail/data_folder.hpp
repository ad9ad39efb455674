/// The data folder: private to its owner, and locked by the process that works in it.
#pragma once

#include <cstdint>
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

  /// Whether the mark of a restore (restore_mark.hpp) may stand in the folder: for the restore itself.
  enum class Mark : std::uint8_t { must_not_stand, may_stand };
  /// Creates the folder (0700) where missing. Errors: `storage.io`, `storage.locked`, `storage.restore_unfinished`.
  [[nodiscard]] static Result<FolderLock> take(const std::filesystem::path& folder, Mark mark = Mark::must_not_stand);

 private:
  int descriptor_ = -1;
};

}  // namespace pawl::storage::detail
