/// Which files of a watched folder start a run (`metadata.files`): a pure core without clock, storage or threads.
///
/// What is in the folder is compared with what was there when it was last dealt with. A difference is *ripe* when the file has stayed as it
/// is for a while, so that none is taken that is still being written. Who has dealt with a change says so (`settle`), and makes that
/// durable: so nothing counts twice, and what happened while nobody looked is found at the next look.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::catalog {

/// Files below one watched folder; with more it is not watched.
inline constexpr std::size_t kMaxWatchedFiles = 10'000;
/// Runs of one watch that are being started at once. Further files wait for their turn in their folder.
inline constexpr std::size_t kMaxPendingFiles = 100;

/// What a document asks for.
struct FileWatch {
  std::string folder = ".";  ///< as file functions name it
  std::string glob = "*";    ///< of the name alone
  bool recursive = false;
  bool created = true;
  bool changed = true;
  bool removed = false;
  Millis settle{2'000};  ///< how long a file must have stayed as it is
};
/// Nothing where the document has no `metadata.files`. Error `workflow.files`: it is not as it should be.
[[nodiscard]] Result<std::optional<FileWatch>> file_watch_of(const dsl::Plan& plan);
/// Error `workflow.files` with a finding at the document's `metadata.files`, or at `member` of it.
[[nodiscard]] Error file_watch_error(const dsl::Plan& plan, std::string_view member, std::string message);
/// As the schedule's row keeps it, and back.
[[nodiscard]] json::Value to_details(const FileWatch& watch);
[[nodiscard]] FileWatch file_watch_from(const json::Value& details);

/// By what one state of a file is told from another.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  ///< since 1970
  friend auto operator<=>(const FileStamp&, const FileStamp&) = default;
};

struct WatchedFile {
  std::string path;  ///< as file functions take it
  FileStamp stamp;
};

struct FileChange {
  enum class Event : std::uint8_t { created, changed, removed };
  Event event = Event::created;
  std::string path;
  FileStamp stamp;  ///< of what was removed: the last known one
};
[[nodiscard]] std::string_view to_text(FileChange::Event event);
[[nodiscard]] bool wants(const FileWatch& wish, FileChange::Event event);
/// Of the run that a change starts: `{event, path, size, modified}`.
[[nodiscard]] json::Value input_of(const FileChange& change);

class FileWatchState {
 public:
  /// `known`: what was dealt with; none: nothing yet, and the first listing is what everything is compared with.
  explicit FileWatchState(std::optional<std::map<std::string, FileStamp>> known);

  [[nodiscard]] bool has_baseline() const { return known_.has_value(); }
  /// The first listing.
  void take_baseline(const std::vector<WatchedFile>& listing);

  struct Look {
    std::vector<FileChange> ripe;         ///< the oldest first
    std::optional<TimePoint> look_again;  ///< when the next one may be ripe
  };
  /// What of a listing differs and has done so for `settle`.
  [[nodiscard]] Look look(const std::vector<WatchedFile>& listing, Millis settle, TimePoint now);
  /// The change has been dealt with.
  void settle(const FileChange& change);

 private:
  struct Unsettled {
    std::optional<FileStamp> stamp;  ///< none: it is gone
    TimePoint since;
  };
  std::optional<std::map<std::string, FileStamp>> known_;
  std::map<std::string, Unsettled> unsettled_;
};

}  // namespace pawl::catalog
