#include "functions/detail/contained_path.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace pawl::functions {
namespace {

// "below" in the sense of whole components.
bool lies_in(std::string_view path, std::string_view folder) {
  if (!path.starts_with(folder)) return false;
  return folder == "/" || path.size() == folder.size() || path[folder.size()] == '/';
}

Result<std::string> canonical(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), std::free);
  if (!resolved)
    return Error(ErrorClass::invalid, "functions.root", fmt::format("the folder {} cannot be opened: {}", path, std::strerror(errno)));
  return std::string(resolved.get());
}

// Components without `.` and empty ones; nothing where there is a `..`.
Result<std::string> normalise(std::string_view path) {
  std::string result;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view component = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") return Error(ErrorClass::denied, "file.outside", fmt::format("the path '{}' may not contain '..'", path));
    if (!result.empty()) result += '/';
    result += component;
  }
  return result.empty() ? std::string(".") : result;
}

Result<Fd> check_not_hidden(Fd fd, const Place& place) {
  const auto& hidden = place.roots->hidden();
  if (hidden.empty()) return fd;
  std::array<char, PATH_MAX> path{};
  // Flawfinder: ignore (a link of the kernel's own)
  const ssize_t length = readlink(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), path.data(), path.size());
  if (length <= 0) return file_error(errno, place.display());
  const std::string_view real(path.data(), static_cast<std::size_t>(length));
  for (const std::string& folder : hidden) {
    if (lies_in(real, folder)) return Error(ErrorClass::denied, "file.outside", fmt::format("{} belongs to the server", place.display()));
  }
  return fd;
}

}  // namespace

Error file_error(int error, std::string_view path) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return {ErrorClass::not_found, "file.not_found", fmt::format("there is no {}", path)};
    case EEXIST: return {ErrorClass::conflict, "file.exists", fmt::format("{} exists already", path)};
    case EXDEV:
    case ELOOP:
      return {ErrorClass::denied, "file.outside", fmt::format("{} leads through a symbolic link or out of the allowed folders", path)};
    case EACCES:
    case EPERM:
    case EROFS: return {ErrorClass::denied, "file.denied", fmt::format("{}: {}", path, std::strerror(error))};
    default: return {ErrorClass::internal, "file.io", fmt::format("{}: {}", path, std::strerror(error))};
  }
}

std::string Place::display() const {
  const std::string& root_path = roots->paths()[root];
  return relative == "." ? root_path : fmt::format("{}/{}", root_path, relative);
}

Place Place::child(std::string_view name) const {
  return {roots, root, relative == "." ? std::string(name) : fmt::format("{}/{}", relative, name)};
}

Result<std::shared_ptr<const Roots>> Roots::open(const std::vector<std::string>& roots, const std::vector<std::string>& hidden) {
  auto result = std::make_shared<Roots>();
  for (const std::string& root : roots) {
    PAWL_TRY(path, canonical(root));
    if (path == "/")
      return Error(ErrorClass::invalid, "functions.root", "the whole file system cannot be the folder that workflows work in");
    Fd handle(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!handle)
      return Error(ErrorClass::invalid, "functions.root",
                   fmt::format("{} is not a folder that can be opened: {}", root, std::strerror(errno)));
    result->paths_.push_back(std::move(path));
    result->given_.push_back(root);
    result->handles_.push_back(std::move(handle));
  }
  for (const std::string& folder : hidden) {
    PAWL_TRY(path, canonical(folder));
    result->hidden_.push_back(std::move(path));
  }
  return std::shared_ptr<const Roots>(std::move(result));
}

