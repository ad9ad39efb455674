/// A folder for runs of a command.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.hpp"

namespace pawl::app {

/// Goes away with this object, unless it was named by the person.
class RunFolder {
 public:
  explicit RunFolder(std::string named) : path_(std::move(named)), temporary_(path_.empty()) {}
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Made where it is missing.
  [[nodiscard]] Result<std::string> path();
  [[nodiscard]] bool temporary() const { return temporary_; }

 private:
  std::string path_;
  bool temporary_;
};

}  // namespace pawl::app
