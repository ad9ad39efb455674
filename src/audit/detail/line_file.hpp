/// The file of JSON lines beside the database: append only, mode 0600, one writing process, put aside when it is large. Private to the
/// module.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pawl::audit::detail {

class LineFile {
 public:
  /// Opens or creates it, cuts off a line that a crash left unfinished, and finds the sequence of the last line (of the newest file put
  /// aside, where it is empty). Error `audit.file`.
  [[nodiscard]] static Result<LineFile> open(const std::filesystem::path& path, std::uint64_t rotate_bytes);
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&&) = delete;
  ~LineFile();

  [[nodiscard]] std::uint64_t last_sequence() const { return last_sequence_; }
  /// Appends whole lines (with their line ends), the last of which has this sequence.
  [[nodiscard]] Result<void> append(std::string_view lines, std::uint64_t last_sequence);
  /// Deletes files put aside whose last record is not after `sequence`.
  void forget_up_to(std::uint64_t sequence);

 private:
  LineFile(std::filesystem::path path, std::uint64_t rotate_bytes, int fd) : path_(std::move(path)), rotate_bytes_(rotate_bytes), fd_(fd) {}
  [[nodiscard]] Result<void> find_end();
  [[nodiscard]] Result<void> rotate();

  std::filesystem::path path_;
  std::uint64_t rotate_bytes_;
  int fd_;
  std::uint64_t size_ = 0;
  std::uint64_t last_sequence_ = 0;
};

/// The files put aside, oldest first, each with the sequence of its last line; then `path` itself with 0, where it exists.
struct FilePart {
  std::filesystem::path path;
  std::uint64_t last_sequence = 0;
};
[[nodiscard]] std::vector<FilePart> parts_of(const std::filesystem::path& path);
/// Calls `each(line)` for every line of all parts, in order; `each` answers false to stop.
[[nodiscard]] Result<void> read_lines(const std::filesystem::path& path, const std::function<bool(std::string_view line)>& each);

}  // namespace pawl::audit::detail
