#include "identity/detail/jws.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include <array>
#include <memory>
#include <optional>

#include "crypto/encoding.hpp"
#include "json/parse.hpp"

namespace pawl::identity::detail {
namespace {

constexpr std::size_t kMaxToken = 64 * 1024;
constexpr int kMinRsaBits = 2048;
constexpr std::size_t kCoordinate = 32;  // bytes of P-256

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view data) { return reinterpret_cast<const unsigned char*>(data.data()); }
Number number_of(std::string_view data) { return Number(BN_bin2bn(bytes_of(data), static_cast<int>(data.size()), nullptr)); }

std::string_view text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? value.as_string() : std::string_view();
}

Key make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return Key(key);
}

Key rsa_key(const json::Value& jwk) {
  const auto modulus = crypto::from_base64url(text_of(jwk, "n"));
  const auto exponent = crypto::from_base64url(text_of(jwk, "e"));
  if (!modulus || !exponent) return nullptr;
  const auto n = number_of(*modulus);
  const auto e = number_of(*exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder || BN_num_bits(n.get()) < kMinRsaBits ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return make_key("RSA", builder.get());
}

Key ec_key(const json::Value& jwk) {
  const auto x = crypto::from_base64url(text_of(jwk, "x"));
  const auto y = crypto::from_base64url(text_of(jwk, "y"));
  if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != kCoordinate || y->size() != kCoordinate) return nullptr;
  const auto point = "\x04" + *x + *y;
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  return make_key("EC", builder.get());
}

/// `r || s` as JWS writes it, to what OpenSSL reads. Empty where it is none.
std::string to_der(std::string_view signature) {
  if (signature.size() != 2 * kCoordinate) return {};
  auto r = number_of(signature.substr(0, kCoordinate));
  auto s = number_of(signature.substr(kCoordinate));
  const Signature pair(ECDSA_SIG_new());
  if (!r || !s || !pair || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());  // the pair owns them now
  static_cast<void>(s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool verify(EVP_PKEY* key, std::string_view data, std::string_view signature) {
  const DigestContext context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(data), data.size()) == 1;
}

bool is_for_signatures(const json::Value& jwk) {
  const auto use = text_of(jwk, "use");
  return use.empty() || use == "sig";
}

/// Does this key, with its own algorithm and no other, vouch for the data?
bool key_vouches(const json::Value& jwk, std::string_view algorithm, std::string_view data, const std::string& signature) {
  const auto type = text_of(jwk, "kty");
  const auto declared = text_of(jwk, "alg");
  if (!is_for_signatures(jwk) || (!declared.empty() && declared != algorithm)) return false;
  if (type == "RSA" && algorithm == "RS256") {
    const auto key = rsa_key(jwk);
    return key && verify(key.get(), data, signature);
  }
  if (type == "EC" && algorithm == "ES256") {
    const auto key = ec_key(jwk);
    const auto der = to_der(signature);
    return key && !der.empty() && verify(key.get(), data, der);
  }
  return false;
}

Error invalid(std::string why) { return {ErrorClass::unauthenticated, "oauth.invalid_token", "The provider's token is not valid: " + why}; }

std::optional<json::Value> decode_object(std::string_view part) {
  const auto text = crypto::from_base64url(part);
  if (!text) return std::nullopt;
  json::ParseLimits limits;
  limits.max_depth = 16;
  auto value = json::parse(*text, limits);
  if (value.has_error() || !value->is_object()) return std::nullopt;
  return std::move(*value);
}

}  // namespace

std::string sha256(std::string_view data) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes_of(data), data.size(), digest.data());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string key_id_of(std::string_view token) {
  const auto header = decode_object(token.substr(0, token.find('.')));
  return header ? std::string(text_of(*header, "kid")) : std::string();
}

bool has_key(const json::Value& key_set, std::string_view key_id) {
  const auto& keys = key_set.get("keys");
  if (!keys.is_array()) return false;
  for (const auto& jwk : keys.items()) {
    if (key_id.empty() || text_of(jwk, "kid") == key_id) return true;
  }
  return false;
}

Result<json::Value> verify_jws(std::string_view token, const json::Value& key_set) {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (token.size() > kMaxToken || second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return invalid("it is no compact JWS.");
  }
  const auto header = decode_object(token.substr(0, first));
  const auto signature = crypto::from_base64url(token.substr(second + 1));
  if (!header || !signature || header->find("crit") != nullptr) return invalid("its header cannot be read.");
  const auto algorithm = text_of(*header, "alg");
  if (algorithm != "RS256" && algorithm != "ES256") return invalid("its algorithm is neither RS256 nor ES256.");
  const auto key_id = text_of(*header, "kid");
  const auto& keys = key_set.get("keys");
  if (!keys.is_array()) return invalid("the provider has published no keys.");
  constexpr std::size_t kMaxKeys = 32;
  std::size_t tried = 0;
  for (const auto& jwk : keys.items()) {
    if (!key_id.empty() && text_of(jwk, "kid") != key_id) continue;
    if (++tried > kMaxKeys) break;
    if (!key_vouches(jwk, algorithm, token.substr(0, second), *signature)) continue;
    auto claims = decode_object(token.substr(first + 1, second - first - 1));
    if (!claims) return invalid("its claims cannot be read.");
    return std::move(*claims);
  }
  return invalid("no key of the provider has signed it.");
}

}  // namespace pawl::identity::detail
