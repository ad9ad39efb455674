/// Watches folders below the roots and lists what is in them, whenever something has happened there.
///
///     auto watch = FolderWatch::make(roots, hidden);
///     (*watch)->follow("1", {.owner = "me", .folder = "inbox", .glob = "*.csv"},
///                      [](Result<std::vector<FolderWatch::File>> files, FolderWatch::Hold hold) { ... });
///
/// The kernel tells (inotify) that something happened; a listing then tells what there is. So events that the kernel drops, or that come by
/// the thousand, cost one more listing and lose nothing. Only regular files count, by whose name the glob is asked (as in a shell: a `*`
/// takes no leading dot); links are not followed, names that are no UTF-8 are passed over. Folders are opened like those of the file
/// functions: below a root, and nowhere else. What leads from the root to the folder is watched too, so that a folder is found again when
/// something above it was replaced.
///
/// One owner's folders do not stand in the way of another's: of each owner one listing is on its way at a time, owners take turns, and each
/// has a share of what can be watched. A listing is on its way from its beginning until its `Hold` is gone.
///
/// Thread-safe. One thread does the work; listings are told on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace pawl::functions {

class FolderWatch {
 public:
  static constexpr std::size_t kMaxFiles = 10'000;          ///< below one followed folder
  static constexpr std::size_t kMaxPathBytes = 4 << 20;     ///< of their paths together
  static constexpr std::size_t kMaxEntries = 100'000;       ///< below one followed folder, with what the glob leaves out
  static constexpr std::size_t kMaxFilesOfOwner = 100'000;  ///< below all folders that one owner follows
  static constexpr std::size_t kMaxFoldersOfOwner = 1'000;  ///< watched at once for one owner, with what leads to them
  static constexpr std::size_t kMaxFolders = 8'000;         ///< likewise for all
  static constexpr std::size_t kMaxDepth = 16;
  static constexpr std::size_t kMaxOnTheirWay = 16;  ///< listings of all owners

  struct Wish {
    std::string owner{};  ///< whose share of the limits it takes
    std::string folder;   ///< as file functions take it
    std::string glob = "*";
    bool recursive = false;
  };
  struct File {
    std::string path;  ///< as file functions take it
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;  ///< since 1970
  };
  /// Kept while a listing lies in somebody's memory: the owner's next one does not begin before it is gone. May outlive the watch.
  using Hold = std::shared_ptr<const void>;
  /// Errors: those of file functions, `file.too_many` (files or folders; nothing of it is told then).
  using Listed = std::function<void(Result<std::vector<File>>, Hold)>;

  /// Told on the thread of the watch before a folder is read, which is watched by then. Tests hold a listing up there.
  using Reading = std::function<void(const std::string& folder)>;
  /// Error `functions.root`, `file.watch` (the kernel grants none).
  [[nodiscard]] static Result<std::unique_ptr<FolderWatch>> make(const std::vector<std::string>& roots,
                                                                 const std::vector<std::string>& hidden, Reading reading = {});
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// Whether the folder may be watched, by its name alone. Errors `file.outside`, `file.invalid`.
  [[nodiscard]] Result<void> check(const std::string& folder) const;

  /// Lists the folder now and after everything that happens below it, until it is forgotten. `key`: the caller's own, one for each folder;
  /// what was followed under it before is forgotten. Does not block.
  void follow(const std::string& key, Wish wish, Listed listed);
  void look(const std::string& key);
  /// There is no call of `listed` afterwards: waits for one that has begun, and never for a folder that is being read (that listing is
  /// broken off, and nobody is told).
  void forget(const std::string& key);

 private:
  struct Impl;
  explicit FolderWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::functions
