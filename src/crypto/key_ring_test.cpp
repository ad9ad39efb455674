#include "crypto/key_ring.hpp"

#include <gtest/gtest.h>

namespace pawl::crypto {
namespace {

const Uuid kRow = *Uuid::parse("01890000-0000-7000-8000-000000000001");
const Uuid kOtherRow = *Uuid::parse("01890000-0000-7000-8000-000000000002");
const OrganizationId kOrganization = *OrganizationId::parse("01890000-0000-7000-8000-00000000000a");
const OrganizationId kOtherOrganization = *OrganizationId::parse("01890000-0000-7000-8000-00000000000b");

SealedPlace here() { return {"t.sealed_c", kRow, kOrganization}; }

std::string code_of(const Result<std::string>& result) { return result.has_error() ? result.error().code : "opened"; }

// proves: S4-O2
TEST(KeyRing, S4_D1_OpensWhatItSealedAndHidesIt) {
  const KeyRing ring("one key that is long enough for this");
  const auto sealed = ring.seal("canary-4711", here());
  EXPECT_EQ(sealed.find("canary"), std::string::npos);
  EXPECT_NE(sealed, ring.seal("canary-4711", here())) << "the nonce is random";
  EXPECT_EQ(ring.open(sealed, here()).value(), "canary-4711");
  EXPECT_EQ(ring.open(ring.seal("", here()), here()).value(), "");
}

// Point 30 of the security checks: bound to table, row and organization.
TEST(KeyRing, S4_D1_DoesNotOpenWhatWasMovedToAnotherPlace) {
  const KeyRing ring("one key");
  const auto sealed = ring.seal("x", here());
  EXPECT_EQ(code_of(ring.open(sealed, {"t.sealed_d", kRow, kOrganization})), "crypto.damaged");
  EXPECT_EQ(code_of(ring.open(sealed, {"t.sealed_c", kOtherRow, kOrganization})), "crypto.damaged");
  EXPECT_EQ(code_of(ring.open(sealed, {"t.sealed_c", kRow, kOtherOrganization})), "crypto.damaged");
  EXPECT_EQ(code_of(ring.open(sealed, {"t.sealed_c", kRow})), "crypto.damaged");
  EXPECT_EQ(code_of(ring.open(ring.seal("x", {"ab", "c"}), {"a", "bc"})), "crypto.damaged") << "parts must not flow into each other";
}

TEST(KeyRing, S4_D1_AChangeOfAnyByteIsFound) {
  const KeyRing ring("one key");
  const auto sealed = ring.seal("some text", here());
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    auto changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_TRUE(ring.open(changed, here()).has_error()) << at;
    EXPECT_EQ(code_of(ring.open(sealed.substr(0, at), here())), "crypto.damaged") << at;
  }
}

// proves: FA-10
TEST(KeyRing, FA_10_OpensWithPreviousKeysAndSealsWithTheCurrentOne) {
  const std::vector<std::string> previous = {"the old key", "the older key"};
  const KeyRing old(previous[0]);
  const KeyRing ring("the new key", previous);
  const auto sealed = old.seal("x", here());
  EXPECT_EQ(ring.open(sealed, here()).value(), "x");
  EXPECT_FALSE(ring.is_current(sealed));
  EXPECT_TRUE(ring.knows(old.current()));
  EXPECT_TRUE(ring.is_current(ring.seal("x", here())));
  EXPECT_EQ(ring.open(KeyRing(previous[1]).seal("y", here()), here()).value(), "y");
}

TEST(KeyRing, FA_10_AWrongKeyFailsLoudlyAndNamesTheKeyThatIsMissing) {
  const KeyRing old("the old key");
  const auto sealed = old.seal("x", here());
  const auto opened = KeyRing("the new key").open(sealed, here());
  ASSERT_EQ(code_of(opened), "crypto.unknown_key");
  EXPECT_NE(opened.error().message.find(to_text(old.current())), std::string::npos);
  EXPECT_EQ(opened.error().message.find("the old key"), std::string::npos);
}

TEST(KeyRing, KeyIdsSayWhichKeyAndNothingElse) {
  EXPECT_EQ(KeyRing("a").current(), KeyRing("a").current());
  EXPECT_NE(KeyRing("a").current(), KeyRing("b").current());
  EXPECT_EQ(to_text(KeyRing("a").current()).size(), 16U);
  EXPECT_EQ(KeyRing::key_of("no sealed value"), std::nullopt);
  EXPECT_EQ(KeyRing::key_of(""), std::nullopt);
}

}  // namespace
}  // namespace pawl::crypto
