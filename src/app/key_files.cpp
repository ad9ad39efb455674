#include "app/key_files.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/files.hpp"
#include "app/part_options.hpp"
#include "config/config.hpp"
#include "crypto/crypto.hpp"

namespace pawl::app {
namespace {

Error key_error(const std::string& path, const std::string& what) {
  return {ErrorClass::internal, "key.file", fmt::format("the key file {} {}", path, what)};
}

Result<KeyFile> read_key(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return key_error(path, fmt::format("cannot be read: {}", std::strerror(errno)));
  if ((info.st_mode & 077U) != 0) return key_error(path, "may be read by others: run `chmod 600` on it, or delete it for a new key");
  PAWL_TRY(text, read_file(path));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.size() < config::kMinKeyLength) return key_error(path, "does not hold a key: delete it for a new one");
  return KeyFile{std::move(text), false};
}

}  // namespace

Result<KeyFile> ensure_key_file(const std::string& folder, const std::string& name) {
  const auto path = folder + "/" + name;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0 && errno == EEXIST) return read_key(path);
  if (file < 0) return key_error(path, fmt::format("cannot be written: {}", std::strerror(errno)));
  KeyFile made{crypto::random_token(), true};
  const auto line = made.key + "\n";
  const bool written = ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!written) {
    ::unlink(path.c_str());
    return key_error(path, "cannot be written");
  }
  return made;
}

Result<crypto::KeyRing> open_key_ring(const config::Config& config) {
  const std::string name = "encryption.key";
  const auto folder = data_folder(config);
  if (config.encryption_key.empty()) {
    PAWL_TRY(file, ensure_key_file(folder, name));
    return crypto::KeyRing(file.key, config.previous_encryption_keys);
  }
  auto previous = config.previous_encryption_keys;
  if (const auto path = folder + "/" + name;
      ::access(path.c_str(), F_OK) == 0) {  // Flawfinder: ignore (the data folder is its owner's alone)
    PAWL_TRY(file, read_key(path));
    previous.push_back(std::move(file.key));
  }
  return crypto::KeyRing(config.encryption_key, previous);
}

}  // namespace pawl::app
