#include "identity/passwords.hpp"

#include <gmock/gmock.h>

#include <future>
#include <thread>
#include <vector>

namespace pawl::identity {
namespace {

using testing::HasSubstr;

constexpr crypto::PasswordCost kCheap{1, 8192};

// proves: S4-O7, AI-H7
TEST(PasswordPolicy, S4_O7_RefusesWhatOthersWouldTryFirst) {
  for (const char* weak : {"", "short", "ninechars", "1234567890", "passwordpassword", "Password1234", "!!!password!!!", "aaaaaaaaaaaa",
                           "abcabcabcabc", "qwertyuiop", "ada@example.org", "Ada@Example.org", "administrator", "iloveyou2024"}) {
    EXPECT_TRUE(password_weakness(weak, "ada@example.org").has_value()) << weak;
  }
  EXPECT_TRUE(password_weakness("lovelace.ada1", "lovelace.ada@example.org").has_value());
  EXPECT_TRUE(password_weakness(std::string(1025, 'x') + "abc", "a@example.org").has_value());
  EXPECT_TRUE(password_weakness(std::string("long enough\0but", 15), "a@example.org").has_value());
  EXPECT_TRUE(password_weakness("long enough \xff\xfe", "a@example.org").has_value());
}

TEST(PasswordPolicy, TakesAnyLongTextWithoutRulesAboutKindsOfCharacters) {
  for (const char* good :
       {"correct horse battery", "correct-horse",
        "gr\xc3\xbc\xc3\x9f"
        "e an alle",
        "\xe5\xaf\x86\xe7\xa0\x81\xe5\xaf\x86\xe7\xa0\x81\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b\xe4\xba\x94\xe5\x85\xad",
        "7f3k9q2m1x"}) {
    EXPECT_EQ(password_weakness(good, "ada@example.org"), std::nullopt) << good;
  }
}

// proves: S4-O2
TEST(PasswordHasher, S4_O2_KeepsArgon2idAndNoticesAHigherCost) {
  PasswordHasher hasher({kCheap, 2, 8});
  const auto hash = hasher.hash("correct horse battery");
  ASSERT_TRUE(hash.has_value());
  EXPECT_THAT(*hash, testing::StartsWith("$argon2id$v=19$m=8,t=1,p=1$"));
  EXPECT_TRUE(*hasher.verify(*hash, "correct horse battery"));
  EXPECT_FALSE(*hasher.verify(*hash, "correct horse batterx"));
  EXPECT_FALSE(hasher.is_outdated(*hash));
  PasswordHasher dearer({{2, 16384}, 2, 8});
  EXPECT_TRUE(dearer.is_outdated(*hash));
  EXPECT_TRUE(*dearer.verify(*hash, "correct horse battery"));
}

TEST(PasswordHasher, DoesTheSameWorkForNobodyAndIsNeverRightThen) {
  PasswordHasher hasher({kCheap, 2, 8});
  const auto hash = hasher.hash("correct horse battery");
  const auto before = hasher.statistics().hashes;
  EXPECT_FALSE(*hasher.verify(std::nullopt, "correct horse battery"));
  EXPECT_EQ(hasher.statistics().hashes, before + 1);
  EXPECT_FALSE(*hasher.verify(*hash, "wrong"));
  EXPECT_EQ(hasher.statistics().hashes, before + 2);
  EXPECT_FALSE(*hasher.verify(*hash, std::string(100'000, 'x')));
  EXPECT_EQ(hasher.statistics().hashes, before + 3);
}

TEST(PasswordHasher, RefusesWhenTooManyWait) {
  // Dear enough that all are there before the first is through.
  PasswordHasher hasher({{3, std::size_t{32} << 20U}, 1, 2});
  std::vector<std::future<Result<std::string>>> callers;
  for (int i = 0; i < 12; ++i) callers.push_back(std::async(std::launch::async, [&] { return hasher.hash("correct horse battery"); }));
  int made = 0;
  int busy = 0;
  for (auto& caller : callers) {
    const auto hash = caller.get();
    if (hash.has_value()) {
      ++made;
    } else {
      EXPECT_EQ(hash.error().code, "auth.busy");
      EXPECT_EQ(hash.error().kind, ErrorClass::unavailable);
      ++busy;
    }
  }
  EXPECT_GE(made, 3);
  EXPECT_GE(busy, 1);
  EXPECT_EQ(hasher.statistics().refused, static_cast<std::uint64_t>(busy));
}

}  // namespace
}  // namespace pawl::identity
