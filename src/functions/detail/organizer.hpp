/// The work of `file-organizer`: sort the files of a folder into folders, and take it back.
///
/// Before each move its line is on disk in a manifest below the folder (`.pawl-undo/KEY.jsonl`), so that a run that was killed can be taken
/// back too, and a run that is repeated with the same key goes on where it was. Nothing is ever replaced: a taken name gets `_1`, `_2`.
/// Symbolic links, hidden files and anything but regular files stay where they are. Blocking.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "functions/detail/contained_path.hpp"
#include "jq/jq.hpp"
#include "json/value.hpp"

namespace pawl::functions {

struct OrganizeOptions {
  enum class By : std::uint8_t { type, date, size, expression };
  By by = By::type;
  /// Category and the extensions (lower case, without dot) that belong to it; by type only.
  std::vector<std::pair<std::string, std::vector<std::string>>> categories;
  /// By expression: of `{name, extension, size, modified}` the folder's name; null or false leaves the file where it is.
  std::optional<jq::Program> expression{};
  std::string from{};  ///< only files below this folder of the target; empty: all of it
  std::string into{};  ///< the categories' folders are made in this folder of the target; empty: in the target itself
  bool recursive = false;
  bool duplicates = true;        ///< files with equal content, but for the first by name, go to `duplicates/`
  bool normalise_names = false;  ///< lower case, spaces to `_`, only `a-z0-9._-`
  std::string key;               ///< names the manifest: letters, digits, dashes
  std::uint32_t max_files = 10'000;
};

/// The categories of the earlier product: images, documents, archives, media.
[[nodiscard]] const std::vector<std::pair<std::string, std::vector<std::string>>>& default_categories();

struct Move {
  std::string from;  ///< relative to the target folder
  std::string to;
  std::string category;
  std::string problem;  ///< why it failed; empty: done, or planned
};

struct Organized {
  std::vector<Move> moves;
  std::string manifest;  ///< path for `undo`; empty where nothing was moved
};

/// What would be moved. Errors of contained_path.hpp, `file.too_many`, `file.cancelled`, `file.category` (an expression gave no name).
[[nodiscard]] Result<std::vector<Move>> plan_moves(const Place& target, const OrganizeOptions& options, const std::atomic<bool>& cancelled);
[[nodiscard]] Result<Organized> organize(const Place& target, const OrganizeOptions& options, const std::atomic<bool>& cancelled);

/// Moves back what the manifest names, last first, and removes the manifest when all of it went well. What is not there any more or whose
/// old name is taken is reported as a problem. Errors also `file.manifest`.
[[nodiscard]] Result<std::vector<Move>> undo(const Place& manifest, bool only_plan, const std::atomic<bool>& cancelled);

}  // namespace pawl::functions
