#include "crypto/encoding.hpp"

#include <gtest/gtest.h>

#include "crypto/crypto.hpp"
#include "crypto/hmac.hpp"
#include "crypto/password_hash.hpp"

namespace pawl::crypto {
namespace {

TEST(Encoding, Base64UrlReadsOnlyWhatItWrites) {
  for (const auto& bytes :
       {std::string(), std::string("f"), std::string("fo"), std::string("foo"), std::string("\0\xff\x10", 3), random_bytes(100)}) {
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
  EXPECT_EQ(to_base64url("\xfb\xff"), "-_8");
  for (const char* text : {"Zg==", "Zh", "Z", "Zm9v\n", "Z+==", "Zm 9v", "+_8"}) EXPECT_EQ(from_base64url(text), std::nullopt) << text;
}

TEST(Encoding, Base32IsThatOfRfc4648) {
  EXPECT_EQ(to_base32(""), "");
  EXPECT_EQ(to_base32("f"), "MY");
  EXPECT_EQ(to_base32("foob"), "MZXW6YQ");
  EXPECT_EQ(to_base32("foobar"), "MZXW6YTBOI");
}

TEST(Hmac, AgreesWithTheVectorsOfRfc2202And4231) {
  EXPECT_EQ(to_base32([] {
              const auto mac = hmac_sha1("Jefe", "what do ya want for nothing?");
              return std::string(mac.begin(), mac.end());
            }()),
            "576N62XF5MX2FUTUC3K7DBG7TQSZU7DZ");
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(PasswordHash, IsNoHashOfOtherText) {
  EXPECT_FALSE(verify_password("", ""));
  EXPECT_FALSE(verify_password("plain", "plain"));
  const auto hash = hash_password("secret", {1, 8192});
  ASSERT_TRUE(hash.has_value());
  EXPECT_TRUE(verify_password(*hash, "secret"));
  EXPECT_FALSE(verify_password(*hash, "secreT"));
}

// proves: S4-O7
TEST(PasswordHash, OfNobodyIsOneThatIsVerifiedLikeAnyOther) {
  for (const PasswordCost cost : {PasswordCost{1, 8192}, PasswordCost{3, std::size_t{1} << 20U}, PasswordCost{}}) {
    const auto nobody = hash_of_nobody(cost);
    // Well-formed with this cost: libsodium decodes it, and would do the work.
    EXPECT_FALSE(needs_rehash(nobody, cost)) << nobody;
    EXPECT_TRUE(needs_rehash(nobody, {cost.passes + 1, cost.memory_bytes})) << nobody;
    EXPECT_NE(nobody, hash_of_nobody(cost));
  }
  EXPECT_EQ(hash_of_nobody({1, 8192}).size(), hash_password("secret", {1, 8192})->size());
  EXPECT_FALSE(verify_password(hash_of_nobody({1, 8192}), "secret"));
}

}  // namespace
}  // namespace pawl::crypto
