#include "functions/detail/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/utf8.hpp"
#include "functions/detail/staged_file.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kMaxDepth = 64;
constexpr std::uint64_t kRatioFrom = 8U << 20U;  // below so many unpacked bytes nobody is harmed

struct FreeReader {
  void operator()(archive* reader) const noexcept { archive_read_free(reader); }
};
struct FreeWriter {
  void operator()(archive* writer) const noexcept {
    archive_write_fail(writer);  // closed or given up: freeing must not fill up the entry that was under way
    archive_write_free(writer);
  }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const noexcept { archive_entry_free(entry); }
};
struct CloseFolder {
  void operator()(DIR* folder) const noexcept { closedir(folder); }
};

Result<void> go_on(const ArchiveLimits& limits, const std::atomic<bool>& cancelled) {
  if (cancelled.load(std::memory_order_relaxed)) return Error(ErrorClass::unavailable, "archive.cancelled", "the call was cancelled");
  if (std::chrono::steady_clock::now() >= limits.deadline) {
    return Error(ErrorClass::timeout, "archive.timeout", "the time for this call is up");
  }
  return boost::system::in_place_value;
}
Error too_large(std::string what) { return {ErrorClass::too_large, "archive.too_large", std::move(what)}; }

Error format_error(const Place& place, archive* handle) {
  const char* said = archive_error_string(handle);
  return {ErrorClass::invalid, "archive.format",
          fmt::format("{}: {}", place.display(), to_utf8(said != nullptr ? said : "cannot be read"))};
}

// ---- reading ------------------------------------------------------------------------------------------------------------------------

// The bytes of the archive. The library asks for them in places where it does not come back for long (headers, what is skipped): the call's
// end is seen here.
struct Source {
  Fd fd;
  const ArchiveLimits& limits;
  const std::atomic<bool>& cancelled;
  std::array<char, kPiece> piece{};

  static la_ssize_t read(archive* handle, void* data, const void** buffer) {
    auto& source = *static_cast<Source*>(data);
    *buffer = source.piece.data();
    if (go_on(source.limits, source.cancelled).has_error()) {
      archive_set_error(handle, ECANCELED, "ended");
      return ARCHIVE_FATAL;
    }
    while (true) {
      const ssize_t length = ::read(source.fd.get(), source.piece.data(), source.piece.size());
      if (length >= 0) return length;
      if (errno == EINTR) continue;
      archive_set_error(handle, errno, "cannot be read");
      return ARCHIVE_FATAL;
    }
  }
  static la_int64_t seek(archive* handle, void* data, la_int64_t offset, int whence) {
    const off_t at = lseek(static_cast<Source*>(data)->fd.get(), offset, whence);
    if (at >= 0) return at;
    archive_set_error(handle, errno, "cannot be read");
    return ARCHIVE_FATAL;
  }
};

