/// `file-read` and `file-write` without their clothes: blocking, on places.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {

struct FileContent {
  std::string bytes;
  TimePoint modified{};
};
/// A regular file of at most `limit` bytes. Errors of contained_path.hpp and `file.too_large`, `file.not_regular`.
[[nodiscard]] Result<FileContent> read_whole(const Place& place, std::size_t limit);

enum class WriteMode : std::uint8_t {
  create,     ///< fails where the file exists
  overwrite,  ///< replaces it in one step: a reader sees the old or the new content
  append,
};
struct Written {
  bool created = false;
  std::uint64_t size = 0;  ///< of the whole file
};
/// Durable when it returns (fsync). Folders on the way are made.
[[nodiscard]] Result<Written> write_whole(const Place& place, std::string_view bytes, WriteMode mode);

/// A regular file read in pieces.
class FileReader {
 public:
  [[nodiscard]] static Result<FileReader> open(const Place& place);
  /// When it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Shorter at the end.
  [[nodiscard]] Result<std::string> piece(std::uint64_t offset, std::size_t length) const;

 private:
  FileReader() = default;

  Place place_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

/// SHA-256 of a file's content, read in pieces. Error `file.cancelled` when the flag goes up meanwhile.
[[nodiscard]] Result<std::string> hash_file(const Place& place, const std::atomic<bool>& cancelled);

}  // namespace pawl::functions
