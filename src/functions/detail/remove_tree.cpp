#include "functions/detail/remove_tree.hpp"

#include <filesystem>
#include <system_error>

namespace pawl::functions {

void remove_tree(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);  // unlinks symbolic links, works relative to folder handles
}

}  // namespace pawl::functions
