#include "identity/user.hpp"

#include <algorithm>

namespace pawl::identity {
namespace {

constexpr std::size_t kMaxEmailBytes = 254;  // RFC 5321 section 4.5.3.1.3, without the brackets
constexpr std::string_view kNotInEmail = "()<>[]\\,;:\"";

bool is_blank_or_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; }

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank_or_control(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank_or_control(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::string> email_key(std::string_view email) {
  email = trimmed(email);
  if (email.size() > kMaxEmailBytes) return std::nullopt;
  const auto at = email.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || email.find('@', at + 1) != std::string_view::npos) return std::nullopt;
  const auto domain = email.substr(at + 1);
  const bool dotted = domain.find('.') != std::string_view::npos && domain.front() != '.' && domain.back() != '.' &&
                      domain.find("..") == std::string_view::npos;
  if (!dotted && domain != "localhost") return std::nullopt;
  const auto refused = [](char c) { return is_blank_or_control(c) || kNotInEmail.find(c) != std::string_view::npos; };
  if (std::any_of(email.begin(), email.end(), refused)) return std::nullopt;
  std::string key(email);
  std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return key;
}

}  // namespace pawl::identity
