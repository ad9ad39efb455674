#include "app/run_folder.hpp"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

namespace pawl::app {

namespace fs = std::filesystem;

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (temporary_ && !path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::string> RunFolder::path() {
  if (!path_.empty()) return path_;
  std::error_code error;
  auto pattern = (fs::temp_directory_path(error) / "pawl-run-XXXXXX").string();
  if (error || ::mkdtemp(pattern.data()) == nullptr) return Error(ErrorClass::internal, "file.temporary", "cannot make a temporary folder");
  path_ = pattern;
  return path_;
}

}  // namespace pawl::app
