#include "storage/detail/data_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "storage/detail/restore_mark.hpp"

namespace pawl::storage::detail {
namespace {

Error io_error(const std::string& doing, int code) {
  return {ErrorClass::internal, "storage.io", doing + ": " + std::generic_category().message(code)};
}

}  // namespace

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder, Mark mark) {
  std::error_code failed;
  if (!std::filesystem::exists(folder, failed)) {
    if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), failed);
    if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) return io_error("create data folder " + folder.string(), errno);
  }
  const auto path = folder / "pawl.lock";
  FolderLock lock;
  lock.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (lock.descriptor_ < 0) return io_error("open " + path.string(), errno);
  if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("lock " + path.string(), errno);
    std::string holder(32, '\0');
    const auto length = pread(lock.descriptor_, holder.data(), holder.size(), 0);
    holder.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return Error{
        ErrorClass::conflict, "storage.locked",
        "the data folder " + folder.string() + " is in use by another Pawl process" + (holder.empty() ? "" : " (pid " + holder + ")")};
  }
  const auto pid = std::to_string(getpid());
  // Only a help for people: who holds the lock does not depend on it.
  if (ftruncate(lock.descriptor_, 0) == 0 && pwrite(lock.descriptor_, pid.data(), pid.size(), 0) < 0)
    return io_error("write " + path.string(), errno);
  if (mark == Mark::must_not_stand) PAWL_TRY_VOID(check_no_restore_is_unfinished(folder));
  return lock;
}

}  // namespace pawl::storage::detail
