#include "net/detail/url.hpp"

#include <curl/curl.h>

#include <memory>

namespace pawl::net::detail {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

std::optional<std::string> part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string out(text);
  curl_free(text);
  return out;
}

std::optional<Url> describe(CURLU* handle) {
  Url url;
  url.user = part(handle, CURLUPART_USER, CURLU_URLDECODE).value_or("");
  url.password = part(handle, CURLUPART_PASSWORD, CURLU_URLDECODE).value_or("");
  for (const auto unwanted : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_FRAGMENT}) {
    curl_url_set(handle, unwanted, nullptr, 0);
  }
  auto scheme = part(handle, CURLUPART_SCHEME);
  auto host = part(handle, CURLUPART_HOST);
  auto port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  auto text = part(handle, CURLUPART_URL);
  if (!scheme || !host || !port || !text || (*scheme != "http" && *scheme != "https")) return std::nullopt;
  for (char& letter : *host) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
  }
  url.text = std::move(*text);
  url.scheme = std::move(*scheme);
  url.host = std::move(*host);
  url.port = std::move(*port);
  return url;
}

}  // namespace

std::string Url::host_field() const {
  const bool own_port = port == (scheme == "https" ? "443" : "80");
  return own_port ? host : host + ":" + port;
}

std::optional<Url> parse_url(const std::string& text) {
  if (text.size() > 32 * 1024 || text.find('\0') != std::string::npos) return std::nullopt;
  const UrlHandle handle(curl_url());
  if (curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), CURLU_URLENCODE) != CURLUE_OK) return std::nullopt;
  return describe(handle.get());
}

std::optional<Url> resolve_url(const Url& base, const std::string& location) {
  const UrlHandle handle(curl_url());
  if (curl_url_set(handle.get(), CURLUPART_URL, base.text.c_str(), 0) != CURLUE_OK) return std::nullopt;
  if (curl_url_set(handle.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE) != CURLUE_OK) return std::nullopt;
  return describe(handle.get());
}

std::optional<Url> at_origin(const Url& url, const std::string& origin) {
  const auto target = parse_url(origin);
  const UrlHandle handle(curl_url());
  if (!target || curl_url_set(handle.get(), CURLUPART_URL, url.text.c_str(), 0) != CURLUE_OK) return std::nullopt;
  if (curl_url_set(handle.get(), CURLUPART_SCHEME, target->scheme.c_str(), 0) != CURLUE_OK ||
      curl_url_set(handle.get(), CURLUPART_HOST, target->host.c_str(), 0) != CURLUE_OK ||
      curl_url_set(handle.get(), CURLUPART_PORT, target->port.c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  return describe(handle.get());
}

}  // namespace pawl::net::detail