// By the first bytes. The library itself would look for further compressions inside of the first, and unpack all of them to do so.
int compression_of(int fd) {
  std::array<char, 6> bytes{};
  const ssize_t length = pread(fd, bytes.data(), bytes.size(), 0);
  const std::string_view begin(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  if (begin.starts_with("\x1F\x8B")) return ARCHIVE_FILTER_GZIP;
  if (begin.starts_with(std::string_view("\xFD"
                                         "7zXZ\0",
                                         6)))
    return ARCHIVE_FILTER_XZ;
  if (begin.starts_with("\x28\xB5\x2F\xFD")) return ARCHIVE_FILTER_ZSTD;
  return ARCHIVE_FILTER_NONE;
}

class Reader {
 public:
  static Result<Reader> open(const Place& place, const ArchiveLimits& limits, const std::atomic<bool>& cancelled) {
    Reader reader;
    PAWL_TRY(fd, open_place(place, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (fstat(fd.get(), &status) != 0) return file_error(errno, place.display());
    if (!S_ISREG(status.st_mode))
      return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", place.display()));
    reader.size_ = static_cast<std::uint64_t>(status.st_size);
    const int compression = compression_of(fd.get());
    reader.source_ = std::unique_ptr<Source>(new Source{std::move(fd), limits, cancelled});
    reader.archive_.reset(archive_read_new());
    archive* handle = reader.archive_.get();
    if (compression == ARCHIVE_FILTER_NONE) archive_read_support_format_zip_seekable(handle);
    archive_read_support_format_tar(handle);
    if (compression != ARCHIVE_FILTER_NONE && archive_read_append_filter(handle, compression) != ARCHIVE_OK) {
      return format_error(place, handle);
    }
    archive_read_set_read_callback(handle, Source::read);
    archive_read_set_seek_callback(handle, Source::seek);
    archive_read_set_callback_data(handle, reader.source_.get());
    if (archive_read_open1(handle) != ARCHIVE_OK) return reader.failure(place);
    return reader;
  }
  // What went wrong: the call's end, or what the library says.
  [[nodiscard]] Error failure(const Place& place) const {
    const auto ended = go_on(source_->limits, source_->cancelled);
    return ended.has_error() ? ended.error() : format_error(place, archive_.get());
  }
  [[nodiscard]] Result<void> go_on_reading() const { return go_on(source_->limits, source_->cancelled); }
  [[nodiscard]] archive* get() const { return archive_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  std::unique_ptr<Source> source_;
  std::unique_ptr<archive, FreeReader> archive_;  // reads from the source
  std::uint64_t size_ = 0;
};

bool is_git_folder(std::string_view part) {
  constexpr std::string_view kGit = ".git";
  return std::equal(part.begin(), part.end(), kGit.begin(), kGit.end(),
                    [](char left, char right) { return (left >= 'A' && left <= 'Z' ? static_cast<char>(left + 32) : left) == right; });
}

// Why an entry of that name is refused; empty: it is a plain path below the folder. `name` becomes normal.
std::string check_name(std::string& name) {
  if (name.empty() || !is_utf8(name)) return "its name is empty or not UTF-8";
  if (name.front() == '/') return "its name begins at the root";
  if (name.find('\\') != std::string::npos || name.find('\0') != std::string::npos) return "its name contains a backslash or a NUL";
  std::string normal;
  std::size_t depth = 0;
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (is_git_folder(part)) return "it lies in a folder .git, whose content git would obey";
    if (part == "..") return "its name leads out of the folder";
    if (++depth > kMaxDepth || part.size() > 255) return "its name is too long or too deep";
    if (!normal.empty()) normal += '/';
    normal += part;
  }
  name = std::move(normal);
  return {};
}

ArchiveEntry describe(archive_entry* entry) {
  ArchiveEntry result;
  const char* name = archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = archive_entry_pathname(entry);
  result.name = name != nullptr ? name : "";
  result.size = archive_entry_size_is_set(entry) != 0 ? static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0)) : 0;
  result.modified = TimePoint(std::chrono::seconds(archive_entry_mtime(entry)));
  result.executable = (archive_entry_perm(entry) & S_IXUSR) != 0;
  const auto type = archive_entry_filetype(entry);
  const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr || type == AE_IFLNK;
  result.kind = link ? "link" : type == AE_IFREG ? "file" : type == AE_IFDIR ? "folder" : "other";
  result.problem = check_name(result.name);
  if (result.problem.empty() && link) result.problem = "it is a link";
  if (result.problem.empty() && result.kind == "other") result.problem = "it is a special file";
  if (result.problem.empty() && archive_entry_is_encrypted(entry) != 0) result.problem = "it is encrypted";
  if (result.problem.empty() && result.name.empty() && result.kind == "file") result.problem = "it has no name";
  if (!is_utf8(result.name)) result.name = to_utf8(std::move(result.name));
  return result;
}

// What was unpacked so far, against what it came from.
class Budget {
 public:
  Budget(const ArchiveLimits& limits, std::uint64_t packed) : limits_(limits), packed_(std::max<std::uint64_t>(packed, 1)) {}
  Result<void> entry() {
    if (++entries_ > limits_.max_entries) return too_large(fmt::format("the archive holds more than {} entries", limits_.max_entries));
    return boost::system::in_place_value;
  }
  Result<void> bytes(std::uint64_t count) {
    if (count > limits_.max_bytes || (bytes_ += count) > limits_.max_bytes) {
      return too_large(fmt::format("the archive unpacks to more than {} bytes", limits_.max_bytes));
    }
    if (bytes_ > kRatioFrom && bytes_ / packed_ > limits_.max_ratio) {
      return too_large(fmt::format("the archive unpacks to more than {} times its size", limits_.max_ratio));
    }
    return boost::system::in_place_value;
  }

 private:
  const ArchiveLimits& limits_;
  std::uint64_t packed_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
};

// Nothing: the end.
Result<archive_entry*> next_entry(const Reader& reader, const Place& place, Budget& budget) {
  PAWL_TRY_VOID(reader.go_on_reading());
  archive_entry* entry = nullptr;
  const int code = archive_read_next_header(reader.get(), &entry);
  if (code == ARCHIVE_EOF) return static_cast<archive_entry*>(nullptr);
  if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return reader.failure(place);
  PAWL_TRY_VOID(budget.entry());
  return entry;
}

Result<void> copy_content(const Reader& reader, const Place& place, StagedFile& file, Budget& budget, std::uint64_t& bytes) {
  std::array<char, kPiece> piece{};
  while (true) {
    PAWL_TRY_VOID(reader.go_on_reading());
    const la_ssize_t length = archive_read_data(reader.get(), piece.data(), piece.size());
    if (length < 0) return reader.failure(place);
    if (length == 0) return boost::system::in_place_value;
    PAWL_TRY_VOID(budget.bytes(static_cast<std::uint64_t>(length)));
    PAWL_TRY_VOID(file.write({piece.data(), static_cast<std::size_t>(length)}));
    bytes += static_cast<std::uint64_t>(length);
  }
}

Result<void> make_folder(const Place& place) {
  PAWL_TRY(parent, open_parent(place, true));
  if (mkdirat(parent.folder.get(), parent.name.c_str(), 0777) != 0 && errno != EEXIST) return file_error(errno, place.display());
  PAWL_TRY(folder, open_place(place, O_PATH | O_DIRECTORY));  // a file or a link of that name is no folder
  return boost::system::in_place_value;
}

// ---- packing ------------------------------------------------------------------------------------------------------------------------

std::string last_part(const Place& place) {
  if (place.relative == ".") return "";
  return place.relative.substr(place.relative.rfind('/') + 1);
}

class Walker {
 public:
  Walker(PackingList& list, const Place& except, const ArchiveLimits& limits, const std::atomic<bool>& cancelled)
      : list_(list), except_(except), limits_(limits), cancelled_(cancelled) {}

  Result<void> visit(const Place& place, const std::string& name, std::size_t depth) {
    PAWL_TRY_VOID(go_on(limits_, cancelled_));
    if (list_.items.size() >= limits_.max_entries) return too_large(fmt::format("there are more than {} files", limits_.max_entries));
    if (depth > kMaxDepth) return too_large("the folders are too deep");
    if (place.root == except_.root && place.relative == except_.relative) return boost::system::in_place_value;
    const auto handle = open_place(place, O_PATH);
    if (handle.has_error()) {
      // A link below what was asked for, or a hidden folder, stays out; what was asked for by name must be there.
      if (depth == 0 || handle.error().code != "file.outside") return handle.error();
      list_.skipped.push_back(place.display());
      return boost::system::in_place_value;
    }
    struct stat status {};
    if (fstat(handle->get(), &status) != 0) return file_error(errno, place.display());
    if (S_ISREG(status.st_mode)) {
      list_.items.push_back({place, name, false});
      return boost::system::in_place_value;
    }
    if (!S_ISDIR(status.st_mode)) {
      list_.skipped.push_back(place.display());
      return boost::system::in_place_value;
    }
    if (!name.empty()) list_.items.push_back({place, name, true});
    PAWL_TRY(names, children(place));
    for (const std::string& child : names) PAWL_TRY_VOID(visit(place.child(child), name.empty() ? child : name + "/" + child, depth + 1));
    return boost::system::in_place_value;
  }

 private:
  Result<std::vector<std::string>> children(const Place& place) const {
    PAWL_TRY(handle, open_place(place, O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, CloseFolder> folder(fdopendir(handle.get()));
    if (!folder) return file_error(errno, place.display());
    static_cast<void>(handle.release());
    std::vector<std::string> names;
    while (const dirent* entry = readdir(folder.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || !is_utf8(name)) continue;
      names.emplace_back(name);
      if (names.size() > limits_.max_entries) return too_large(fmt::format("there are more than {} files", limits_.max_entries));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  PackingList& list_;
  const Place& except_;
  const ArchiveLimits& limits_;
  const std::atomic<bool>& cancelled_;
};

void choose(archive* writer, ArchiveFormat format) {
  if (format == ArchiveFormat::zip) {
    archive_write_set_format_zip(writer);
    return;
  }
  archive_write_set_format_pax_restricted(writer);
  if (format == ArchiveFormat::tar_gz) archive_write_add_filter_gzip(writer);
  if (format == ArchiveFormat::tar_xz) archive_write_add_filter_xz(writer);
  if (format == ArchiveFormat::tar_zst) archive_write_add_filter_zstd(writer);
}

Result<std::uint64_t> pack(archive* writer, const Packing& item, const Place& archive_place, std::uint64_t left,
                           const ArchiveLimits& limits, const std::atomic<bool>& cancelled) {
  PAWL_TRY(fd, open_place(item.place, (item.folder ? O_RDONLY | O_DIRECTORY : O_RDONLY) | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return file_error(errno, item.place.display());
  if (item.folder ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode)) {
    return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is something else by now", item.place.display()));
  }
  const auto size = item.folder ? 0 : static_cast<std::uint64_t>(status.st_size);
  if (size > left) return too_large("the files are larger than what may be packed");
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname_utf8(entry.get(), item.name.c_str());
  archive_entry_set_filetype(entry.get(), item.folder ? AE_IFDIR : AE_IFREG);
  archive_entry_set_perm(entry.get(), item.folder || (status.st_mode & S_IXUSR) != 0 ? 0755 : 0644);
  archive_entry_set_mtime(entry.get(), status.st_mtim.tv_sec, 0);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  if (archive_write_header(writer, entry.get()) < ARCHIVE_WARN) return format_error(archive_place, writer);
  std::array<char, kPiece> piece{};
  std::uint64_t done = 0;
  while (done < size) {
    PAWL_TRY_VOID(go_on(limits, cancelled));
    const ssize_t length = read(fd.get(), piece.data(), std::min<std::uint64_t>(piece.size(), size - done));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return file_error(errno, item.place.display());
    if (length == 0)
      return Error(ErrorClass::conflict, "archive.changed", fmt::format("{} became shorter meanwhile", item.place.display()));
    if (archive_write_data(writer, piece.data(), static_cast<std::size_t>(length)) < 0) return format_error(archive_place, writer);
    done += static_cast<std::uint64_t>(length);
  }
  return done;
}

}  // namespace

std::optional<ArchiveFormat> archive_format(std::string_view name) {
  const auto is = [&](std::string_view end) { return name == end || name.ends_with("." + std::string(end)); };
  if (is("zip")) return ArchiveFormat::zip;
  if (is("tar")) return ArchiveFormat::tar;
  if (is("tar.gz") || is("tgz")) return ArchiveFormat::tar_gz;
  if (is("tar.xz") || is("txz")) return ArchiveFormat::tar_xz;
  if (is("tar.zst") || is("tzst")) return ArchiveFormat::tar_zst;
  return std::nullopt;
}

Result<std::vector<ArchiveEntry>> list_archive(const Place& archive_place, const ArchiveLimits& limits,
                                               const std::atomic<bool>& cancelled) {
  PAWL_TRY(reader, Reader::open(archive_place, limits, cancelled));
  Budget budget(limits, reader.size());
  std::vector<ArchiveEntry> entries;
  while (true) {
    PAWL_TRY(entry, next_entry(reader, archive_place, budget));
    if (entry == nullptr) return entries;
    entries.push_back(describe(entry));
    PAWL_TRY_VOID(budget.bytes(entries.back().size));
  }
}

Result<Unpacked> extract_archive(const Place& archive_place, const Place& folder, Existing existing, const ArchiveLimits& limits,
                                 const std::atomic<bool>& cancelled) {
  PAWL_TRY(listed, list_archive(archive_place, limits, cancelled));
  for (const ArchiveEntry& entry : listed) {
    if (!entry.problem.empty()) {
      return Error(ErrorClass::denied, "archive.entry",
                   fmt::format("nothing was unpacked: the entry '{}' is refused, {}", entry.name, entry.problem));
    }
    if (existing == Existing::fail && entry.kind == "file" && open_place(folder.child(entry.name), O_PATH).has_value()) {
      return file_error(EEXIST, folder.child(entry.name).display());
    }
  }
  PAWL_TRY(reader, Reader::open(archive_place, limits, cancelled));
  Budget budget(limits, reader.size());
  Unpacked unpacked;
  while (true) {
    PAWL_TRY(raw, next_entry(reader, archive_place, budget));
    if (raw == nullptr) return unpacked;
    // Looked at again: the archive may have been changed meanwhile.
    const ArchiveEntry entry = describe(raw);
    if (!entry.problem.empty())
      return Error(ErrorClass::denied, "archive.entry", fmt::format("the entry '{}' is refused, {}", entry.name, entry.problem));
    if (entry.name.empty()) continue;
    const Place place = folder.child(entry.name);
    if (entry.kind == "folder") {
      PAWL_TRY_VOID(make_folder(place));
      continue;
    }
    if (existing == Existing::skip && open_place(place, O_PATH).has_value()) {
      ++unpacked.skipped;
      continue;
    }
    PAWL_TRY(file, StagedFile::open(place, existing == Existing::replace, entry.executable ? 0755 : 0644));
    PAWL_TRY_VOID(copy_content(reader, archive_place, file, budget, unpacked.bytes));
    PAWL_TRY_VOID(file.commit());
    ++unpacked.files;
  }
}

Result<PackingList> list_for_packing(const std::vector<Place>& places, const Place& except, const ArchiveLimits& limits,
                                     const std::atomic<bool>& cancelled) {
  PackingList list;
  Walker walker(list, except, limits, cancelled);
  for (const Place& place : places) PAWL_TRY_VOID(walker.visit(place, last_part(place), 0));
  return list;
}

Result<Packed> create_archive(const Place& archive_place, ArchiveFormat format, const std::vector<Packing>& items, bool replace,
                              const ArchiveLimits& limits, const std::atomic<bool>& cancelled) {
  PAWL_TRY(file, StagedFile::open(archive_place, replace));
  const std::unique_ptr<archive, FreeWriter> writer(archive_write_new());
  choose(writer.get(), format);
  archive_write_set_bytes_in_last_block(writer.get(), 1);
  if (archive_write_open_fd(writer.get(), file.fd()) != ARCHIVE_OK) return format_error(archive_place, writer.get());
  Packed packed;
  for (const Packing& item : items) {
    PAWL_TRY(bytes, pack(writer.get(), item, archive_place, limits.max_bytes - packed.bytes, limits, cancelled));
    packed.bytes += bytes;
    ++packed.entries;
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return format_error(archive_place, writer.get());
  struct stat status {};
  if (fstat(file.fd(), &status) == 0) packed.size = static_cast<std::uint64_t>(status.st_size);
  PAWL_TRY(created, file.commit());
  packed.created = created;
  return packed;
}

}  // namespace pawl::functions
