#include "functions/detail/organizer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/utf8.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

constexpr const char* kManifestFolder = ".pawl-undo";
constexpr const char* kDuplicates = "duplicates";
constexpr std::uint32_t kMaxDepth = 64;

struct Found {
  std::string path;  // relative to the target
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // seconds
};

Error cancelled_error() { return {ErrorClass::unavailable, "file.cancelled", "the call was cancelled"}; }

// ---- looking ----------------------------------------------------------------------------------------------------------------------

class Collector {
 public:
  Collector(const Place& target, const OrganizeOptions& options, const std::atomic<bool>& cancelled)
      : target_(target), options_(options), cancelled_(cancelled) {}

  Result<std::vector<Found>> collect() {
    PAWL_TRY_VOID(visit(options_.from, 0));
    std::sort(found_.begin(), found_.end(), [](const Found& left, const Found& right) { return left.path < right.path; });
    return std::move(found_);
  }

 private:
  Result<void> visit(const std::string& prefix, std::uint32_t depth) {
    const Place folder = prefix.empty() ? target_ : target_.child(prefix);
    PAWL_TRY(handle, open_place(folder, O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(handle.release()), closedir);
    if (!entries) return file_error(errno, folder.display());
    std::vector<std::string> folders;
    while (const dirent* entry = readdir(entries.get())) {
      const std::string name = entry->d_name;
      if (name.starts_with('.')) continue;
      if (cancelled_.load(std::memory_order_relaxed)) return cancelled_error();
      struct stat status {};
      if (fstatat(dirfd(entries.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
      const std::string path = prefix.empty() ? name : fmt::format("{}/{}", prefix, name);
      if (S_ISDIR(status.st_mode)) folders.push_back(path);
      if (!S_ISREG(status.st_mode) || !is_utf8(name)) continue;
      if (found_.size() == options_.max_files) {
        return Error(ErrorClass::too_large, "file.too_many",
                     fmt::format("{} holds more than {} files", target_.display(), options_.max_files));
      }
      found_.push_back({path, static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec});
    }
    if (!options_.recursive || depth == kMaxDepth) return boost::system::in_place_value;
    for (const std::string& path : folders) {
      // A hidden or unreadable folder is passed by, the rest goes on.
      auto visited = visit(path, depth + 1);
      if (visited.has_error() && visited.error().kind != ErrorClass::denied && visited.error().kind != ErrorClass::not_found)
        return visited;
    }
    return boost::system::in_place_value;
  }

  const Place& target_;
  const OrganizeOptions& options_;
  const std::atomic<bool>& cancelled_;
  std::vector<Found> found_;
};

// Files that are equal to one earlier in the list. Only files of equal size are read.
Result<std::set<std::string>> find_duplicates(const Place& target, const std::vector<Found>& files, const std::atomic<bool>& cancelled) {
  std::unordered_map<std::uint64_t, std::vector<const Found*>> by_size;
  for (const Found& file : files) {
    if (file.size > 0) by_size[file.size].push_back(&file);
  }
  std::set<std::string> duplicates;
  for (const auto& [size, same] : by_size) {
    if (same.size() < 2) continue;
    std::set<std::string> seen;
    for (const Found* file : same) {
      auto hash = hash_file(target.child(file->path), cancelled);
      if (hash.has_error() && hash.error().code == "file.cancelled") return std::move(hash).error();
      if (hash.has_value() && !seen.insert(hash.value()).second) duplicates.insert(file->path);
    }
  }
  return duplicates;
}

// ---- where to ----------------------------------------------------------------------------------------------------------------------

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::pair<std::string, std::string> split_extension(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return {name, ""};
  return {name.substr(0, dot), name.substr(dot)};
}

// Nothing: the file stays.
Result<std::optional<std::string>> category_by_expression(const Found& file, const jq::Program& expression) {
  constexpr std::size_t kLongest = 100;
  const std::string name = file.path.substr(file.path.rfind('/') + 1);
  const std::string extension = lower(split_extension(name).second);
  json::Value about = json::Value::object({{"name", name},
                                           {"extension", extension.empty() ? extension : extension.substr(1)},
                                           {"size", file.size},
                                           {"modified", to_rfc3339(TimePoint(std::chrono::seconds(file.modified)))}});
  PAWL_TRY(folder, jq::first(expression, std::move(about), {}));
  if (!folder.truthy()) return std::optional<std::string>();
  const std::string text(folder.is_string() ? folder.as_string() : "");
  if (text.empty() || text.size() > kLongest || text.front() == '.' ||
      text.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
    return Error(ErrorClass::invalid, "file.category",
                 fmt::format("the expression gives no name of a folder for {}: a text without `/` that does not begin with a dot", name));
  }
  return std::optional(text);
}

Result<std::optional<std::string>> category_of(const Found& file, const OrganizeOptions& options) {
  switch (options.by) {
    case OrganizeOptions::By::expression: return category_by_expression(file, options.expression.value());
    case OrganizeOptions::By::date: {
      const time_t time = file.modified;
      tm parts{};
      gmtime_r(&time, &parts);
      return std::optional(fmt::format("{:04}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1));
    }
    case OrganizeOptions::By::size: {
      constexpr std::uint64_t kMebibyte = 1U << 20U;
      return std::optional<std::string>(file.size < kMebibyte ? "small" : file.size < 100 * kMebibyte ? "medium" : "large");
    }
    case OrganizeOptions::By::type: break;
  }
  const std::string extension = lower(split_extension(file.path.substr(file.path.rfind('/') + 1)).second);
  for (const auto& [category, extensions] : options.categories) {
    if (!extension.empty() && std::find(extensions.begin(), extensions.end(), extension.substr(1)) != extensions.end()) {
      return std::optional(category);
    }
  }
  return std::optional<std::string>("others");
}

std::string normalised(const std::string& name) {
  std::string result;
  for (const char c : lower(name)) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      result += '_';
    } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-') {
      result += c;
    }
  }
  while (result.starts_with('.')) result.erase(0, 1);
  return result.empty() ? "unnamed" : result;
}

bool exists(const Place& target, const std::string& path) {
  const auto opened = open_place(target.child(path), O_PATH);
  // A link in the way is in the way, too.
  return opened.has_value() || opened.error().code == "file.outside";
}

std::string free_name(const Place& target, const std::string& category, const std::string& name, const std::set<std::string>& taken) {
  const auto [stem, extension] = split_extension(name);
  std::string path = fmt::format("{}/{}", category, name);
  for (int i = 1; taken.contains(path) || exists(target, path); ++i) path = fmt::format("{}/{}_{}{}", category, stem, i, extension);
  return path;
}

// ---- the manifest -------------------------------------------------------------------------------------------------------------------

class Manifest {
 public:
  static Result<Manifest> open(const Place& target, const std::string& key) {
    Place place = target.child(fmt::format("{}/{}.jsonl", kManifestFolder, key));
    PAWL_TRY(parent, open_parent(place, true));
    PAWL_TRY(fd, open_place(place, O_WRONLY | O_CREAT | O_APPEND, 0644));
    return Manifest(std::move(place), std::move(fd));
  }
  [[nodiscard]] const Place& place() const { return place_; }
  // On disk when it returns.
  Result<void> add(const Move& move) {
    const std::string line = json::to_text(json::Value::object({{"from", move.from}, {"to", move.to}, {"category", move.category}})) + "\n";
    if (write(fd_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) || fdatasync(fd_.get()) != 0) {
      return file_error(errno, place_.display());
    }
    return boost::system::in_place_value;
  }

 private:
  Manifest(Place place, Fd fd) : place_(std::move(place)), fd_(std::move(fd)) {}
  Place place_;
  Fd fd_;
};

bool sane(const std::string& path) { return !path.empty() && path.front() != '/' && path.find('\0') == std::string::npos; }

Result<std::vector<Move>> read_manifest(const Place& place) {
  constexpr std::size_t kLimit = 64U << 20U;
  PAWL_TRY(content, read_whole(place, kLimit));
  std::vector<Move> moves;
  std::string_view rest = content.bytes;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // torn by a crash: its move never began
    const auto line = json::parse(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    const bool complete = line.has_value() && line->get("from").is_string() && line->get("to").is_string();
    Move move;
    if (complete) move = {as_text(line->get("from")), as_text(line->get("to")), as_text(line->get("category")), ""};
    if (!complete || !sane(move.from) || !sane(move.to)) {
      return Error(ErrorClass::invalid, "file.manifest", fmt::format("{} is not a manifest of file-organizer", place.display()));
    }
    moves.push_back(std::move(move));
  }
  return moves;
}

Result<void> move_file(const Place& target, const std::string& from, const std::string& to) {
  // The text came from a manifest perhaps: it goes through the same check as any path of a document.
  PAWL_TRY(source_place, target.roots->find(target.child(from).display()));
  PAWL_TRY(goal_place, target.roots->find(target.child(to).display()));
  PAWL_TRY(source, open_parent(source_place, false));
  PAWL_TRY(goal, open_parent(goal_place, true));
  struct stat status {};
  if (fstatat(source.folder.get(), source.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return file_error(errno, from);
  if (!S_ISREG(status.st_mode)) return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", from));
  return move_no_replace(source, goal);
}

// Moves that an earlier attempt with the same key wrote down and made.
std::vector<Move> done_before(const Place& target, const Place& manifest) {
  auto written = read_manifest(manifest);
  if (written.has_error()) return {};
  std::vector<Move> done;
  for (Move& move : written.value()) {
    if (!exists(target, move.from) && exists(target, move.to)) done.push_back(std::move(move));
  }
  return done;
}

void remove_empty_folders(const Place& target, const std::set<std::string>& folders) {
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    auto parent = open_parent(target.child(*folder), false);
    if (parent.has_value()) unlinkat(parent->folder.get(), parent->name.c_str(), AT_REMOVEDIR);  // refuses where it is not empty
  }
}

}  // namespace

const std::vector<std::pair<std::string, std::vector<std::string>>>& default_categories() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> categories = {
      {"images", {"jpg", "jpeg", "png", "gif", "bmp", "svg", "webp", "tif", "tiff", "heic", "ico"}},
      {"documents", {"pdf", "doc", "docx", "odt", "txt", "md", "rtf", "xls", "xlsx", "ods", "csv", "ppt", "pptx", "odp", "tex", "epub"}},
      {"archives", {"zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar"}},
      {"media", {"mp3", "wav", "flac", "ogg", "m4a", "mp4", "avi", "mkv", "mov", "webm"}},
  };
  return categories;
}

Result<std::vector<Move>> plan_moves(const Place& target, const OrganizeOptions& options, const std::atomic<bool>& cancelled) {
  Collector collector(target, options, cancelled);
  PAWL_TRY(files, collector.collect());
  std::set<std::string> duplicates;
  if (options.duplicates) {
    PAWL_TRY(equal, find_duplicates(target, files, cancelled));
    duplicates = std::move(equal);
  }
  std::vector<Move> moves;
  std::set<std::string> taken;
  const std::string into = options.into.empty() ? std::string() : options.into + "/";
  for (const Found& file : files) {
    if (cancelled.load(std::memory_order_relaxed)) return cancelled_error();
    std::string name = file.path.substr(file.path.rfind('/') + 1);
    if (options.normalise_names) name = normalised(name);
    const bool duplicate = duplicates.contains(file.path);
    std::string category = kDuplicates;
    if (!duplicate) {
      PAWL_TRY(chosen, category_of(file, options));
      if (!chosen) continue;
      category = std::move(*chosen);
    }
    const bool is_there = file.path == fmt::format("{}{}/{}", into, category, name);
    if (is_there || (!duplicate && file.path.starts_with(fmt::format("{}{}/", into, kDuplicates)))) continue;
    Move move{file.path, free_name(target, into + category, name, taken), category, ""};
    taken.insert(move.to);
    moves.push_back(std::move(move));
  }
  return moves;
}

Result<Organized> organize(const Place& target, const OrganizeOptions& options, const std::atomic<bool>& cancelled) {
  const Place manifest_place = target.child(fmt::format("{}/{}.jsonl", kManifestFolder, options.key));
  Organized result;
  result.moves = done_before(target, manifest_place);
  PAWL_TRY(planned, plan_moves(target, options, cancelled));
  if (!result.moves.empty()) result.manifest = manifest_place.display();
  if (planned.empty()) return result;
  PAWL_TRY(manifest, Manifest::open(target, options.key));
  result.manifest = manifest_place.display();
  for (Move& move : planned) {
    if (cancelled.load(std::memory_order_relaxed)) {
      move.problem = "not moved: the call was cancelled";
    } else {
      PAWL_TRY_VOID(manifest.add(move));
      const auto moved = move_file(target, move.from, move.to);
      if (moved.has_error()) move.problem = moved.error().message;
    }
    result.moves.push_back(std::move(move));
  }
  return result;
}

Result<std::vector<Move>> undo(const Place& manifest, bool only_plan, const std::atomic<bool>& cancelled) {
  const std::string expected = fmt::format("{}/", kManifestFolder);
  const std::size_t at = manifest.relative.rfind(expected);
  const bool placed_well = at != std::string::npos && (at == 0 || manifest.relative[at - 1] == '/') &&
                           manifest.relative.find('/', at + expected.size()) == std::string::npos;
  if (!placed_well)
    return Error(ErrorClass::invalid, "file.manifest", fmt::format("{} is not a manifest of file-organizer", manifest.display()));
  const Place target{manifest.roots, manifest.root, at == 0 ? std::string(".") : manifest.relative.substr(0, at - 1)};

  PAWL_TRY(moves, read_manifest(manifest));
  std::vector<Move> back;
  std::set<std::string> emptied;
  for (auto move = moves.rbegin(); move != moves.rend(); ++move) {
    Move reverse{move->to, move->from, move->category, ""};
    // Written down, but never made.
    if (exists(target, reverse.to) && !exists(target, reverse.from)) continue;
    if (cancelled.load(std::memory_order_relaxed)) return cancelled_error();
    if (!only_plan) {
      const auto moved = move_file(target, reverse.from, reverse.to);
      if (moved.has_error()) reverse.problem = moved.error().message;
      emptied.insert(reverse.from.substr(0, reverse.from.rfind('/')));
    }
    back.push_back(std::move(reverse));
  }
  const bool all_well = std::all_of(back.begin(), back.end(), [](const Move& move) { return move.problem.empty(); });
  if (!only_plan && all_well) {
    remove_empty_folders(target, emptied);
    PAWL_TRY(parent, open_parent(manifest, false));
    unlinkat(parent.folder.get(), parent.name.c_str(), 0);
    remove_empty_folders(target, {kManifestFolder});
  }
  return back;
}

}  // namespace pawl::functions
