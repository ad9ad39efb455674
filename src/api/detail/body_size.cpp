#include "api/detail/body_size.hpp"

namespace pawl::api::detail {

bool has_too_many_values(std::string_view json) {
  std::size_t values = 1;
  bool inside_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (inside_text) {
      if (c == '\\') ++i;
      if (c == '"') inside_text = false;
      continue;
    }
    if (c == '"') inside_text = true;
    // Each value but the outermost follows one of these.
    if (c == ',' || c == '[' || c == '{') ++values;
    if (values > kMaxBodyValues) return true;
  }
  return false;
}

}  // namespace pawl::api::detail
