#include "identity/api_keys.hpp"

#include <gmock/gmock.h>

#include "identity/detail/test_support.hpp"

namespace pawl::identity {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// proves: P1
TEST_F(AccountsTest, P1_AnApiKeyActsForItsUserWithItsScopesInItsOrganization) {
  const auto signed_in = sign_up();
  const auto principal = *who(signed_in.access_token);
  const auto issued = api_keys_->create(principal, principal.home, {"deploy", {"read", "execute"}, {}});
  ASSERT_TRUE(issued.has_value()) << issued.error().code;
  EXPECT_TRUE(issued->secret.starts_with("pawl_"));
  EXPECT_THAT(issued->secret, SizeIs(48));
  const auto key = who(issued->secret);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->kind, Principal::Kind::api_key);
  EXPECT_EQ(key->user, signed_in.user.id);
  EXPECT_TRUE(key->permits(Permission::execute, key->home));
  EXPECT_FALSE(key->permits(Permission::write, key->home));
  EXPECT_FALSE(key->permits(Permission::account, key->home));
  EXPECT_EQ(code_of(api_keys_->create(*key, key->home, {"more", {"write"}, {}})), "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(principal, principal.home, {"root", {"administer"}, {}})), "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(principal, OrganizationId::make(clock_.time, random_), {"foreign", {"read"}, {}})),
            "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(principal, principal.home, {"", {}, clock_.time})), "api_key.invalid");

  const auto stranger = sign_up("eve@example.org");
  EXPECT_EQ(code_of(api_keys_->revoke(stranger.user.id, issued->key.id)), "api_key.not_found");
  EXPECT_EQ(code_of(api_keys_->get(stranger.user.id, issued->key.id)), "api_key.not_found");
  EXPECT_THAT(api_keys_->list(stranger.user.id, 50, {})->keys, IsEmpty());
  EXPECT_THAT(api_keys_->list(signed_in.user.id, 50, {})->keys, SizeIs(1));
  ASSERT_TRUE(authenticator_->try_authenticate({issued->secret, {}}).has_value()) << "in the cache";
  ASSERT_TRUE(api_keys_->revoke(signed_in.user.id, issued->key.id).has_value());
  EXPECT_EQ(code_of(who(issued->secret)), "auth.invalid_token");
}

TEST_F(AccountsTest, AnApiKeyEndsWithItsTimeItsUserAndItsMembership) {
  const auto signed_in = sign_up();
  const auto principal = *who(signed_in.access_token);
  const auto brief = api_keys_->create(principal, principal.home, {"brief", {"read"}, clock_.time + std::chrono::hours(1)});
  const auto lasting = api_keys_->create(principal, principal.home, {"lasting", {"read"}, {}});
  ASSERT_TRUE(brief.has_value() && lasting.has_value());
  EXPECT_TRUE(is_accepted(brief->secret));
  advance(std::chrono::hours(1));
  EXPECT_EQ(code_of(who(brief->secret)), "auth.invalid_token");
  EXPECT_TRUE(is_accepted(lasting->secret));
  execute("update users set is_active = 0");
  authenticator_->forget(signed_in.user.id);
  EXPECT_EQ(code_of(who(lasting->secret)), "auth.invalid_token");
  execute("update users set is_active = 1; delete from organization_members");
  authenticator_->forget(signed_in.user.id);
  EXPECT_EQ(code_of(who(lasting->secret)), "auth.invalid_token");
}

}  // namespace
}  // namespace pawl::identity
