/// Files of a backup: private to their owner, hashed while they are written or read, durable when finished.
#pragma once

#include <sodium.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace pawl::storage::detail {

struct FileDigest {
  std::string sha256;  ///< hexadecimal
  std::uint64_t size = 0;
};

class Sha256 {
 public:
  Sha256() { crypto_hash_sha256_init(&state_); }
  void add(std::string_view bytes);
  [[nodiscard]] std::string hex();

 private:
  crypto_hash_sha256_state state_{};
};

class HashedFile {
 public:
  /// A new file, mode 0600.
  [[nodiscard]] static Result<HashedFile> create(const std::filesystem::path& path);
  HashedFile(HashedFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), hash_(other.hash_), size_(other.size_) {}
  HashedFile& operator=(HashedFile&&) = delete;
  ~HashedFile();

  [[nodiscard]] Result<void> write(std::string_view bytes);
  /// Flushed to the disk.
  [[nodiscard]] Result<FileDigest> finish();

 private:
  HashedFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::filesystem::path path_;
  int descriptor_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

/// Hands on the file piece by piece.
[[nodiscard]] Result<void> read_file(const std::filesystem::path& path, const std::function<Result<void>(std::string_view)>& take);
[[nodiscard]] Result<FileDigest> digest_of(const std::filesystem::path& path);
[[nodiscard]] Result<FileDigest> copy_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// Mode 0600, flushed to the disk, hashed: for a file that another library has written.
[[nodiscard]] Result<FileDigest> adopt_file(const std::filesystem::path& path);
/// A private folder and its parents.
[[nodiscard]] Result<void> make_folder(const std::filesystem::path& path);
/// Makes what was created in a folder durable.
[[nodiscard]] Result<void> sync_folder(const std::filesystem::path& path);
[[nodiscard]] bool is_missing_or_empty(const std::filesystem::path& path);

}  // namespace pawl::storage::detail
