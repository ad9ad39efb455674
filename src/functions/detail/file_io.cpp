#include "functions/detail/file_io.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace pawl::functions {
namespace {

constexpr std::size_t kPiece = 256 * 1024;

// Not blocking: a pipe or a device with a regular name must not hold the thread.
Result<Fd> open_regular(const Place& place, int flags, struct stat& status) {
  PAWL_TRY(fd, open_place(place, flags | O_NONBLOCK | O_NOCTTY));
  if (fstat(fd.get(), &status) != 0) return file_error(errno, place.display());
  if (!S_ISREG(status.st_mode))
    return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", place.display()));
  return fd;
}

Result<void> write_all(const Fd& fd, std::string_view bytes, const Place& place) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error(errno, place.display());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return boost::system::in_place_value;
}

Result<void> sync(const Fd& fd, const Place& place) {
  if (fsync(fd.get()) != 0) return file_error(errno, place.display());
  return boost::system::in_place_value;
}

Result<Written> append(const Place& place, const Parent& parent, std::string_view bytes) {
  struct stat before {};
  const bool existed = fstatat(parent.folder.get(), parent.name.c_str(), &before, AT_SYMLINK_NOFOLLOW) == 0;
  PAWL_TRY(fd, open_place(place, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return file_error(errno, place.display());
  if (!S_ISREG(status.st_mode))
    return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", place.display()));
  PAWL_TRY_VOID(write_all(fd, bytes, place));
  PAWL_TRY_VOID(sync(fd, place));
  return Written{.created = !existed, .size = static_cast<std::uint64_t>(status.st_size) + bytes.size()};
}

std::string unlikely_name() {
  std::array<unsigned char, 8> random{};
  randombytes_buf(random.data(), random.size());
  std::array<char, random.size() * 2 + 1> text{};
  sodium_bin2hex(text.data(), text.size(), random.data(), random.size());
  return fmt::format(".pawl-{}.tmp", text.data());
}

Result<void> write_temporary(const Parent& temporary, std::string_view bytes, mode_t mode, bool keep_mode, const Place& place) {
  const Fd fd(openat(temporary.folder.get(), temporary.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return file_error(errno, place.display());
  PAWL_TRY_VOID(write_all(fd, bytes, place));
  if (keep_mode) fchmod(fd.get(), mode);  // the umask may have taken some of it
  return sync(fd, place);
}

}  // namespace

Result<FileContent> read_whole(const Place& place, std::size_t limit) {
  struct stat status {};
  PAWL_TRY(fd, open_regular(place, O_RDONLY, status));
  const auto too_large = [&] {
    return Error(ErrorClass::too_large, "file.too_large", fmt::format("{} is larger than the limit of {} bytes", place.display(), limit));
  };
  if (static_cast<std::uint64_t>(status.st_size) > limit) return too_large();
  FileContent content;
  content.modified = TimePoint(Millis(static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1000 + status.st_mtim.tv_nsec / 1'000'000));
  std::vector<char> piece(kPiece);
  while (true) {
    const ssize_t length = read(fd.get(), piece.data(), piece.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return file_error(errno, place.display());
    if (length == 0) return content;
    content.bytes.append(piece.data(), static_cast<std::size_t>(length));
    if (content.bytes.size() > limit) return too_large();
  }
}

Result<Written> write_whole(const Place& place, std::string_view bytes, WriteMode mode) {
  PAWL_TRY(parent, open_parent(place, true));
  if (mode == WriteMode::append) return append(place, parent, bytes);
  struct stat before {};
  const bool exists = fstatat(parent.folder.get(), parent.name.c_str(), &before, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && mode == WriteMode::create) return file_error(EEXIST, place.display());
  if (exists && !S_ISREG(before.st_mode))
    return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", place.display()));

  // Written beside it under another name, so that nobody sees a half of it.
  const Parent temporary{Fd(openat(parent.folder.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC)), unlikely_name()};
  auto written = write_temporary(temporary, bytes, exists ? before.st_mode & 07777 : 0644, exists, place);
  if (written.has_value()) {
    if (mode == WriteMode::create) {
      written = move_no_replace(temporary, parent);
    } else if (renameat(temporary.folder.get(), temporary.name.c_str(), parent.folder.get(), parent.name.c_str()) != 0) {
      written = file_error(errno, place.display());
    }
  }
  if (written.has_error()) {
    unlinkat(temporary.folder.get(), temporary.name.c_str(), 0);
    return std::move(written).error();
  }
  const Fd folder(openat(parent.folder.get(), ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (folder) fsync(folder.get());
  return Written{.created = !exists, .size = bytes.size()};
}

Result<FileReader> FileReader::open(const Place& place) {
  struct stat status {};
  PAWL_TRY(fd, open_regular(place, O_RDONLY, status));
  FileReader reader;
  reader.place_ = place;
  reader.fd_ = std::move(fd);
  reader.size_ = static_cast<std::uint64_t>(status.st_size);
  return reader;
}

Result<std::string> FileReader::piece(std::uint64_t offset, std::size_t length) const {
  std::string bytes(length, '\0');
  std::size_t filled = 0;
  while (filled < length) {
    const ssize_t got = pread(fd_.get(), bytes.data() + filled, length - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(errno, place_.display());
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

Result<std::string> hash_file(const Place& place, const std::atomic<bool>& cancelled) {
  struct stat status {};
  PAWL_TRY(fd, open_regular(place, O_RDONLY, status));
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::vector<unsigned char> piece(kPiece);
  while (true) {
    if (cancelled.load(std::memory_order_relaxed)) return Error(ErrorClass::unavailable, "file.cancelled", "the call was cancelled");
    const ssize_t length = read(fd.get(), piece.data(), piece.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return file_error(errno, place.display());
    if (length == 0) break;
    crypto_hash_sha256_update(&state, piece.data(), static_cast<unsigned long long>(length));
  }
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state, digest.data());
  std::array<char, digest.size() * 2 + 1> text{};
  sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
  return std::string(text.data());
}

}  // namespace pawl::functions
