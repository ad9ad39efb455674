#include "identity/detail/mail_text.hpp"

#include <algorithm>

namespace pawl::identity::detail {

std::string shown(std::string_view name) {
  constexpr std::size_t kShown = 100;
  auto end = std::min(name.size(), kShown);
  while (end < name.size() && end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
  std::string out;
  for (const char c : name.substr(0, end)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  for (auto at = out.find("://"); at != std::string::npos; at = out.find("://")) out.replace(at, 3, " ");
  return out;
}

}  // namespace pawl::identity::detail
