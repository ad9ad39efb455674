#include "net/outbound.hpp"

#include <strings.h>

namespace pawl::net {

std::optional<std::string_view> find_header(const HeaderList& headers, std::string_view name) noexcept {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace pawl::net
