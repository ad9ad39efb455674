#include "crypto/crypto.hpp"

#include <gtest/gtest.h>

namespace pawl::crypto {
namespace {

TEST(Crypto, TokensAreLongAndDiffer) {
  const auto token = random_token();
  EXPECT_EQ(token.size(), 43U);
  EXPECT_NE(token, random_token());
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), std::string::npos);
}

TEST(Crypto, HashIsBlake2b256) {
  const auto digest = hash("abc");
  EXPECT_EQ(digest[0], 0xbd);  // RFC 7693 style vector: BLAKE2b-256("abc") = bddd813c...
  EXPECT_EQ(digest[1], 0xdd);
  EXPECT_EQ(digest[2], 0x81);
}

TEST(Crypto, HmacIsTheOneOfRfc4231) {
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Crypto, KeysOfDifferentContextsAreUnrelated) { EXPECT_NE(derive_key("s", "a"), derive_key("s", "b")); }

TEST(Crypto, ShortHashesDependOnTheKey) {
  ShortKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(short_hash(key, {}), 0x726fdb47dd0e0e31ULL) << "first vector of the SipHash paper's reference code";
  EXPECT_NE(short_hash(random_short_key(), "a"), short_hash(random_short_key(), "a"));
}

TEST(Crypto, ComparesWholeTexts) {
  EXPECT_TRUE(equal("abc", "abc"));
  EXPECT_FALSE(equal("abc", "abd"));
  EXPECT_FALSE(equal("abc", "ab"));
  EXPECT_TRUE(equal("", ""));
}

TEST(Crypto, OpensOnlyWithTheSameKeyAndBinding) {
  const auto key = derive_key("secret", "test");
  const auto sealed = seal(key, "hello", "row 1");
  EXPECT_EQ(open(key, sealed, "row 1"), "hello");
  EXPECT_EQ(open(key, sealed, "row 2"), std::nullopt);
  EXPECT_EQ(open(derive_key("other", "test"), sealed, "row 1"), std::nullopt);
  auto changed = sealed;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_EQ(open(key, changed, "row 1"), std::nullopt);
  EXPECT_EQ(open(key, "short", "row 1"), std::nullopt);
}

}  // namespace
}  // namespace pawl::crypto
