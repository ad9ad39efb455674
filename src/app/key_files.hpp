/// Keys that a development installation makes for itself, kept in the data folder with mode 0600.
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/config.hpp"
#include "crypto/key_ring.hpp"

namespace pawl::app {

struct KeyFile {
  std::string key;
  bool is_new = false;
};
/// Reads the key of this name, or makes one. Error `key.file`: it cannot be read or written, or others may read it.
[[nodiscard]] Result<KeyFile> ensure_key_file(const std::string& folder, const std::string& name);

/// The keys that seal stored credentials: ENCRYPTION_KEY, or one of the data folder (`encryption.key`), made where there is none; then
/// ENCRYPTION_KEY_PREVIOUS. A key that the data folder still holds opens what was sealed before ENCRYPTION_KEY was set. Error `key.file`.
[[nodiscard]] Result<crypto::KeyRing> open_key_ring(const config::Config& config);

}  // namespace pawl::app
