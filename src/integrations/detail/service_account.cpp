#include "integrations/detail/service_account.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

#include <memory>
#include <string_view>

#include "json/write.hpp"

namespace pawl::integrations::detail {
namespace {

struct FreeKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

std::string base64url(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.pop_back();  // the terminating zero
  return text;
}

/// An encrypted key asks for a passphrase: without this, on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

Result<std::string> sign(const std::string& pem, std::string_view text) {
  const auto failed = [] {
    ERR_clear_error();
    return Error(ErrorClass::unprocessable, "integration.key", "The private key of the service account cannot be read.");
  };
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, FreeKey> key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr) : nullptr);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return failed();
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    return failed();
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) != 1) return failed();
  signature.resize(size);
  return signature;
}

}  // namespace

Result<std::string> signed_claim(const ServiceAccount& account, std::string_view scope, std::string_view audience,
                                 std::chrono::seconds now) {
  const auto head = json::Value::object({{"alg", "RS256"}, {"typ", "JWT"}});
  const auto claim = json::Value::object({{"iss", account.email},
                                          {"scope", scope},
                                          {"aud", audience},
                                          {"iat", static_cast<std::int64_t>(now.count())},
                                          {"exp", static_cast<std::int64_t>((now + std::chrono::hours(1)).count())}});
  auto token = base64url(json::to_text(head)) + "." + base64url(json::to_text(claim));
  auto signature = sign(account.private_key, token);
  if (signature.has_error()) return std::move(signature).error();
  return token + "." + base64url(*signature);
}

}  // namespace pawl::integrations::detail
