// Changing a password, getting back in, and verifying an address.
#include <gmock/gmock.h>

#include <future>

#include "identity/detail/test_support.hpp"

namespace pawl::identity {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

TEST_F(AccountsTest, ChangingThePasswordAsksForTheOldOneAndEndsOtherSessions) {
  const auto here = sign_up();
  const auto elsewhere = login();
  EXPECT_EQ(code_of(accounts_->change_password(here.user.id, here.session, "wrong", kOtherPassword, client_)), "auth.invalid_credentials");
  EXPECT_EQ(code_of(accounts_->change_password(here.user.id, here.session, kPassword, "short", client_)), "auth.weak_password");
  ASSERT_TRUE(is_accepted(elsewhere->access_token));
  ASSERT_TRUE(accounts_->change_password(here.user.id, here.session, kPassword, kOtherPassword, client_).has_value());
  EXPECT_TRUE(is_accepted(here.access_token));
  EXPECT_EQ(code_of(who(elsewhere->access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(login()), "auth.invalid_credentials");
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
}

// proves: N-6
TEST_F(AccountsTest, N_6_AResetLinkWorksOnceAndEndsAllSessions) {
  const auto signed_in = sign_up();
  ASSERT_TRUE(is_accepted(signed_in.access_token));
  accounts_->forgot_password("ADA@example.org");
  settle();
  ASSERT_THAT(mail_.messages, SizeIs(2));
  EXPECT_THAT(mail_.messages.back().text, HasSubstr("https://pawl.example.org/reset-password#"));
  const auto token = mail_.token();
  EXPECT_EQ(code_of(accounts_->reset_password(token, "short", client_)), "auth.weak_password");
  ASSERT_TRUE(accounts_->reset_password(token, kOtherPassword, client_).has_value());
  EXPECT_EQ(code_of(accounts_->reset_password(token, kPassword, client_)), "auth.link_invalid");
  EXPECT_EQ(code_of(who(signed_in.access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->refresh(signed_in.refresh_token, client_)), "auth.invalid_token");
  EXPECT_EQ(code_of(login()), "auth.invalid_credentials");
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
  EXPECT_TRUE(accounts_->user(signed_in.user.id)->email_verified_at.has_value());
}

// proves: N-6
TEST_F(AccountsTest, N_6_ResetLinksExpireAndOnlyTheNewestWorks) {
  sign_up();
  accounts_->forgot_password("ada@example.org");
  settle();
  const auto first = mail_.token();
  accounts_->forgot_password("ada@example.org");
  settle();
  const auto second = mail_.token();
  EXPECT_EQ(code_of(accounts_->reset_password(first, kOtherPassword, client_)), "auth.link_invalid");
  advance(std::chrono::hours(1));
  EXPECT_EQ(code_of(accounts_->reset_password(second, kOtherPassword, client_)), "auth.link_invalid");
  for (const char* token : {"", "null", "x"})
    EXPECT_EQ(code_of(accounts_->reset_password(token, kOtherPassword, client_)), "auth.link_invalid");
}

TEST_F(AccountsTest, ForgettingThePasswordOfAnUnknownAddressSendsNothing) {
  sign_up();
  for (const char* email : {"nobody@example.org", "no address", ""}) accounts_->forgot_password(email);
  settle();
  EXPECT_THAT(mail_.messages, SizeIs(1)) << "only the one of the registration";
}

// Security check 12 and P1: nobody learns who has an account, also not from how long the answer takes.
TEST_F(AccountsTest, S4_O7_AskingForALinkWaitsForNothingThatDependsOnTheAddress) {
  sign_up();
  std::promise<void> release;
  const auto released = release.get_future().share();
  database_->write(
      [released](storage::Transaction&) -> Result<void> {
        released.wait();
        return {};
      },
      {});
  // Each of them returns although nothing can be written, and without having looked for an account.
  for (const char* email : {"ada@example.org", "nobody@example.org", "no address"}) accounts_->forgot_password(email);
  EXPECT_THAT(mail_.messages, SizeIs(1)) << "only the one of the registration so far";
  release.set_value();
  settle();
  EXPECT_THAT(mail_.messages, SizeIs(2));
}

TEST_F(AccountsTest, AResetEndsTheWaitThatOthersCaused) {
  sign_up();
  for (int i = 0; i < 100; ++i) {
    const Client somewhere{"203.0.113." + std::to_string(i), ""};
    EXPECT_EQ(code_of(accounts_->login({"ada@example.org", "wrong", ""}, somewhere)), "auth.invalid_credentials");
  }
  EXPECT_EQ(code_of(login()), "auth.too_many_attempts");
  accounts_->forgot_password("ada@example.org");
  settle();
  ASSERT_TRUE(accounts_->reset_password(mail_.token(), kOtherPassword, client_).has_value());
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
}

TEST_F(AccountsTest, AnAddressIsVerifiedByItsLinkOnce) {
  const auto signed_in = sign_up();
  EXPECT_FALSE(signed_in.user.email_verified_at.has_value());
  const auto first = mail_.token();
  ASSERT_TRUE(accounts_->resend_verification(signed_in.user.id).has_value());
  EXPECT_EQ(code_of(accounts_->verify_email(first)), "auth.link_invalid");
  ASSERT_TRUE(accounts_->verify_email(mail_.token()).has_value());
  EXPECT_EQ(code_of(accounts_->verify_email(mail_.token())), "auth.link_invalid");
  EXPECT_TRUE(accounts_->user(signed_in.user.id)->email_verified_at.has_value());
  EXPECT_EQ(code_of(accounts_->resend_verification(signed_in.user.id)), "auth.already_verified");
}

}  // namespace
}  // namespace pawl::identity
