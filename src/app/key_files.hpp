/// Keys that a development installation makes for itself, kept in the data folder with mode 0600.
#pragma once

#include <string>

#include "base/error.hpp"

namespace pawl::app {

struct KeyFile {
  std::string key;
  bool is_new = false;
};
/// Reads the key of this name, or makes one. Error `key.file`: it cannot be read or written, or others may read it.
[[nodiscard]] Result<KeyFile> ensure_key_file(const std::string& folder, const std::string& name);

}  // namespace pawl::app
