#include "functions/detail/staged_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace pawl::functions {
namespace {

std::string unlikely_name() {
  std::array<unsigned char, 8> random{};
  randombytes_buf(random.data(), random.size());
  std::array<char, random.size() * 2 + 1> text{};
  sodium_bin2hex(text.data(), text.size(), random.data(), random.size());
  return fmt::format(".pawl-{}.tmp", text.data());
}

}  // namespace

StagedFile::StagedFile(Place place, Parent target, Parent staged, Fd fd, bool replace, bool existed)
    : place_(std::move(place)),
      target_(std::move(target)),
      staged_(std::move(staged)),
      fd_(std::move(fd)),
      replace_(replace),
      existed_(existed) {}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : place_(std::move(other.place_)),
      target_(std::move(other.target_)),
      staged_(std::move(other.staged_)),
      fd_(std::move(other.fd_)),
      replace_(other.replace_),
      existed_(other.existed_),
      committed_(std::exchange(other.committed_, true)) {}

StagedFile::~StagedFile() {
  if (!committed_) unlinkat(staged_.folder.get(), staged_.name.c_str(), 0);
}

Result<StagedFile> StagedFile::open(const Place& place, bool replace, mode_t mode) {
  PAWL_TRY(target, open_parent(place, true));
  struct stat before {};
  const bool existed = fstatat(target.folder.get(), target.name.c_str(), &before, AT_SYMLINK_NOFOLLOW) == 0;
  if (existed && !replace) return file_error(EEXIST, place.display());
  if (existed && !S_ISREG(before.st_mode)) {
    return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", place.display()));
  }
  Parent staged{Fd(openat(target.folder.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC)), unlikely_name()};
  Fd fd(openat(staged.folder.get(), staged.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return file_error(errno, place.display());
  return StagedFile(place, std::move(target), std::move(staged), std::move(fd), replace, existed);
}

Result<void> StagedFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error(errno, place_.display());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return boost::system::in_place_value;
}

Result<bool> StagedFile::commit() {
  if (fsync(fd_.get()) != 0) return file_error(errno, place_.display());
  if (!replace_) {
    PAWL_TRY_VOID(move_no_replace(staged_, target_));
  } else if (renameat(staged_.folder.get(), staged_.name.c_str(), target_.folder.get(), target_.name.c_str()) != 0) {
    return file_error(errno, place_.display());
  }
  committed_ = true;
  const Fd folder(openat(target_.folder.get(), ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (folder) fsync(folder.get());
  return !existed_;
}

}  // namespace pawl::functions