Result<Place> Roots::find(std::string_view path) const {
  if (paths_.empty()) return Error(ErrorClass::denied, "file.outside", "no folder is open to workflows: the configuration names none");
  if (path.empty() || path.find('\0') != std::string_view::npos)
    return Error(ErrorClass::invalid, "file.invalid", "the path is empty or contains a NUL");
  if (!path.starts_with('/')) {
    PAWL_TRY(relative, normalise(path));
    return Place{this, 0, std::move(relative)};
  }
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    for (const std::string& root : {paths_[i], given_[i]}) {
      if (!root.starts_with('/') || !lies_in(path, root)) continue;
      PAWL_TRY(relative, normalise(path.substr(root.size())));
      return Place{this, i, std::move(relative)};
    }
  }
  return Error(ErrorClass::denied, "file.outside", fmt::format("{} lies outside of the folders that are open to workflows", path));
}

Result<Fd> walk_below(int folder, const std::string& relative, int flags, mode_t mode) {
  Fd current(fcntl(folder, F_DUPFD_CLOEXEC, 0));
  std::string_view rest = relative;
  while (true) {
    const std::size_t end = rest.find('/');
    const std::string component(rest.substr(0, end));
    if (component == "..") return file_error(EXDEV, relative);
    const bool last = end == std::string_view::npos;
    const int how = last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW;
    Fd next(openat(current.get(), component.c_str(), how | O_CLOEXEC, last ? mode : 0));
    if (!next) {
      // A link where a folder is expected answers "not a directory".
      struct stat status {};
      const int error = errno;
      const bool link = fstatat(current.get(), component.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
      return file_error(link ? ELOOP : error, relative);
    }
    if (last) {
      // O_PATH with O_NOFOLLOW opens the link itself.
      struct stat status {};
      if (fstat(next.get(), &status) != 0) return file_error(errno, relative);
      if (S_ISLNK(status.st_mode)) return file_error(ELOOP, relative);
      return next;
    }
    current = std::move(next);
    rest.remove_prefix(end + 1);
  }
}

Result<Fd> open_below(int folder, const std::string& relative, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  constexpr int kAttempts = 8;  // EAGAIN: somebody renamed on the way
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Fd fd(static_cast<int>(syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how)));
    if (fd) return fd;
    if (errno != EAGAIN) break;
  }
  if (errno == ENOSYS || errno == EPERM) return walk_below(folder, relative, flags, mode);
  return file_error(errno, relative);
}

Result<Fd> open_place(const Place& place, int flags, mode_t mode) {
  auto opened = open_below(place.roots->handle(place.root), place.relative, flags, mode);
  if (opened.has_error()) {
    Error error = std::move(opened).error();
    if (const std::size_t at = error.message.find(place.relative); at != std::string::npos && place.relative != ".") {
      error.message.replace(at, place.relative.size(), place.display());
    }
    return error;
  }
  return check_not_hidden(std::move(opened).value(), place);
}

Result<Parent> open_parent(const Place& place, bool make_folders) {
  if (place.relative == ".") return Error(ErrorClass::invalid, "file.invalid", fmt::format("{} is a folder", place.display()));
  const std::size_t slash = place.relative.rfind('/');
  Place folder{place.roots, place.root, slash == std::string::npos ? std::string(".") : place.relative.substr(0, slash)};
  std::string name = slash == std::string::npos ? place.relative : place.relative.substr(slash + 1);
  auto opened = open_place(folder, O_PATH | O_DIRECTORY);
  if (opened.has_error() && opened.error().code == "file.not_found" && make_folders) {
    PAWL_TRY(above, open_parent(folder, true));
    if (mkdirat(above.folder.get(), above.name.c_str(), 0777) != 0 && errno != EEXIST) return file_error(errno, folder.display());
    opened = open_place(folder, O_PATH | O_DIRECTORY);
  }
  if (opened.has_error()) return std::move(opened).error();
  return Parent{std::move(opened).value(), std::move(name)};
}

Result<void> move_no_replace(const Parent& from, const Parent& to) {
  if (renameat2(from.folder.get(), from.name.c_str(), to.folder.get(), to.name.c_str(), RENAME_NOREPLACE) != 0)
    return file_error(errno, to.name);
  return boost::system::in_place_value;
}

}  // namespace pawl::functions
