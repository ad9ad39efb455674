/// The one way from a path in a document to a file: relative to the handle of an allowed folder, no symbolic links, no `..`, nothing
/// hidden.
///
/// Every file function goes through here (security check 26). The kernel resolves each path below the root's handle in one call (`openat2`
/// with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`), so that nobody can swap a folder for a link between a check and the use; where that call
/// is missing, the path is walked one component at a time without following links.
///
/// All of it blocks: call it from a pool. Errors: `file.outside` (denied), `file.not_found`, `file.exists`, `file.denied`, `file.io`.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "functions/detail/fd.hpp"

namespace pawl::functions {

class Roots;

/// A path below a root, checked in its text only: normalised, no `..`.
struct Place {
  const Roots* roots = nullptr;
  std::size_t root = 0;
  std::string relative;  ///< `.` for the root itself

  /// Absolute path, for people and logs.
  [[nodiscard]] std::string display() const;
  [[nodiscard]] Place child(std::string_view name) const;
};

class Roots {
 public:
  /// Opens the folders. Error `functions.root`.
  [[nodiscard]] static Result<std::shared_ptr<const Roots>> open(const std::vector<std::string>& roots,
                                                                 const std::vector<std::string>& hidden);

  /// Canonical absolute paths.
  [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }
  [[nodiscard]] const std::vector<std::string>& hidden() const { return hidden_; }
  [[nodiscard]] int handle(std::size_t root) const { return handles_[root].get(); }

  /// Relative paths are meant from the first root. Errors `file.outside`, `file.invalid`.
  [[nodiscard]] Result<Place> find(std::string_view path) const;

 private:
  std::vector<std::string> paths_;
  std::vector<std::string> given_;
  std::vector<std::string> hidden_;
  std::vector<Fd> handles_;
};

/// Opens what stands at the place (always close-on-exec, never through a link).
[[nodiscard]] Result<Fd> open_place(const Place& place, int flags, mode_t mode = 0);

/// The folder that holds the place, and the last component. Error `file.invalid` for a root itself.
struct Parent {
  Fd folder;
  std::string name;
};
[[nodiscard]] Result<Parent> open_parent(const Place& place, bool make_folders);

/// Opens a path below a folder's handle under the same rules; the walk of `open_place`, for trees.
[[nodiscard]] Result<Fd> open_below(int folder, const std::string& relative, int flags, mode_t mode = 0);
/// The fallback of `open_below`, for its test.
[[nodiscard]] Result<Fd> walk_below(int folder, const std::string& relative, int flags, mode_t mode);

/// Moves without ever replacing. Error `file.exists`.
[[nodiscard]] Result<void> move_no_replace(const Parent& from, const Parent& to);

/// `errno` as an error about `path`.
[[nodiscard]] Error file_error(int error, std::string_view path);

}  // namespace pawl::functions
