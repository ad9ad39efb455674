/// The files of `migrations/`, put into the program by CMake (CMakeLists.txt of this module).
#pragma once

#include <span>
#include <string_view>

namespace pawl::storage::detail {

struct EmbeddedFile {
  std::string_view name;
  std::string_view text;
};
[[nodiscard]] std::span<const EmbeddedFile> embedded_migration_files();

}  // namespace pawl::storage::detail
