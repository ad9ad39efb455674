/// A file that appears under its name only when all of it is there: written beside it, synced, then moved.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {

class StagedFile {
 public:
  /// Missing folders are made. Errors of contained_path.hpp; `file.exists` at once where it may not be replaced.
  [[nodiscard]] static Result<StagedFile> open(const Place& place, bool replace, mode_t mode = 0644);
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  /// Without `commit` nothing stays.
  ~StagedFile();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const Parent& staged() const { return staged_; }
  [[nodiscard]] Result<void> write(std::string_view bytes);
  /// True: there was no such file before.
  [[nodiscard]] Result<bool> commit();

 private:
  StagedFile(Place place, Parent target, Parent staged, Fd fd, bool replace, bool existed);

  Place place_;
  Parent target_;
  Parent staged_;
  Fd fd_;
  bool replace_;
  bool existed_;
  bool committed_ = false;
};

}  // namespace pawl::functions
