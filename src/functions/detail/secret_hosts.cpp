#include "functions/detail/secret_hosts.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "functions/detail/encoding.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kShortest = 4;  // shorter values occur by chance

/// `Basic dXNlcjpwYXNz` hides what it carries.
std::string basic_content(std::string_view value) {
  if (value.size() < 6 || (value.substr(0, 6) != "Basic " && value.substr(0, 6) != "basic ")) return {};
  return from_base64(value.substr(6)).value_or("");
}

bool has(std::string_view text, std::string_view secret) { return text.find(secret) != std::string_view::npos; }

bool carries(const net::OutboundRequest& request, std::string_view secret) {
  const auto encoded = net::percent_encode(secret);
  if (has(request.url, secret) || has(request.url, encoded) || has(request.body, secret) || has(request.body, encoded)) return true;
  for (const auto& [name, value] : request.headers) {
    if (has(value, secret) || has(value, encoded) || has(basic_content(value), secret)) return true;
  }
  if (const auto* bearer = std::get_if<net::BearerToken>(&request.credentials)) return has(bearer->token, secret);
  if (const auto* basic = std::get_if<net::BasicCredentials>(&request.credentials)) {
    return has(basic->user, secret) || has(basic->password, secret);
  }
  if (const auto* digest = std::get_if<net::DigestCredentials>(&request.credentials)) {
    return has(digest->user, secret) || has(digest->password, secret);
  }
  return false;
}

bool carries(const json::Value& arguments, std::string_view secret) {
  if (arguments.is_string()) return has(arguments.as_string(), secret) || has(arguments.as_string(), net::percent_encode(secret));
  if (arguments.is_array()) {
    return std::any_of(arguments.items().begin(), arguments.items().end(), [&](const json::Value& item) { return carries(item, secret); });
  }
  if (!arguments.is_object()) return false;
  return std::any_of(arguments.members().begin(), arguments.members().end(),
                     [&](const json::Member& member) { return carries(member.value, secret); });
}

template <class Carrier>
bool carries_one_of(const Carrier& request, const json::Value& secret) {
  for (const auto& field : secret.get("secret_fields").items()) {
    const auto& value = field.is_string() ? secret.get(field.as_string()) : field;
    if (value.is_string() && value.size() >= kShortest && carries(request, value.as_string())) return true;
  }
  return false;
}

}  // namespace

bool host_allowed(std::string_view host, const json::Value& allowed) {
  if (host.empty() || !allowed.is_array()) return false;
  for (const auto& item : allowed.items()) {
    if (!item.is_string()) continue;
    const auto entry = item.as_string();
    if (!entry.starts_with("*.")) {
      if (host == entry) return true;
    } else if (const auto tail = entry.substr(1); host.size() > tail.size() && host.ends_with(tail)) {
      return true;
    }
  }
  return false;
}

Result<void> hold_to_host(const json::Value& arguments, std::string_view host, const json::Value& secrets) {
  if (!secrets.is_object()) return {};
  std::string lower(host);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const auto& member : secrets.members()) {
    const auto& allowed = member.value.get("allowed_hosts");
    if (!allowed.is_array() || !member.value.get("secret_fields").is_array() || !carries_one_of(arguments, member.value)) continue;
    if (!host_allowed(lower, allowed)) {
      return Error(ErrorClass::denied, "http.secret_host",
                   fmt::format("the call carries a secret of the integration \"{}\" to a host that is not one of its own", member.name()));
    }
  }
  return {};
}

Result<void> hold_to_hosts(net::OutboundRequest& request, const json::Value& secrets) {
  if (!secrets.is_object()) return {};
  for (const auto& member : secrets.members()) {
    const auto& allowed = member.value.get("allowed_hosts");
    if (!allowed.is_array() || !member.value.get("secret_fields").is_array() || !carries_one_of(request, member.value)) continue;
    if (!host_allowed(net::host_of(request.url), allowed)) {
      return Error(
          ErrorClass::denied, "http.secret_host",
          fmt::format("the request carries a secret of the integration \"{}\" to a host that is not one of its own", member.name()));
    }
    request.follow_redirects = false;
  }
  return {};
}

}  // namespace pawl::functions
