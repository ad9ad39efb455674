#include "storage/detail/hashed_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

namespace pawl::storage::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{256} * 1024;

Error io_error(const std::string& doing, const fs::path& path) {
  return {ErrorClass::internal, "storage.io", doing + " " + path.string() + ": " + std::generic_category().message(errno)};
}

struct Descriptor {
  explicit Descriptor(int a_number) : number(a_number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
  int number;
};

}  // namespace

void Sha256::add(std::string_view bytes) {
  crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::string Sha256::hex() {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state_, digest.data());
  std::string text(digest.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
  text.pop_back();
  return text;
}

Result<HashedFile> HashedFile::create(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return io_error("create", path);
  return HashedFile(path, descriptor);
}

HashedFile::~HashedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<void> HashedFile::write(std::string_view bytes) {
  hash_.add(bytes);
  size_ += bytes.size();
  while (!bytes.empty()) {
    const auto written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) return io_error("write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<FileDigest> HashedFile::finish() {
  if (fsync(descriptor_) != 0) return io_error("flush", path_);
  return FileDigest{hash_.hex(), size_};
}

Result<void> read_file(const fs::path& path, const std::function<Result<void>(std::string_view)>& take) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.number < 0) return io_error("open", path);
  std::vector<char> buffer(kPiece);
  for (;;) {
    const auto got = read(file.number, buffer.data(), buffer.size());
    if (got < 0) return io_error("read", path);
    if (got == 0) return {};
    PAWL_TRY_VOID(take({buffer.data(), static_cast<std::size_t>(got)}));
  }
}

Result<FileDigest> digest_of(const fs::path& path) {
  Sha256 hash;
  std::uint64_t size = 0;
  PAWL_TRY_VOID(read_file(path, [&](std::string_view piece) -> Result<void> {
    hash.add(piece);
    size += piece.size();
    return {};
  }));
  return FileDigest{hash.hex(), size};
}

Result<FileDigest> copy_file(const fs::path& from, const fs::path& to) {
  PAWL_TRY(copy, HashedFile::create(to));
  PAWL_TRY_VOID(read_file(from, [&copy](std::string_view piece) { return copy.write(piece); }));
  return copy.finish();
}

Result<FileDigest> adopt_file(const fs::path& path) {
  const Descriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file.number < 0) return io_error("open", path);
  if (fchmod(file.number, S_IRUSR | S_IWUSR) != 0 || fsync(file.number) != 0) return io_error("flush", path);
  return digest_of(path);
}

Result<void> make_folder(const fs::path& path) {
  std::error_code failed;
  if (path.has_parent_path() && !fs::exists(path.parent_path(), failed)) PAWL_TRY_VOID(make_folder(path.parent_path()));
  if (mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) return io_error("create the folder", path);
  return {};
}

Result<void> sync_folder(const fs::path& path) {
  const Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.number < 0 || fsync(folder.number) != 0) return io_error("flush the folder", path);
  return {};
}

bool is_missing_or_empty(const fs::path& path) {
  std::error_code failed;
  return !fs::exists(path, failed) || (fs::is_directory(path, failed) && fs::is_empty(path, failed));
}

}  // namespace pawl::storage::detail
