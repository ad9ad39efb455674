#include "http/websocket.hpp"

#include "http/detail/target.hpp"

namespace pawl::http {
namespace {

constexpr std::size_t kKeyLength = 24;  // 16 bytes in base64
constexpr std::size_t kMostProtocols = 16;

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Calls `each` with every element of the comma-separated lists in all fields of that name.
template <class Each>
void for_each_element(const Headers& headers, std::string_view name, const Each& each) {
  for (const auto [field, value] : headers) {
    if (!equals_ignoring_case(field, name)) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const auto end = rest.find(',');
      if (const auto element = trimmed(rest.substr(0, end)); !element.empty()) each(element);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
}

bool lists(const Headers& headers, std::string_view name, std::string_view wanted) {
  bool found = false;
  for_each_element(headers, name, [&](std::string_view element) { found = found || equals_ignoring_case(element, wanted); });
  return found;
}

bool is_key(std::string_view key) noexcept {
  if (key.size() != kKeyLength || !key.ends_with("==")) return false;
  for (const char letter : key.substr(0, kKeyLength - 2)) {
    const bool letter_or_digit = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
    if (!letter_or_digit && letter != '+' && letter != '/') return false;
  }
  return true;
}

}  // namespace

bool asks_for_websocket(const Request& request) noexcept {
  return request.method == Method::get && request.version == 11 && lists(request.headers, "upgrade", "websocket") &&
         lists(request.headers, "connection", "upgrade") && request.header("sec-websocket-version") == "13" &&
         is_key(request.header("sec-websocket-key"));
}

std::vector<std::string_view> offered_protocols(const Request& request) {
  std::vector<std::string_view> offered;
  for_each_element(request.headers, "sec-websocket-protocol", [&](std::string_view element) {
    if (offered.size() < kMostProtocols && detail::is_token(element)) offered.push_back(element);
  });
  return offered;
}

}  // namespace pawl::http
