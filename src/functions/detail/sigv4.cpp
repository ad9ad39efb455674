#include "functions/detail/sigv4.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "functions/detail/encoding.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()), key.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac{};
  crypto_auth_hmacsha256_final(&state, mac.data());
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

std::string to_hex(std::string_view bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  text.pop_back();
  return text;
}

/// `20130524T000000Z`
std::string stamp(TimePoint now) {
  std::string text = to_rfc3339(std::chrono::floor<std::chrono::seconds>(now));
  text.erase(text.find('.'), 4);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

/// Runs of spaces count as one, none at the ends.
std::string squeezed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

struct Canonical {
  std::string headers;
  std::string signed_names;
};

Canonical canonical_headers(const AwsRequest& request, const net::HeaderList& fields) {
  std::vector<std::pair<std::string, std::string>> all{{"host", request.host}};
  for (const auto& [name, value] : fields) all.emplace_back(lower(name), squeezed(value));
  std::sort(all.begin(), all.end());
  Canonical canonical;
  for (const auto& [name, value] : all) {
    canonical.headers += name + ":" + value + "\n";
    canonical.signed_names += (canonical.signed_names.empty() ? "" : ";") + name;
  }
  return canonical;
}

std::string scope_text(const AwsScope& scope, std::string_view date) {
  return fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
}

std::string signature(std::string_view canonical_request, const AwsKeys& keys, const AwsScope& scope, const std::string& when) {
  const std::string date = when.substr(0, 8);
  const std::string text = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, when, scope_text(scope, date), sha256(canonical_request));
  const std::string date_key = hmac("AWS4" + keys.secret_access_key, date);
  const std::string region_key = hmac(date_key, scope.region);
  const std::string service_key = hmac(region_key, scope.service);
  return to_hex(hmac(hmac(service_key, "aws4_request"), text));
}

std::string canonical_request(const AwsRequest& request, const std::string& query, const Canonical& canonical, std::string_view body_hash) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, encode_path(request.path), query, canonical.headers, canonical.signed_names,
                     body_hash);
}

}  // namespace

std::string encode_path(std::string_view path) {
  std::string out;
  while (true) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    out += net::percent_encode(path.substr(0, slash));
    if (slash == path.size()) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

std::string encode_query(std::vector<std::pair<std::string, std::string>> query) {
  for (auto& [name, value] : query) {
    name = net::percent_encode(name);
    value = net::percent_encode(value);
  }
  std::sort(query.begin(), query.end());  // after encoding, as the specification has it
  std::string out;
  for (const auto& [name, value] : query) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

net::HeaderList sign(const AwsRequest& request, std::string_view body_hash, const AwsKeys& keys, const AwsScope& scope, TimePoint now) {
  const std::string when = stamp(now);
  net::HeaderList fields = request.headers;
  fields.emplace_back("x-amz-content-sha256", body_hash);
  fields.emplace_back("x-amz-date", when);
  if (!keys.session_token.empty()) fields.emplace_back("x-amz-security-token", keys.session_token);
  const Canonical canonical = canonical_headers(request, fields);
  const std::string text = canonical_request(request, encode_query(request.query), canonical, body_hash);
  fields.emplace_back("Authorization",
                      fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, keys.access_key_id,
                                  scope_text(scope, when.substr(0, 8)), canonical.signed_names, signature(text, keys, scope, when)));
  return fields;
}

std::string presign(const AwsRequest& request, std::chrono::seconds lifetime, const AwsKeys& keys, const AwsScope& scope, TimePoint now) {
  const std::string when = stamp(now);
  const Canonical canonical = canonical_headers(request, request.headers);
  auto query = request.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", fmt::format("{}/{}", keys.access_key_id, scope_text(scope, when.substr(0, 8))));
  query.emplace_back("X-Amz-Date", when);
  query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  if (!keys.session_token.empty()) query.emplace_back("X-Amz-Security-Token", keys.session_token);
  query.emplace_back("X-Amz-SignedHeaders", canonical.signed_names);
  const std::string text = encode_query(std::move(query));
  const std::string whole = canonical_request(request, text, canonical, "UNSIGNED-PAYLOAD");
  return fmt::format("{}?{}&X-Amz-Signature={}", encode_path(request.path), text, signature(whole, keys, scope, when));
}

}  // namespace pawl::functions
